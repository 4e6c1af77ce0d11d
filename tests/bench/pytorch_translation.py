#!/usr/bin/env python3
"""The whole training step of the same encoder and decoder in PyTorch, with packed sequences: the
partner of translation_bench.

Run both in turns on a quiet machine; each measures batches of the same lengths:

    tests/bench/pytorch_translation.py --beside build/release/translation_bench
    tests/bench/pytorch_translation.py --conditioning luong --beside build/release/translation_bench

What needs no step before it runs over all steps at once: the encoder, embeddings, attention's keys,
the decoder where nothing is fed back, the projection (of real tokens only).
"""

import argparse
import os
import statistics
import subprocess
import time

import torch
from torch.nn.utils import rnn as packing

parser = argparse.ArgumentParser()
parser.add_argument("--conditioning", choices=["state", "context", "bahdanau", "luong"],
                    default="bahdanau")
for name, value in (("vocabulary", 8000), ("embedding", 256), ("hidden", 256), ("layers", 1),
                    ("items", 64), ("shortest", 4), ("longest", 40), ("threads", os.cpu_count()),
                    ("turns", 21)):
    parser.add_argument("--" + name, type=int, default=value)
parser.add_argument("--dropout", type=float, default=0.2)
for name in ("feeding", "gru", "one-direction"):
    parser.add_argument("--" + name, action="store_true")
parser.add_argument("--beside", metavar="TRANSLATION_BENCH", help="run it in turns with this")
parser.add_argument("--rounds", type=int, default=5, help="turns of both")
o = parser.parse_args()
torch.manual_seed(1)
torch.set_num_threads(o.threads)
torch.set_flush_denormal(True)
DIRECTIONS = 1 if o.one_direction else 2
SUMMARY = DIRECTIONS * o.hidden
DROPOUT = o.dropout if o.layers > 1 else 0.0
RNN = torch.nn.GRU if o.gru else torch.nn.LSTM


class Numbers:
    """As in translation_bench.cc."""

    state = 1

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 33

    def fraction(self):
        return self.next() / 2147483648.0


class Translator(torch.nn.Module):
    def __init__(self):
        super().__init__()
        extra = {"state": 0, "context": SUMMARY, "bahdanau": SUMMARY,
                 "luong": o.hidden if o.feeding else 0}[o.conditioning]
        self.source = torch.nn.Embedding(o.vocabulary, o.embedding)
        self.encoder = RNN(o.embedding, o.hidden, o.layers, dropout=DROPOUT,
                           bidirectional=not o.one_direction)
        linear = lambda: torch.nn.ModuleList(
            torch.nn.Linear(SUMMARY, o.hidden) for _ in range(o.layers))
        self.initial_h = linear()
        self.initial_c = None if o.gru else linear()
        self.target = torch.nn.Embedding(o.vocabulary + 1, o.embedding)
        self.decoder = RNN(o.embedding + extra, o.hidden, o.layers, dropout=DROPOUT)
        if o.conditioning in ("bahdanau", "luong"):
            self.key = torch.nn.Linear(SUMMARY, o.hidden, bias=False)
        if o.conditioning == "bahdanau":
            self.query = torch.nn.Linear(o.hidden, o.hidden, bias=False)
            self.vector = torch.nn.Linear(o.hidden, 1, bias=False)
        if o.conditioning != "state":
            self.readout = torch.nn.Linear(SUMMARY + o.hidden, o.hidden, bias=False)
        self.projection = torch.nn.Linear(o.hidden, o.vocabulary + 1)
        self.dropout = torch.nn.Dropout(o.dropout)

    def begin(self, state, source_of):
        def made(final, parts):
            final = final.view(o.layers, DIRECTIONS, o.items, o.hidden)[:, :, source_of]
            final = final.transpose(1, 2).reshape(o.layers, o.items, SUMMARY)
            return final[-1], torch.stack([part(x) for part, x in zip(parts, final)])

        if o.gru:
            summary, h = made(state, self.initial_h)
            return summary, torch.tanh(h)
        summary, h = made(state[0], self.initial_h)
        return summary, (torch.tanh(h), made(state[1], self.initial_c)[1])

    def read(self, context, s):
        return torch.tanh(self.readout(torch.cat([self.dropout(context), s], -1)))

    def bahdanau(self, embedded, state, keys, values, hidden):
        contexts, outputs = [], []
        for x in embedded:
            query = self.query(state[-1] if o.gru else state[0][-1])
            scores = self.vector(torch.tanh(query.unsqueeze(1) + keys)).squeeze(2)
            weights = torch.softmax(scores.masked_fill(hidden, float("-inf")), 1)
            context = torch.bmm(weights.unsqueeze(1), values).squeeze(1)
            s, state = self.decoder(torch.cat([x, context], 1).unsqueeze(0), state)
            contexts.append(context)
            outputs.append(s[0])
        return self.read(torch.stack(contexts), self.dropout(torch.stack(outputs)))

    def luong(self, queries, keys, values, hidden):  # [B, t, H]
        scores = torch.bmm(queries, keys.transpose(1, 2))
        weights = torch.softmax(scores.masked_fill(hidden.unsqueeze(1), float("-inf")), 2)
        return torch.bmm(weights, values)

    def feeding(self, embedded, state, keys, values, hidden):
        fed, readouts = embedded.new_zeros(o.items, o.hidden), []
        for x in embedded:
            s, state = self.decoder(torch.cat([x, fed], 1).unsqueeze(0), state)
            s = self.dropout(s[0])
            context = self.luong(s.unsqueeze(1), keys, values, hidden).squeeze(1)
            fed = self.read(context, s)
            readouts.append(fed)
        return torch.stack(readouts)

    def decode(self, embedded, state, summary, outputs, source_of, sizes):
        if o.conditioning in ("bahdanau", "luong"):
            values, lengths = packing.pad_packed_sequence(outputs, batch_first=True)
            keys, values = self.key(values)[source_of], self.dropout(values[source_of])
            hidden = torch.arange(values.size(1)) >= lengths[source_of].unsqueeze(1)
        if o.conditioning == "bahdanau":
            return self.bahdanau(embedded, state, keys, values, hidden)
        if o.feeding:
            return self.feeding(embedded, state, keys, values, hidden)
        if o.conditioning == "context":
            context = summary.expand(len(embedded), -1, -1)
            embedded = torch.cat([embedded, context], 2)
        packed = packing.pack_padded_sequence(embedded, sizes)
        s = self.dropout(packing.pad_packed_sequence(self.decoder(packed, state)[0])[0])
        if o.conditioning == "state":
            return s
        if o.conditioning == "luong":
            context = self.luong(s.transpose(0, 1), keys, values, hidden).transpose(0, 1)
        return self.read(context, s)

    def forward(self, sources, source_of, inputs, targets, sizes):
        embedded = sources._replace(data=self.dropout(self.source(sources.data)))
        outputs, state = self.encoder(embedded)
        summary, state = self.begin(state, source_of)
        readouts = self.decode(self.dropout(self.target(inputs)), state, summary, outputs,
                               source_of, sizes)
        real = torch.arange(len(inputs)).unsqueeze(1) < sizes
        return torch.nn.functional.cross_entropy(self.projection(readouts[real]), targets[real])


def batches():
    numbers = Numbers()
    for _ in range(o.turns + 2):
        sources, targets = [], []
        for _ in range(o.items):
            x, y = numbers.fraction(), numbers.fraction()
            sources.append(o.shortest + int(float(o.longest - o.shortest + 1) * x * x))
            targets.append(1 + int(float(sources[-1]) * (0.75 + 0.5 * y)))
        for _ in range(sum(sources) + 2 * sum(targets)):  # translation_bench's tokens
            numbers.next()
        sources, targets = torch.tensor(sources), torch.tensor(targets)
        by_source = torch.argsort(sources, descending=True, stable=True)
        by_target = torch.argsort(targets, descending=True, stable=True)
        source_of = torch.argsort(by_source)[by_target]
        lengths = sources[by_source]
        steps = (torch.arange(int(lengths[0])).unsqueeze(1) < lengths).sum(1)
        tokens = packing.PackedSequence(
            torch.randint(o.vocabulary, (int(lengths.sum()),)), steps)
        shape = (int(targets.max()), o.items)
        yield (tokens, source_of, torch.randint(o.vocabulary, shape),
               torch.randint(o.vocabulary, shape), targets[by_target])


def measure(model, optimizer):
    rates = []
    for turn, batch in enumerate(batches()):
        start = time.perf_counter()
        loss = model(*batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if turn >= 2:
            rates.append(int(batch[-1].sum()) / (time.perf_counter() - start))
    return statistics.median(rates)


def measure_beside():
    command = [o.beside, "--line"]
    for key, value in vars(o).items():
        if key in ("beside", "rounds") or value is False:
            continue
        command += ["--" + key.replace("_", "-")] + ([] if value is True else [str(value)])
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


model = Translator()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
ours, theirs = [], []
for _ in range(o.rounds if o.beside else 1):
    if o.beside:
        ours.append(measure_beside())
    theirs.append(measure(model, optimizer))
print(f"PyTorch {torch.__version__}, {o.threads} threads, "
      f"{sum(p.numel() for p in model.parameters())} parameters: median of {len(theirs)} x "
      f"{o.turns} steps {statistics.median(theirs):.0f} target tokens/s")
if o.beside:
    ratios = [a / b for a, b in zip(ours, theirs)]
    print(f"{o.beside}: {statistics.median(ours):.0f} target tokens/s, "
          f"{statistics.median(ratios):.2f} times as many ({min(ratios):.2f} to "
          f"{max(ratios):.2f})")
