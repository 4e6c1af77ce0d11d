#!/usr/bin/env python3
"""Writes subword_nmt.json: what subword-nmt 0.3.8 learns from a text and makes of it.

    python3 make_subword_nmt.py      (pip install subword-nmt)

The words have few letters, so that ties, overlapping pairs and symbols that come to be in two ways
abound; some letters are beyond ASCII, or mean something in regular expressions.
"""
import io
import json
import pathlib
import random

from subword_nmt.apply_bpe import BPE
from subword_nmt.learn_bpe import learn_bpe

random.seed(8)


def words(letters, count, longest):
    return ["".join(random.choice(letters) for _ in range(random.randint(1, longest))) for _ in range(count)]


vocabulary = words("ab", 120, 12) + words("abc", 220, 9) + words("é中😀\\.*@<", 60, 6) + ["@@", "x</w>", "a@@"]
lines = [" ".join(random.choice(vocabulary) for _ in range(random.randint(1, 9))) for _ in range(420)]
unseen = [" ".join(words("abcdé中@", 6, 14)) for _ in range(12)]

codes = io.StringIO()
learn_bpe(io.StringIO("\n".join(lines) + "\n"), codes, 1000)
bpe = BPE(io.StringIO(codes.getvalue()))
few = BPE(io.StringIO(codes.getvalue()), merges=40)
result = {
    "lines": lines + unseen,
    "learnt_from": len(lines),
    "codes": codes.getvalue(),
    "segmented": [bpe.segment(line) for line in lines + unseen],
    "segmented_by_40": [few.segment(line) for line in lines + unseen],
}
path = pathlib.Path(__file__).with_name("subword_nmt.json")
path.write_text(json.dumps(result, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
