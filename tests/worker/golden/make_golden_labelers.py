#!/usr/bin/env python3
"""Writes pytorch_labelers.json: losses and gradients of classifiers and taggers in PyTorch, and of
its cross-entropy with label smoothing and weights, for the tests.

Run with any PyTorch: python3 make_golden_labelers.py. The tests need none. Everything is float64,
rounded to 9 digits, which name a float32. Rows are those of torch.nn.utils.rnn.PackedSequence.
"""

import json
import pathlib

import torch

VOCABULARY, EMBEDDING, HIDDEN, LABELS, TAGS = 7, 4, 3, 3, 4
LENGTHS = [5, 3, 3, 1]
WEIGHTS = [0.5, 1.25, 2.0]


def flat(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def rounded(tensor):
    """What a float32 of 9 digits can hold."""
    return tensor.float().double()


class Attention(torch.nn.Linear):
    """Yang et al. 2016, equations 5 to 7."""

    def __init__(self, size):
        super().__init__(size, size)
        self.vector = torch.nn.Parameter(torch.rand(size) - 0.5)

    def forward(self, h):
        return torch.softmax(torch.tanh(super().forward(h)) @ self.vector, 0) @ h


class Crf(torch.nn.Module):
    """Lafferty et al. 2001; its forward pass over logarithms."""

    def __init__(self):
        super().__init__()
        self.transitions = torch.nn.Parameter(torch.randn(TAGS, TAGS))
        self.start = torch.nn.Parameter(torch.randn(TAGS))
        self.end = torch.nn.Parameter(torch.randn(TAGS))

    def forward(self, emissions, tags):
        score = self.start[tags[0]] + self.end[tags[-1]] + emissions[range(len(tags)), tags].sum()
        score = score + self.transitions[tags[:-1], tags[1:]].sum()
        paths = self.start + emissions[0]
        for e in emissions[1:]:
            paths = torch.logsumexp(paths.unsqueeze(1) + self.transitions, 0) + e
        return torch.logsumexp(paths + self.end, 0) - score


class Labeler(torch.nn.Module):
    def __init__(self, cell, layers, pooling, tags):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, EMBEDDING)
        self.rnn = getattr(torch.nn, cell)(EMBEDDING, HIDDEN, layers, bidirectional=True)
        self.pooling, self.tags = pooling, tags
        if pooling == "ATTENTION":
            self.attention = Attention(2 * HIDDEN)
        if pooling:
            self.label = torch.nn.Linear(2 * HIDDEN, LABELS)
        if tags:
            self.tag = torch.nn.Linear(2 * HIDDEN, TAGS)
        if tags == "CRF":
            self.crf = Crf()

    def pooled(self, outputs, state):
        """outputs is a list of [n, 2 H], state [2 L, B, H]."""
        if self.pooling == "LAST":
            return torch.cat([state[-2], state[-1]], 1)
        pool = {"MEAN": lambda h: h.mean(0), "MAX": lambda h: h.max(0).values,
                "ATTENTION": getattr(self, "attention", None)}[self.pooling]
        return torch.stack([pool(h) for h in outputs])

    def forward(self, tokens, labels, tags, smoothing):
        lists = torch.nn.utils.rnn
        packed = lists.pack_sequence(tokens)
        embedded = packed._replace(data=self.embedding(packed.data))
        outputs, state = self.rnn(embedded)
        state = state[0] if isinstance(state, tuple) else state
        items = lists.unpack_sequence(outputs)
        loss = 0
        if self.pooling:
            criterion = torch.nn.CrossEntropyLoss(torch.tensor(WEIGHTS), reduction="sum",
                                                  label_smoothing=smoothing)
            loss = loss + criterion(self.label(self.pooled(items, state)), labels)
        if self.tags == "SOFTMAX":
            criterion = torch.nn.CrossEntropyLoss(reduction="sum", label_smoothing=smoothing)
            loss = loss + criterion(self.tag(outputs.data), lists.pack_sequence(tags).data)
        if self.tags == "CRF":
            loss = loss + sum(self.crf(self.tag(h), y) for h, y in zip(items, tags))
        return loss


def labeler(cell, layers, pooling, tags, smoothing):
    model = Labeler(cell, layers, pooling, tags)
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(rounded(value))
    tokens = [torch.randint(VOCABULARY, (n,)) for n in LENGTHS]
    gold = [torch.randint(TAGS, (n,)) for n in LENGTHS]
    labels = torch.randint(LABELS, (len(LENGTHS),))
    loss = model(tokens, labels, gold, smoothing)
    loss.backward()
    packed = [torch.nn.utils.rnn.pack_sequence(x).data.tolist() for x in (tokens, gold)]
    return {"cell": cell, "layers": layers, "pooling": pooling, "tag_loss": tags,
            "smoothing": smoothing, "tokens": packed[0], "tags": packed[1],
            "labels": labels.tolist(), "loss": loss.item(),
            "parameters": [{"name": key, "shape": list(value.shape), "value": flat(value),
                            "gradient": flat(value.grad)}
                           for key, value in model.named_parameters()]}


def cross_entropy(classes, smoothing, weighted):
    rows = 5
    logits = rounded(torch.randn(rows, classes) * 3).requires_grad_()
    targets = torch.randint(classes, (rows,))
    targets[3] = -1
    weights = rounded(torch.rand(classes) * 2) if weighted else None
    criterion = torch.nn.CrossEntropyLoss(weights, ignore_index=-1, reduction="sum",
                                          label_smoothing=smoothing)
    loss = criterion(logits, targets)
    loss.backward()
    return {"classes": classes, "smoothing": smoothing,
            "weights": flat(weights) if weighted else [], "logits": flat(logits),
            "targets": targets.tolist(), "loss": loss.item(), "gradient": flat(logits.grad)}


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(8)
    golden = {
        "torch": torch.__version__, "lengths": LENGTHS, "weights": WEIGHTS,
        "cross_entropy": [cross_entropy(classes, smoothing, weighted) for classes in (3, 21)
                          for smoothing in (0.0, 0.1) for weighted in (False, True)],
        "cases": [labeler("LSTM", 1, "LAST", "", 0.0), labeler("LSTM", 2, "", "SOFTMAX", 0.1),
                  labeler("GRU", 1, "MEAN", "CRF", 0.1), labeler("LSTM", 1, "MAX", "SOFTMAX", 0.0),
                  labeler("GRU", 1, "ATTENTION", "CRF", 0.0)]}
    path = pathlib.Path(__file__).with_name("pytorch_labelers.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
