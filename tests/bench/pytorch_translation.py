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

import beside
import torch
from torch.nn.utils import rnn as packing

parser = argparse.ArgumentParser()
parser.add_argument("--conditioning", choices=["state", "context", "bahdanau", "luong"],
                    default="bahdanau")
beside.add_arguments(
    parser, (("vocabulary", 8000), ("embedding", 256), ("hidden", 256), ("layers", 1),
             ("items", 64), ("shortest", 4), ("longest", 40), ("turns", 21)),
    ("feeding", "gru", "one-direction"), dropout=0.2)
o = parser.parse_args()
beside.prepare(o)
DIRECTIONS = 1 if o.one_direction else 2
SUMMARY = DIRECTIONS * o.hidden
DROPOUT = o.dropout if o.layers > 1 else 0.0
RNN = torch.nn.GRU if o.gru else torch.nn.LSTM


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
    numbers = beside.Numbers()
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


beside.run(o, Translator(), batches, lambda batch: int(batch[-1].sum()), "target tokens")
