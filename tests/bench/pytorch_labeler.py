#!/usr/bin/env python3
"""The whole training step of the same tagger or classifier in PyTorch, with packed sequences: the
partner of labeler_bench.

Run both in turns on a quiet machine; each measures the same batches, of unequal lengths:

    tests/bench/pytorch_labeler.py --tags 120 --crf --beside build/release/labeler_bench
    tests/bench/pytorch_labeler.py --labels 20 --pooling mean --beside build/release/labeler_bench

The CRF is that of pytorch-crf: its forward pass over padded batches.
"""

import argparse

import beside
import torch
from torch.nn.utils import rnn as packing

parser = argparse.ArgumentParser()
beside.add_arguments(
    parser, (("labels", 0), ("tags", 0), ("vocabulary", 900), ("embedding", 200), ("hidden", 200),
             ("layers", 1), ("items", 64), ("shortest", 4), ("longest", 40), ("turns", 31)),
    ("crf", "gru", "by-length"), dropout=0.3)
parser.add_argument("--pooling", choices=["last", "mean", "max", "attention"], default="last")
o = parser.parse_args()
beside.prepare(o)


class Crf(torch.nn.Module):
    def __init__(self):
        super().__init__()
        draw = lambda *shape: torch.nn.Parameter(torch.rand(shape) * 0.2 - 0.1)
        self.transitions, self.start, self.end = draw(o.tags, o.tags), draw(o.tags), draw(o.tags)

    def forward(self, emissions, tags, mask):  # [T, B, K], [T, B], [T, B]
        items, last = torch.arange(tags.size(1)), mask.sum(0) - 1
        own = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)
        score = self.start[tags[0]] + (own * mask).sum(0) + self.end[tags[last, items]]
        score = score + (self.transitions[tags[:-1], tags[1:]] * mask[1:]).sum(0)
        paths = self.start + emissions[0]
        for e, here in zip(emissions[1:], mask[1:]):
            following = torch.logsumexp(paths.unsqueeze(2) + self.transitions, 1) + e
            paths = torch.where(here.unsqueeze(1), following, paths)
        return (torch.logsumexp(paths + self.end, 1) - score).sum()


class Labeler(torch.nn.Module):
    def __init__(self):
        super().__init__()
        width = 2 * o.hidden
        self.embedding = torch.nn.Embedding(o.vocabulary, o.embedding)
        self.rnn = (torch.nn.GRU if o.gru else torch.nn.LSTM)(
            o.embedding, o.hidden, o.layers, bidirectional=True,
            dropout=o.dropout if o.layers > 1 else 0.0)
        self.dropout = torch.nn.Dropout(o.dropout)
        if o.labels and o.pooling == "attention":
            self.attention = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.Tanh(),
                                                 torch.nn.Linear(width, 1, bias=False))
        if o.labels:
            self.label = torch.nn.Linear(width, o.labels)
        if o.tags:
            self.tag = torch.nn.Linear(width, o.tags)
        if o.crf:
            self.crf = Crf()

    def pooled(self, outputs, state):
        if o.pooling == "last":
            return torch.cat([state[-2], state[-1]], 1)
        padding = float("-inf") if o.pooling == "max" else 0.0
        h, lengths = packing.pad_packed_sequence(outputs, padding_value=padding)
        if o.pooling == "max":
            return h.max(0).values
        if o.pooling == "mean":
            return h.sum(0) / lengths.unsqueeze(1)
        scores = outputs._replace(data=self.attention(outputs.data))
        scores, _ = packing.pad_packed_sequence(scores, padding_value=float("-inf"))
        return (torch.softmax(scores, 0) * h).sum(0)

    def forward(self, tokens, labels, tags):
        embedded = tokens._replace(data=self.dropout(self.embedding(tokens.data)))
        outputs, state = self.rnn(embedded)
        state = state[0] if isinstance(state, tuple) else state
        loss, weight = 0, 0
        if o.labels:
            logits = self.label(self.dropout(self.pooled(outputs, state)))
            loss = loss + torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
            weight += o.items
        if o.tags:
            logits = self.tag(self.dropout(outputs.data))
            weight += len(logits)
        if o.tags and not o.crf:
            loss = loss + torch.nn.functional.cross_entropy(logits, tags, reduction="sum")
        if o.crf:
            padded, lengths = packing.pad_packed_sequence(outputs._replace(data=logits))
            gold, _ = packing.pad_packed_sequence(outputs._replace(data=tags))
            mask = torch.arange(len(padded)).unsqueeze(1) < lengths
            loss = loss + self.crf(padded, gold, mask)
        return loss / weight


def batches():
    numbers = beside.Numbers()
    count = o.items * (o.turns + 2)
    span = float(o.longest - o.shortest + 1)
    lengths = []
    for _ in range(count):
        x = numbers.fraction()
        lengths.append(o.shortest + int(span * x * x))
    if o.by_length:
        lengths.sort()
    for first in range(0, count, o.items):
        own = torch.tensor(sorted(lengths[first:first + o.items], reverse=True))
        sizes = (torch.arange(int(own[0])).unsqueeze(1) < own).sum(1)
        rows = int(own.sum())
        tokens = packing.PackedSequence(torch.randint(o.vocabulary, (rows,)), sizes)
        yield (tokens, torch.randint(o.labels, (o.items,)) if o.labels else None,
               torch.randint(o.tags, (rows,)) if o.tags else None)


beside.run(o, Labeler(), batches, lambda batch: len(batch[0].data), "tokens")
