#!/usr/bin/env python3
"""The whole training step of the same model in PyTorch: the partner of training_step_bench.

Run the two one after the other on a quiet machine, with the same flags:

    build/release/training_step_bench --hidden 512 --embedding 512
    tests/bench/pytorch_training_step.py --hidden 512 --embedding 512

Under mpirun its ranks train together (DistributedDataParallel over gloo), each on its own lanes; name
the host of rank 0 to all of them, and the network device where hosts have several:

    mpirun ... -x MASTER_ADDR=node1 -x GLOO_SOCKET_IFNAME=eth0 tests/bench/pytorch_training_step.py

Needs Debian's python3-torch and libopenblas0-openmp (without the latter it runs on the reference
BLAS, many times slower), or PyTorch from PyPI.
"""

import argparse
import contextlib
import os
import statistics
import time

import torch

parser = argparse.ArgumentParser()
for name, value in (("vocabulary", 65), ("embedding", 512), ("hidden", 512), ("time-steps", 64),
                    ("lanes", 64), ("layers", 2), ("threads", os.cpu_count()), ("turns", 11)):
    parser.add_argument("--" + name, type=int, default=value)
parser.add_argument("--dropout", type=float, default=0.0)
parser.add_argument("--cell", choices=("LSTM", "GRU"), default="LSTM")
parser.add_argument("--bf16", action="store_true", help="products in bfloat16 (autocast)")
options = parser.parse_args()
torch.manual_seed(1)
torch.set_num_threads(options.threads)
rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", 0))
ranks = int(os.environ.get("OMPI_COMM_WORLD_SIZE", 1))


class LanguageModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(options.vocabulary, options.embedding)
        self.rnn = getattr(torch.nn, options.cell)(
            options.embedding, options.hidden, options.layers, dropout=options.dropout)
        self.dropout = torch.nn.Dropout(options.dropout)
        self.projection = torch.nn.Linear(options.hidden, options.vocabulary)

    def forward(self, inputs, state):
        outputs, state = self.rnn(self.embedding(inputs), state)
        return self.projection(self.dropout(outputs)), state


model = LanguageModel()
if ranks > 1:
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29500")
    torch.distributed.init_process_group("gloo", rank=rank, world_size=ranks)
    model = torch.nn.parallel.DistributedDataParallel(model)
parameters = list(model.parameters())
optimizer = torch.optim.Adam(parameters, lr=1e-3)
shape = (options.time_steps, options.lanes)
inputs = torch.randint(options.vocabulary, shape)
targets = torch.randint(options.vocabulary, shape)
precision = (torch.autocast("cpu", torch.bfloat16) if options.bf16 else contextlib.nullcontext())

state, seconds = None, []
for turn in range(options.turns + 2):
    start = time.perf_counter()
    with precision:
        logits, state = model(inputs, state)
    state = tuple(s.detach() for s in state) if options.cell == "LSTM" else state.detach()
    loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    if turn >= 2:
        seconds.append(time.perf_counter() - start)

if rank == 0:
    median = statistics.median(seconds)
    print(f"PyTorch {torch.__version__}, {options.cell}{' bf16' if options.bf16 else ''}, "
          f"{ranks} ranks x {options.threads} threads: median of {options.turns} steps "
          f"{median * 1e3:.2f} ms, {ranks * shape[0] * shape[1] / median:.0f} tokens/s")
if ranks > 1:
    torch.distributed.destroy_process_group()
