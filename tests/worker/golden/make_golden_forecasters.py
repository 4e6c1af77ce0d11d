#!/usr/bin/env python3
"""Writes pytorch_forecasters.json: losses and gradients of forecasters in PyTorch, for the tests.

Run with any PyTorch: python3 make_golden_forecasters.py. The tests need none. Everything is
float64, rounded to 9 digits, which name a float32; history and targets are [T, B, C].
"""

import json
import pathlib

import torch

ITEMS, CHANNELS, HISTORY, HORIZON, SEGMENT, HIDDEN = 2, 3, 6, 4, 2, 4
D = torch.distributions


def flat(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def rounded(tensor):
    """What a float32 of 9 digits can hold."""
    return tensor.float().double()


def data(counts):
    history = torch.randn(HISTORY, ITEMS, CHANNELS) * 2 + 1
    targets = torch.randn(HORIZON, ITEMS, CHANNELS) * 2 + 1
    if counts:
        history, targets = (torch.poisson(x.abs() * 2) for x in (history, targets))
    return rounded(history), rounded(targets)


class Segments(torch.nn.Module):
    """SegRNN: Lin et al. 2023, with the last value subtracted."""

    def __init__(self):
        super().__init__()
        self.input = torch.nn.Linear(SEGMENT, HIDDEN)
        self.rnn = torch.nn.GRU(HIDDEN, HIDDEN)
        self.position = torch.nn.Embedding(HORIZON // SEGMENT, HIDDEN // 2)
        self.channel = torch.nn.Embedding(CHANNELS, HIDDEN // 2)
        self.projection = torch.nn.Linear(HIDDEN, SEGMENT)

    def forward(self, history, targets):
        last = history[-1:]
        rows = (history - last).flatten(1).t().reshape(ITEMS * CHANNELS, -1, SEGMENT)
        _, state = self.rnn(torch.relu(self.input(rows)).transpose(0, 1))
        outputs = []
        for segment in range(HORIZON // SEGMENT):
            position = self.position.weight[segment].expand(ITEMS * CHANNELS, -1)
            channel = self.channel.weight.repeat(ITEMS, 1)
            _, decoded = self.rnn(torch.cat([position, channel], 1).unsqueeze(0), state)
            outputs.append(self.projection(decoded[0]).t())
        forecast = torch.cat(outputs).view(HORIZON, ITEMS, CHANNELS) + last
        return torch.nn.functional.mse_loss(forecast, targets, reduction="sum")


class Direct(torch.nn.Module):
    """The last state gives quantiles of all steps; windows by their mean and deviation."""

    levels = [0.1, 0.5, 0.9]

    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.LSTM(1, HIDDEN, 2)
        self.projection = torch.nn.Linear(HIDDEN, len(self.levels) * HORIZON)

    def forward(self, history, targets):
        mean = history.mean(0)
        deviation = torch.sqrt(history.var(0, unbiased=False) + 1e-5)
        rows = ((history - mean) / deviation).flatten(1).unsqueeze(-1)
        _, (state, _) = self.rnn(rows)
        raw = self.projection(state[-1]).view(ITEMS, CHANNELS, len(self.levels), HORIZON)
        forecast = raw.permute(2, 3, 0, 1) * deviation + mean
        error = targets - forecast
        level = torch.tensor(self.levels).view(-1, 1, 1, 1)
        return torch.maximum(level * error, (level - 1) * error).sum()


class Autoregressive(torch.nn.Module):
    """DeepAR: Salinas et al. 2017, teacher forcing, likelihood of the horizon."""

    outputs = {"GAUSSIAN": 2, "STUDENT_T": 3, "NEGATIVE_BINOMIAL": 2}

    def __init__(self, loss):
        super().__init__()
        self.loss = loss
        self.channel = torch.nn.Embedding(CHANNELS, 2)
        self.rnn = torch.nn.LSTM(1 + 2, HIDDEN)
        self.projection = torch.nn.Linear(HIDDEN, self.outputs[loss])

    def distribution(self, raw, centre, scale):
        softplus = lambda x: torch.nn.functional.softplus(x) + 1e-4
        if self.loss == "GAUSSIAN":
            return D.Normal(centre + scale * raw[0], scale * softplus(raw[1]))
        if self.loss == "STUDENT_T":
            return D.StudentT(2 + torch.nn.functional.softplus(raw[2]), centre + scale * raw[0],
                              scale * softplus(raw[1]))
        mean, alpha = scale * softplus(raw[0]), softplus(raw[1]) / torch.sqrt(scale)
        return D.NegativeBinomial(total_count=1 / alpha, probs=alpha * mean / (1 + alpha * mean))

    def forward(self, history, targets):
        centre, scale = history.mean(0), torch.ones(ITEMS, CHANNELS)
        if self.loss == "NEGATIVE_BINOMIAL":
            centre, scale = torch.zeros(ITEMS, CHANNELS), 1 + centre
        values = (torch.cat([history, targets[:-1]]) - centre) / scale
        channel = self.channel.weight.expand(len(values), ITEMS, -1, -1).flatten(1, 2)
        outputs, _ = self.rnn(torch.cat([values.flatten(1).unsqueeze(-1), channel], 2))
        raw = self.projection(outputs[HISTORY - 1:]).view(HORIZON, ITEMS, CHANNELS, -1)
        likelihood = self.distribution(raw.unbind(-1), centre, scale).log_prob(targets)
        return -likelihood.sum()


def case(name, model, loss):
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(rounded(value))
    history, targets = data(loss == "NEGATIVE_BINOMIAL")
    total = model(history, targets)
    total.backward()
    return {
        "decoding": name,
        "loss_name": loss,
        "history": flat(history),
        "targets": flat(targets),
        "loss": total.item(),
        "parameters": [{"name": key, "value": flat(value), "gradient": flat(value.grad)}
                       for key, value in model.named_parameters()],
    }


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(8)
    cases = [case("SEGMENTS", Segments(), "MSE"), case("DIRECT", Direct(), "QUANTILES")]
    cases += [case("AUTOREGRESSIVE", Autoregressive(loss), loss)
              for loss in Autoregressive.outputs]
    path = pathlib.Path(__file__).with_name("pytorch_forecasters.json")
    golden = {"torch": torch.__version__, "cases": cases}
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
