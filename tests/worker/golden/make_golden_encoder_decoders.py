#!/usr/bin/env python3
"""Writes pytorch_encoder_decoders.json: encoder-decoders with attention in PyTorch, for the tests.

Bahdanau et al. 2015 and Luong et al. 2015 with input feeding, over padded batches with masks; sums
of the loss over the targets and all gradients. Run with PyTorch (2.x); the tests need none.
Everything is float64, rounded to 9 digits, which name a float32. Sources and targets are sorted by
their own lengths; token V begins and ends a target.
"""

import json
import pathlib

import torch

SOURCES, TARGETS, EMBEDDING, HIDDEN = 7, 5, 3, 4
SOURCE_LENGTHS, TARGET_LENGTHS, SOURCE_OF = [5, 4, 4, 1], [5, 3, 2, 2], [2, 0, 3, 1]


def flat(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


class Encoder(torch.nn.Module):
    def __init__(self, rnn):
        super().__init__()
        self.embedding = torch.nn.Embedding(SOURCES, EMBEDDING)
        self.rnn = rnn(EMBEDDING, HIDDEN, 2, bidirectional=True)

    def forward(self, tokens):  # [T, B]
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            self.embedding(tokens), torch.tensor(SOURCE_LENGTHS))
        outputs, state = self.rnn(packed)
        return torch.nn.utils.rnn.pad_packed_sequence(outputs)[0], state


class Attention(torch.nn.Module):
    def __init__(self, additive):
        super().__init__()
        self.key = torch.nn.Linear(2 * HIDDEN, HIDDEN, bias=False)
        if additive:
            self.query = torch.nn.Linear(HIDDEN, HIDDEN, bias=False)
            self.vector = torch.nn.Parameter(torch.randn(HIDDEN))
        self.additive = additive

    def forward(self, query, values, mask):  # [B, H], [B, n, 2H], [B, n]
        keys = self.key(values)
        if self.additive:
            scores = torch.tanh(self.query(query).unsqueeze(1) + keys) @ self.vector
        else:
            scores = torch.bmm(keys, query.unsqueeze(2)).squeeze(2)
        weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), 1)
        return torch.bmm(weights.unsqueeze(1), values).squeeze(1)


class Model(torch.nn.Module):
    def __init__(self, cell, additive):
        super().__init__()
        self.cell = cell
        rnn = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}[cell]
        self.encoder = Encoder(rnn)
        self.initial = torch.nn.ModuleDict()
        for layer in range(2):
            for part in "hc" if cell == "LSTM" else "h":
                self.initial[f"{part}_l{layer}"] = torch.nn.Linear(2 * HIDDEN, HIDDEN)
        self.decoder = torch.nn.Module()
        self.decoder.embedding = torch.nn.Embedding(TARGETS + 1, EMBEDDING)
        self.decoder.rnn = rnn(EMBEDDING + (2 * HIDDEN if additive else HIDDEN), HIDDEN, 2)
        self.attention = Attention(additive)
        self.readout = torch.nn.Linear(3 * HIDDEN, HIDDEN, bias=False)
        self.projection = torch.nn.Linear(HIDDEN, TARGETS + 1)

    def begin(self, state):
        h, c = state if self.cell == "LSTM" else (state, None)

        def states(part, final):
            final = final.view(2, 2, -1, HIDDEN)[:, :, SOURCE_OF]  # layer, direction, item
            return torch.stack([self.initial[f"{part}_l{layer}"](
                torch.cat([final[layer, 0], final[layer, 1]], 1)) for layer in range(2)])

        h = torch.tanh(states("h", h))
        return (h, states("c", c)) if self.cell == "LSTM" else h

    def forward(self, sources, inputs):  # [T_s, B], [T_t, B]
        outputs, state = self.encoder(sources)
        values = outputs.transpose(0, 1)[SOURCE_OF]
        lengths = torch.tensor(SOURCE_LENGTHS)[SOURCE_OF]
        mask = torch.arange(values.size(1)) < lengths.unsqueeze(1)
        state = self.begin(state)
        readout = torch.zeros(len(SOURCE_OF), HIDDEN, dtype=torch.float64)
        logits = []
        for tokens in inputs:
            embedded = self.decoder.embedding(tokens)
            if self.attention.additive:
                query = state[0][-1] if self.cell == "LSTM" else state[-1]
                context = self.attention(query, values, mask)
                _, state = self.decoder.rnn(torch.cat([embedded, context], 1).unsqueeze(0), state)
                s = state[0][-1] if self.cell == "LSTM" else state[-1]
            else:
                _, state = self.decoder.rnn(torch.cat([embedded, readout], 1).unsqueeze(0), state)
                s = state[0][-1] if self.cell == "LSTM" else state[-1]
                context = self.attention(s, values, mask)
            readout = torch.tanh(self.readout(torch.cat([context, s], 1)))
            logits.append(self.projection(readout))
        return torch.stack(logits)


def packed(padded, lengths):
    return [int(padded[t, i]) for t in range(max(lengths)) for i, n in enumerate(lengths) if t < n]


def case(name, cell, additive, smoothing):
    torch.manual_seed(5)
    model = Model(cell, additive)
    for parameter in model.parameters():  # what a float32 of 9 digits can hold
        parameter.data = (parameter.data * 2.0).float()
    model = model.double()
    items = len(SOURCE_OF)
    sources = torch.randint(SOURCES, (max(SOURCE_LENGTHS), items))
    inputs = torch.randint(TARGETS, (max(TARGET_LENGTHS), items))
    inputs[0] = TARGETS
    targets = torch.full_like(inputs, -100)
    for i, n in enumerate(TARGET_LENGTHS):
        targets[: n - 1, i] = inputs[1:n, i]
        targets[n - 1, i] = TARGETS
    loss = torch.nn.functional.cross_entropy(
        model(sources, inputs).flatten(0, 1), targets.flatten(), reduction="sum",
        label_smoothing=smoothing)
    loss.backward()
    return {
        "name": name, "cell": cell, "label_smoothing": smoothing,
        "source_tokens": packed(sources, SOURCE_LENGTHS),
        "inputs": packed(inputs, TARGET_LENGTHS), "targets": packed(targets, TARGET_LENGTHS),
        "loss": loss.item(),
        "parameters": [
            {"name": key, "value": flat(value), "gradient": flat(value.grad)}
            for key, value in model.named_parameters()
        ],
    }


def main():
    torch.set_num_threads(1)
    golden = {
        "torch": torch.__version__.split("+")[0],
        "source_vocabulary": SOURCES, "target_vocabulary": TARGETS, "embedding": EMBEDDING,
        "hidden": HIDDEN, "source_lengths": SOURCE_LENGTHS, "target_lengths": TARGET_LENGTHS,
        "source_of": SOURCE_OF,
        "models": [case("bahdanau", "GRU", True, 0.0), case("luong", "LSTM", False, 0.1)],
    }
    path = pathlib.Path(__file__).with_name("pytorch_encoder_decoders.json")
    path.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
