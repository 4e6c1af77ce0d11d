#!/usr/bin/env python3
"""Writes pytorch_adaptive_softmax.json: PyTorch's adaptive softmax with two clusters behind the head.

The sum of -log p(target) over rows, its gradients, and log p of all classes. The head is named as ours is, "projection".
Run with PyTorch (2.x): python3 make_golden_adaptive_softmax.py. The tests need no PyTorch. Everything is
float32 on one thread; arrays are flat, row-major, in 9 digits, which name a float32.
"""

import json
import pathlib

import torch

INPUT, CLASSES, CUTOFFS, DIVISION, ROWS = 12, 23, [5, 11], 2.0, 9


def flat(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def main():
    torch.set_num_threads(1)
    torch.manual_seed(13)
    layer = torch.nn.AdaptiveLogSoftmaxWithLoss(INPUT, CLASSES, CUTOFFS, DIVISION, head_bias=True)
    y = torch.randn(ROWS, INPUT).requires_grad_()
    targets = torch.tensor([3, 22, 0, 7, 10, 11, 4, 5, 15])
    loss = -layer(y, targets).output.sum()
    loss.backward()
    result = {
        "input": INPUT, "classes": CLASSES, "cutoffs": CUTOFFS, "division": DIVISION,
        "y": flat(y), "targets": targets.tolist(), "loss": float(f"{loss.item():.9g}"),
        "d_y": flat(y.grad), "log_probabilities": flat(layer.log_prob(y)),
        "parameters": [
            {"name": name.replace("head.", "projection."), "shape": list(value.shape),
             "value": flat(value), "gradient": flat(value.grad)}
            for name, value in layer.named_parameters()
        ],
    }
    path = pathlib.Path(__file__).with_name("pytorch_adaptive_softmax.json")
    path.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
