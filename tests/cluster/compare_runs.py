"""Fails unless two runs ended alike: compare_runs.py RUN_FOLDER RUN_FOLDER

Their last checkpoints hold the same arrays, groups and attributes, bit for bit, and their
metrics.jsonl the same steps with the same numbers; only the speed may differ.
"""

import json
import pathlib
import sys

import h5py
import numpy


def checkpoint(folder):
    """{path: bits} of every array and every attribute of the last checkpoint."""
    path = sorted(pathlib.Path(folder, "checkpoints").glob("step-*.h5"))[-1]
    contents = {"(name)": path.name}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            value = numpy.asarray(item[()])
            if value.dtype.hasobject:  # strings
                value = numpy.asarray(value.tolist())
            contents[name] = (str(item.dtype), item.shape, value.tobytes())
        for key, value in item.attrs.items():
            contents[f"{name}@{key}"] = numpy.asarray(value).tobytes()

    with h5py.File(path, "r") as file:
        add("", file)
        file.visititems(add)
    return contents


def metrics(folder):
    lines = pathlib.Path(folder, "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def without_speed(values):
    return {key: value for key, value in values.items() if not key.endswith("tokens_per_second")}


def main():
    first, second = sys.argv[1:]
    a, b = without_speed(checkpoint(first)), without_speed(checkpoint(second))
    arrays = [value for value in a.values() if isinstance(value, tuple)]
    assert len(arrays) >= 10, f"only {len(arrays)} arrays in {a['(name)']}"
    differing = sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))
    assert not differing, f"the last checkpoints differ in {differing}"
    lines = [list(map(without_speed, metrics(folder))) for folder in (first, second)]
    steps = [line["step"] for line in lines[0]]
    assert steps == list(range(1, len(steps) + 1)), "metrics.jsonl misses steps"
    assert len(lines[0]) == len(lines[1]), f"{len(lines[0])} and {len(lines[1])} steps"
    for one, other in zip(*lines):
        assert one == other, f"{one}\n{other}"
    print(f"{second}: like {first} bit for bit: {a['(name)']}, {len(arrays)} arrays, "
          f"{sum(len(array[2]) for array in arrays)} bytes, {len(steps)} steps")


main()
