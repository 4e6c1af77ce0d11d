#!/usr/bin/env python3
"""The whole training step of the same model in PyTorch: the partner of training_step_bench.

Run the two one after the other on a quiet machine, with the same flags:

    build/release/training_step_bench --hidden 512 --embedding 512
    tests/bench/pytorch_training_step.py --hidden 512 --embedding 512

Needs Debian's python3-torch and libopenblas0-openmp (without the latter it runs on the reference
BLAS, many times slower).
"""

import argparse
import os
import statistics
import time

import torch

parser = argparse.ArgumentParser()
for name, value in (("vocabulary", 65), ("embedding", 512), ("hidden", 512), ("time-steps", 64),
                    ("lanes", 64), ("layers", 2), ("threads", os.cpu_count()), ("turns", 11)):
    parser.add_argument("--" + name, type=int, default=value)
parser.add_argument("--dropout", type=float, default=0.0)
options = parser.parse_args()
torch.manual_seed(1)
torch.set_num_threads(options.threads)

embedding = torch.nn.Embedding(options.vocabulary, options.embedding)
rnn = torch.nn.LSTM(options.embedding, options.hidden, options.layers, dropout=options.dropout)
dropout = torch.nn.Dropout(options.dropout)
projection = torch.nn.Linear(options.hidden, options.vocabulary)
parameters = [p for module in (embedding, rnn, projection) for p in module.parameters()]
optimizer = torch.optim.Adam(parameters, lr=1e-3)
shape = (options.time_steps, options.lanes)
inputs = torch.randint(options.vocabulary, shape)
targets = torch.randint(options.vocabulary, shape)

state, seconds = None, []
for turn in range(options.turns + 2):
    start = time.perf_counter()
    outputs, state = rnn(embedding(inputs), state)
    state = tuple(part.detach() for part in state)
    logits = projection(dropout(outputs))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    if turn >= 2:
        seconds.append(time.perf_counter() - start)

median = statistics.median(seconds)
print(f"PyTorch {torch.__version__}, {options.threads} threads: median of {options.turns} steps "
      f"{median * 1e3:.2f} ms, {shape[0] * shape[1] / median:.0f} tokens/s")
