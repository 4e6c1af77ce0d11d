"""What the partners of labeler_bench and translation_bench have in common."""

import os
import statistics
import subprocess
import time

import torch


def add_arguments(parser, numbers, flags, dropout):
    """numbers: (name, default) of whole numbers beside --threads."""
    for name, value in (*numbers, ("threads", os.cpu_count())):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--dropout", type=float, default=dropout)
    for name in flags:
        parser.add_argument("--" + name, action="store_true")
    parser.add_argument("--beside", metavar="BENCH", help="run it in turns with this")
    parser.add_argument("--rounds", type=int, default=5, help="turns of both")


def prepare(o):
    torch.manual_seed(1)
    torch.set_num_threads(o.threads)
    torch.set_flush_denormal(True)


class Numbers:
    """As in tests/bench/model_steps.h."""

    state = 1

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 33

    def fraction(self):
        return self.next() / 2147483648.0


def measure(model, optimizer, batches, rows_of):
    rates = []
    for turn, batch in enumerate(batches):
        start = time.perf_counter()
        loss = model(*batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if turn >= 2:
            rates.append(rows_of(batch) / (time.perf_counter() - start))
    return statistics.median(rates)


def measure_beside(o):
    command = [o.beside, "--line"]
    for key, value in vars(o).items():
        if key in ("beside", "rounds") or value is False:
            continue
        command += ["--" + key.replace("_", "-")] + ([] if value is True else [str(value)])
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run(o, model, batches, rows_of, unit):
    """batches() yields those of a round; rows_of(batch) is how many `unit` it has."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    ours, theirs = [], []
    for _ in range(o.rounds if o.beside else 1):
        if o.beside:
            ours.append(measure_beside(o))
        theirs.append(measure(model, optimizer, batches(), rows_of))
    print(f"PyTorch {torch.__version__}, {o.threads} threads, "
          f"{sum(p.numel() for p in model.parameters())} parameters: median of {len(theirs)} x "
          f"{o.turns} steps {statistics.median(theirs):.0f} {unit}/s")
    if o.beside:
        ratios = [a / b for a, b in zip(ours, theirs)]
        print(f"{o.beside}: {statistics.median(ours):.0f} {unit}/s, "
              f"{statistics.median(ratios):.2f} times as many ({min(ratios):.2f} to "
              f"{max(ratios):.2f})")
