#!/usr/bin/env python3
"""Writes pytorch.json: what PyTorch computes, for the tests beside it to compare with.

Run with Debian's python3-torch (1.13): /usr/bin/python3 make_golden.py. The tests need no PyTorch.
Everything is float32 on one thread; arrays are flat, row-major, in 9 digits, which name a float32.
"""

import json
import math
import pathlib
import random

import torch

VOCABULARY, EMBEDDING, HIDDEN, LAYERS, TIME_STEPS, LANES = 7, 5, 6, 2, 5, 3


def flat(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def model(cell):
    """Embedding, two recurrent layers, projection, cross-entropy as a sum; a state that is not 0."""
    torch.manual_seed(3)
    embedding = torch.nn.Embedding(VOCABULARY, EMBEDDING)
    cells = {
        "RNN_TANH": lambda i, h, l: torch.nn.RNN(i, h, l, nonlinearity="tanh"),
        "RNN_RELU": lambda i, h, l: torch.nn.RNN(i, h, l, nonlinearity="relu"),
        "LSTM": torch.nn.LSTM,
        "GRU": torch.nn.GRU,
    }
    rnn = cells[cell](EMBEDDING, HIDDEN, LAYERS)
    projection = torch.nn.Linear(HIDDEN, VOCABULARY)
    inputs = torch.randint(VOCABULARY, (TIME_STEPS, LANES))
    targets = torch.randint(VOCABULARY, (TIME_STEPS, LANES))
    h = torch.rand(LAYERS, LANES, HIDDEN) - 0.5
    c = torch.rand(LAYERS, LANES, HIDDEN) - 0.5
    outputs, state = rnn(embedding(inputs), (h, c) if cell == "LSTM" else h)
    logits = projection(outputs).flatten(0, 1)
    loss = torch.nn.functional.cross_entropy(logits, targets.flatten(), reduction="sum")
    loss.backward()
    result = {
        "cell": cell,
        "inputs": inputs.flatten().tolist(),
        "targets": targets.flatten().tolist(),
        "h": flat(h),
        "loss": loss.item(),
        "parameters": [],
    }
    if cell == "LSTM":
        result.update(c=flat(c), final_h=flat(state[0]), final_c=flat(state[1]))
    else:
        result.update(final_h=flat(state))
    for prefix, module in [("embedding.", embedding), ("rnn.", rnn), ("projection.", projection)]:
        for name, value in module.named_parameters():
            result["parameters"].append(
                {
                    "name": prefix + name,
                    "shape": list(value.shape),
                    "value": flat(value),
                    "gradient": flat(value.grad),
                }
            )
    return result


def optimizer_cases():
    optim = torch.optim
    return [
        ("Adam", optim.Adam, {"lr": 0.01}),
        ("Adam", optim.Adam, {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
        ("AdamW", optim.AdamW, {"lr": 0.02, "weight_decay": 0.3}),
        ("SGD", optim.SGD, {"lr": 0.1}),
        ("SGD", optim.SGD, {"lr": 0.1, "weight_decay": 0.2}),
        ("SGD", optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.2}),
        ("SGD", optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.2}),
        ("RMSprop", optim.RMSprop, {"lr": 0.01}),
        ("RMSprop", optim.RMSprop, {"lr": 0.01, "alpha": 0.8, "eps": 1e-3, "momentum": 0.9,
                                    "weight_decay": 0.1}),
        ("Adagrad", optim.Adagrad, {"lr": 0.1}),
        ("Adagrad", optim.Adagrad, {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "eps": 1e-3,
                                    "initial_accumulator_value": 0.5}),
    ]


def optimizer(name, make, options):
    """Weights and state after 5 steps on gradients that are given; the rate halves at the third."""
    torch.manual_seed(4)
    weights = torch.nn.Parameter(torch.randn(19))
    result = {"name": name, "options": options, "start": flat(weights), "steps": []}
    made = make([weights], **options)
    for step in range(5):
        if step == 2:
            made.param_groups[0]["lr"] *= 0.5
        weights.grad = torch.randn(19) * 10.0 ** torch.randint(-3, 2, (19,))
        gradient = flat(weights.grad)
        made.step()
        result["steps"].append({"learning_rate": made.param_groups[0]["lr"], "gradient": gradient,
                                "weights": flat(weights)})
    result["state"] = {
        key: flat(value)
        for key, value in made.state[weights].items()
        if torch.is_tensor(value) and value.numel() == 19
    }
    return result


def clipping():
    torch.manual_seed(5)
    parameter = torch.nn.Parameter(torch.zeros(41))
    gradient = torch.randn(41)
    cases = []
    for limit in [0.1, 1.0, 100.0]:
        parameter.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_([parameter], limit)
        by_norm = flat(parameter.grad)
        parameter.grad = gradient.clone()
        torch.nn.utils.clip_grad_value_([parameter], limit)
        cases.append({"limit": limit, "norm": norm.item(), "by_norm": by_norm,
                      "by_value": flat(parameter.grad)})
    return {"gradient": flat(gradient), "cases": cases}


def rates(make, steps, observe=None):
    """The learning rate of each step, from a start of 0.3."""
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule = make(sgd)
    result = []
    for step in range(steps):
        result.append(sgd.param_groups[0]["lr"])
        sgd.step()
        if observe:
            schedule.step(observe[step])
        else:
            schedule.step()
    return result


def schedules():
    lr = torch.optim.lr_scheduler
    random.seed(6)
    losses = [3.0 / (1 + i) + (0.8 * random.random() if i > 5 else 0) for i in range(40)]
    return {
        "step": rates(lambda o: lr.StepLR(o, step_size=7, gamma=0.3), 30),
        "exponential": rates(lambda o: lr.ExponentialLR(o, gamma=0.9), 30),
        "cosine": rates(lambda o: lr.CosineAnnealingLR(o, T_max=30, eta_min=0.03), 31),
        "plateau": rates(lambda o: lr.ReduceLROnPlateau(o, factor=0.5, patience=2, threshold=0.01,
                                                        min_lr=0.3 * 0.05), 40, losses),
        "plateau_losses": losses,
    }


def initialization():
    """The largest value of every parameter of a large enough model: the bounds of its draw."""
    torch.manual_seed(7)
    modules = {"embedding.": torch.nn.Embedding(100, 64), "rnn.": torch.nn.LSTM(64, 100, 2),
               "projection.": torch.nn.Linear(100, 100)}
    result = []
    for prefix, module in modules.items():
        for name, value in module.named_parameters():
            deviation = math.sqrt(value.detach().double().pow(2).mean().item())
            result.append({"name": prefix + name, "largest": value.abs().max().item(),
                           "root_mean_square": deviation})
    return result


def main():
    torch.set_num_threads(1)
    golden = {
        "torch": torch.__version__,
        "models": [model(cell) for cell in ["RNN_TANH", "RNN_RELU", "LSTM", "GRU"]],
        "optimizers": [optimizer(*case) for case in optimizer_cases()],
        "clipping": clipping(),
        "schedules": schedules(),
        "initialization": initialization(),
    }
    path = pathlib.Path(__file__).with_name("pytorch.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
