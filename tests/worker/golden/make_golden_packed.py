#!/usr/bin/env python3
"""Writes pytorch_packed.json: PyTorch's recurrent layers over sequences of unequal lengths.

Two layers that read both ways, over a PackedSequence, an LSTM's also with a projection; outputs, final states and all gradients of
    sum(outputs * d_output) + sum(h_n * d_h) + sum(c_n * d_c)
and one LSTM layer with layer normalisation, whose steps are written out.
Run with PyTorch (2.x): python3 make_golden_packed.py. The tests need no PyTorch. Everything is
float32 on one thread; arrays are flat, row-major, in 9 digits, which name a float32.
"""

import json
import pathlib

import torch

INPUT, HIDDEN, LAYERS, LENGTHS = 3, 4, 2, [5, 3, 3, 1]


def flat(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def layers(cell, projection=0):
    torch.manual_seed(11)
    rnn = {"RNN_TANH": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}[cell](
        INPUT, HIDDEN, LAYERS, bidirectional=True,
        **({"proj_size": projection} if projection else {}))
    lanes = len(LENGTHS)
    x = torch.randn(max(LENGTHS), lanes, INPUT)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(LENGTHS))
    data = packed.data.detach().requires_grad_()
    packed = torch.nn.utils.rnn.PackedSequence(data, packed.batch_sizes)
    shapes = [(2 * LAYERS, lanes, projection or HIDDEN), (2 * LAYERS, lanes, HIDDEN)]
    shapes = shapes[:2 if cell == "LSTM" else 1]
    state = [(torch.rand(shape) - 0.5).requires_grad_() for shape in shapes]
    outputs, final = rnn(packed, tuple(state) if cell == "LSTM" else state[0])
    final = final if cell == "LSTM" else (final,)
    d_output = torch.randn(outputs.data.shape)
    d_final = [torch.randn(shape) for shape in shapes]
    loss = (outputs.data * d_output).sum()
    for value, gradient in zip(final, d_final):
        loss = loss + (value * gradient).sum()
    loss.backward()
    result = {"cell": cell, "x": flat(data), "outputs": flat(outputs.data),
              "d_output": flat(d_output), "d_x": flat(data.grad)}
    for name, start, end, d_end in zip("hc", state, final, d_final):
        result[name] = {"initial": flat(start), "final": flat(end), "d_final": flat(d_end),
                        "d_initial": flat(start.grad)}
    result["parameters"] = [
        {"name": "rnn." + name, "shape": list(value.shape), "value": flat(value),
         "gradient": flat(value.grad)}
        for name, value in rnn.named_parameters()
    ]
    return result


def normalised_lstm():
    """Ba, Kiros and Hinton 2016, equations 20 to 22, with the biases of LSTM's own."""
    torch.manual_seed(12)
    norm = torch.nn.functional.layer_norm
    lanes, time_steps, gates = 2, 3, 4 * HIDDEN
    shapes = {"weight_ih_l0": (gates, INPUT), "weight_hh_l0": (gates, HIDDEN),
              "bias_ih_l0": (gates,), "bias_hh_l0": (gates,), "layer_norm_ih_l0": (gates,),
              "layer_norm_hh_l0": (gates,), "layer_norm_c_l0": (HIDDEN,),
              "layer_norm_c_bias_l0": (HIDDEN,)}
    p = {name: torch.randn(shape, requires_grad=True) for name, shape in shapes.items()}
    x = torch.randn(time_steps, lanes, INPUT, requires_grad=True)
    state = [torch.randn(1, lanes, HIDDEN, requires_grad=True) for _ in "hc"]
    h, c = state[0][0], state[1][0]
    outputs = []
    for x_t in x:
        side_ih = norm(x_t @ p["weight_ih_l0"].T, (gates,), p["layer_norm_ih_l0"], p["bias_ih_l0"])
        side_hh = norm(h @ p["weight_hh_l0"].T, (gates,), p["layer_norm_hh_l0"], p["bias_hh_l0"])
        i, f, g, o = (side_ih + side_hh).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * norm(c, (HIDDEN,), p["layer_norm_c_l0"], p["layer_norm_c_bias_l0"]).tanh()
        outputs.append(h)
    outputs = torch.stack(outputs)
    d_output = torch.randn(outputs.shape)
    result = {"cell": "LSTM", "lengths": [time_steps] * lanes, "x": flat(x),
              "outputs": flat(outputs), "d_output": flat(d_output)}
    d_final = [torch.randn(lanes, HIDDEN) for _ in "hc"]
    ((outputs * d_output).sum() + (h * d_final[0]).sum() + (c * d_final[1]).sum()).backward()
    result["d_x"] = flat(x.grad)
    for name, start, end, d_end in zip("hc", state, (h, c), d_final):
        result[name] = {"initial": flat(start), "final": flat(end), "d_final": flat(d_end),
                        "d_initial": flat(start.grad)}
    result["parameters"] = [{"name": "rnn." + name, "shape": list(value.shape),
                             "value": flat(value), "gradient": flat(value.grad)}
                            for name, value in p.items()]
    return result


def main():
    torch.set_num_threads(1)
    golden = {
        "torch": torch.__version__.split("+")[0],
        "lengths": LENGTHS,
        "layer_norm": normalised_lstm(),
        "projected": layers("LSTM", 2),
        "layers": [layers(cell) for cell in ["RNN_TANH", "LSTM", "GRU"]],
    }
    path = pathlib.Path(__file__).with_name("pytorch_packed.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
