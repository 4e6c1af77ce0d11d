#!/usr/bin/env python3
"""The whole training step of the same forecaster in PyTorch: the partner of forecaster_bench.

Run the two one after the other on a quiet machine, with the same flags:

    build/release/forecaster_bench --direct
    tests/bench/pytorch_forecaster.py --direct

SEGMENTS is SegRNN (Lin et al. 2023) as its authors wrote it: channels are rows, the decoder's one
step runs over all segments at once. Batches are ready in memory.
"""

import argparse
import os
import statistics
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--direct", action="store_true")
for name, value in (("items", 256), ("channels", 7), ("history", 96), ("horizon", 96),
                    ("segment", 24), ("hidden", 512), ("layers", 1), ("threads", os.cpu_count()),
                    ("turns", 11)):
    parser.add_argument("--" + name, type=int, default=value)
parser.add_argument("--dropout", type=float, default=0.5)
o = parser.parse_args()
torch.manual_seed(1)
torch.set_num_threads(o.threads)


class Segments(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Sequential(torch.nn.Linear(o.segment, o.hidden), torch.nn.ReLU())
        self.rnn = torch.nn.GRU(o.hidden, o.hidden, o.layers, batch_first=True)
        self.segments = o.horizon // o.segment
        self.position = torch.nn.Parameter(torch.randn(self.segments, o.hidden // 2))
        self.channel = torch.nn.Parameter(torch.randn(o.channels, o.hidden // 2))
        self.predict = torch.nn.Sequential(torch.nn.Dropout(o.dropout),
                                           torch.nn.Linear(o.hidden, o.segment))

    def forward(self, x):  # [B, T_h, C]
        batch = x.size(0)
        last = x[:, -1:, :].detach()
        x = (x - last).permute(0, 2, 1)
        x = self.embedding(x.reshape(-1, o.history // o.segment, o.segment))
        _, state = self.rnn(x)
        queries = torch.cat([
            self.position.unsqueeze(0).repeat(o.channels, 1, 1),
            self.channel.unsqueeze(1).repeat(1, self.segments, 1),
        ], dim=-1).view(-1, 1, o.hidden).repeat(batch, 1, 1)
        _, decoded = self.rnn(queries, state.repeat(1, 1, self.segments).view(1, -1, o.hidden))
        y = self.predict(decoded).view(-1, o.channels, o.horizon)
        return y.permute(0, 2, 1) + last


class Direct(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.GRU(1, o.hidden, o.layers, dropout=o.dropout if o.layers > 1 else 0.0)
        self.predict = torch.nn.Sequential(torch.nn.Dropout(o.dropout),
                                           torch.nn.Linear(o.hidden, o.horizon))

    def forward(self, x):
        last = x[:, -1:, :].detach()
        rows = (x - last).permute(1, 0, 2).reshape(o.history, -1, 1)
        _, state = self.rnn(rows)
        y = self.predict(state[-1]).view(-1, o.channels, o.horizon)
        return y.permute(0, 2, 1) + last


model = Direct() if o.direct else Segments()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
history = torch.randn(o.items, o.history, o.channels)
targets = torch.randn(o.items, o.horizon, o.channels)
seconds = []
for turn in range(o.turns + 2):
    start = time.perf_counter()
    loss = torch.nn.functional.mse_loss(model(history), targets)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if turn >= 2:
        seconds.append(time.perf_counter() - start)

median = statistics.median(seconds)
print(f"PyTorch {torch.__version__}, {'DIRECT' if o.direct else 'SEGMENTS'}, {o.threads} threads, "
      f"{sum(p.numel() for p in model.parameters())} parameters: median of {o.turns} steps "
      f"{median * 1e3:.2f} ms, {targets.numel() / median:.0f} target values/s")
