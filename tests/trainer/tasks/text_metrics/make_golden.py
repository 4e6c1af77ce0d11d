#!/usr/bin/env python3
"""Writes golden.json: what the programs that everyone cites say of made-up texts and tags.

    python3 make_golden.py conlleval.pl conlleval.py [--many N] [--output golden.json]

Needs sacrebleu 2 (pip), and the two programs: conlleval.pl of CoNLL-2000 (Tjong Kim Sang) for B, I
and O; conlleval.py (github.com/spyysalo/conlleval.py) for IOBES, which the former does not know
in full.
--many N makes N times as much, for a comparison that is not kept.
"""

import argparse
import importlib.util
import json
import pathlib
import random
import re
import subprocess

import sacrebleu
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

HAND_MADE = [
    ("The cat sat on the mat.", "The cat sat on the mat."),
    ("the the the the the the the", "The cat is on the mat."),
    ("It cost $1,234.56, i.e. 5% more.", "It costs $1,234.56 - i.e. 5.5% more."),
    ("&quot;Hello,&quot; he said &amp; left &lt;b&gt;.", "\"Hello,\" he said & left <b>."),
    ("&amp;quot; &amp;lt;x&amp;gt; &amp;amp;", "&quot; <x> &amp;"),
    ("a <skipped> b<skipped>c", "a b c"),
    ("a bro-\nken line\nand more -\n", "a broken line and more -"),
    ("1990-2000 well-known 3-D x-1 -5 5- --", "1990 - 2000 well-known 3-D x-1 -5 5 - -"),
    ("a.b,c 1.a a.1 1.1 .1 1. ,, .. ...", "a . b , c 1. a a .1 1.1 .1 1 . , , . . . . ."),
    ("Un caf\u00e9 \u00ab cher \u00bb, n'est-ce pas ? \u2026 \u2014 oui", "Un caf\u00e9 cher, n'est-ce pas?"),
    ("\u5faa\u73af\u795e\u7ecf\u7f51\u7edc\u5f88\u64c5\u957f\u3002", "\u5faa\u73af\u7f51\u7edc\u64c5\u957f\u5904\u7406\u5e8f\u5217\u3002"),
    ("\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440 !"),
    ("\u3000wide\u3000space\u00a0no\u2009break\u0085line\u2028end\u3000", "wide space no break line end"),
    ("\U0001F600 smile.\U0001F600", "\U0001F600 smile . \U0001F600"),
    ("e\u0301.e\u0301,\u0301 \u20ac.5 5.\u20ac", "\u00e9 . \u00e9 \u20ac .5 5. \u20ac"),
    ("", "something was to be said"),
    ("something was said", ""),
    ("", ""),
    ("   ", "\t\n"),
    ("a,1 1,a 1,1 ,5 x,5,y 5,,5 5..5 a,.1", "a ,1 1, a 1,1 , 5 x , 5"),
    ("one", "one"),
    ("one two three", "one two three"),
    ("one two three four", "one two three four"),
    ("tab\there\x1fand\x0bthere", "tab here and there"),
    ("under_score [brackets] {braces} (round) `tick` ~ ^ | \\ @ # *", "under score [ brackets ]"),
    ("can't won't 'quoted' it's", "can 't won't ' quoted ' it's"),
]

PIECES = ("the of and to a in is was he for it with his The A cat dog house 1 12 3.14 1,000 1990 - -- . , "
          "! ? ; : ' \" ( ) [ ] { } < > / \\ @ # $ % ^ & * _ + = ~ ` | x-y 5-6 a.b &quot; &amp; &lt; &gt; "
          "<skipped> caf\u00e9 na\u00efve \u00df \u00bfqu\u00e9? \u2014 \u2026 \u3002 \u4f60\u597d \u0434\u0430 \U0001F600 e\u0301").split(" ")
SPACES = [" "] * 12 + ["", "", "  ", "\t", "\u00a0", "\u3000", "\n", "-\n"]


def text(rng, most):
    return "".join(rng.choice(PIECES) + rng.choice(SPACES) for _ in range(rng.randrange(most)))


def changed(rng, truth):
    """Something like a translation of it: some characters and words go, come or move."""
    words = truth.split(" ")
    for _ in range(rng.randrange(4)):
        if words and rng.random() < 0.5:
            del words[rng.randrange(len(words))]
        else:
            words.insert(rng.randrange(len(words) + 1), rng.choice(PIECES))
    return " ".join(words)


def bleu_of(pairs):
    metric = BLEU()
    score = metric.corpus_score([p[0] for p in pairs], [[p[1] for p in pairs]])
    return {"score": score.score, "precisions": score.precisions, "bp": score.bp,
            "length": score.sys_len, "truth_length": score.ref_len,
            "matches": score.counts, "totals": score.totals,
            "signature": str(metric.get_signature())}


def chrf_of(pairs):
    metric = CHRF()
    score = metric.corpus_score([p[0] for p in pairs], [[p[1] for p in pairs]])
    return {"score": score.score, "signature": str(metric.get_signature())}


def corpora(rng, many):
    result = [HAND_MADE] + [[pair] for pair in HAND_MADE]
    for size in [1, 2, 3, 10, 20] * many:
        truths = [text(rng, rng.choice([3, 8, 25])) for _ in range(size)]
        result.append([(changed(rng, truth), truth) for truth in truths])
    tokenizer = Tokenizer13a()
    return [{"pairs": pairs, "tokens": [[tokenizer(side.rstrip()) for side in p] for p in pairs],
             "bleu": bleu_of(pairs), "chrf": chrf_of(pairs)} for pairs in result]


def sentences(rng, prefixes, types, count, length):
    """Truth and what was found: half right, the rest any tag in any order."""
    tags = ["O"] + [f"{p}-{t}" if t else p for p in prefixes for t in types]
    result = []
    for _ in range(count):
        truth = [rng.choice(tags) for _ in range(rng.randint(1, length))]
        for i in range(1, len(truth)):  # longer spans than chance gives
            if truth[i - 1] != "O" and rng.random() < 0.5:
                truth[i] = "I" + truth[i - 1][1:]
        found = [t if rng.random() < 0.6 else rng.choice(tags) for t in truth]
        result.append([truth, found])
    return tags, result


def lines_of(tagged):
    return "".join("".join(f"w {t} {f}\n" for t, f in zip(*one)) + "\n" for one in tagged)


def percent(part, whole):
    return round(100 * part / whole, 2) if whole else 0.0


def scores_of(correct, truth, found):
    precision, recall = correct / max(found, 1), correct / max(truth, 1)
    f1 = 2 * precision * recall / (precision + recall) if correct else 0
    return {"precision": percent(precision, 1), "recall": percent(recall, 1), "f1": percent(f1, 1)}


def conlleval_py(path, tagged):
    """Its counts; its report is for Python 2."""
    spec = importlib.util.spec_from_file_location("conlleval", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    c = module.evaluate(lines_of(tagged).splitlines(), module.parse_args([]))
    return {"tokens": c.token_counter, "truth": c.found_correct, "found": c.found_guessed,
            "correct": c.correct_chunk, "accuracy": percent(c.correct_tags, c.token_counter),
            **scores_of(c.correct_chunk, c.found_correct, c.found_guessed),
            "rows": [{"type": t, "found": c.t_found_guessed[t],
                      **scores_of(c.t_correct_chunk[t], c.t_found_correct[t], c.t_found_guessed[t])}
                     for t in sorted({*c.t_found_correct, *c.t_found_guessed})]}


def conlleval_pl(path, tagged):
    out = subprocess.run(["perl", path], input=lines_of(tagged), capture_output=True, text=True,
                         check=True).stdout
    head = re.search(r"processed (\d+) tokens with (\d+) phrases; found: (\d+) phrases; correct: (\d+)", out)
    total = re.search(r"accuracy:\s+([\d.]+)%;.*?precision:\s+([\d.]+)%; recall:\s+([\d.]+)%; FB1:\s+([\d.]+)", out)
    rows = re.findall(r"^\s*(\S+): .*?precision:\s+([\d.]+)%; recall:\s+([\d.]+)%; FB1:\s+([\d.]+)\s+(\d+)",
                      out, re.M)
    return {"tokens": int(head[1]), "truth": int(head[2]), "found": int(head[3]), "correct": int(head[4]),
            "accuracy": float(total[1]), "precision": float(total[2]), "recall": float(total[3]),
            "f1": float(total[4]),
            "rows": [{"type": r[0], "precision": float(r[1]), "recall": float(r[2]), "f1": float(r[3]),
                      "found": int(r[4])} for r in rows if r[0] != "accuracy"]}


def spans(rng, arguments, many):
    result = []
    for scheme, prefixes, types in [("BIO", "BI", ["PER", "LOC", "x-y"]), ("BIO", "I", ["PER", "LOC"]),
                                    ("BIO", "BI", [""]), ("IOBES", "BIES", ["PER", "LOC"])]:
        for count, length in [(1, 4), (6, 12)] * many:
            tags, tagged = sentences(rng, prefixes, types, count, length)
            scores = conlleval_py(arguments.python, tagged)
            if scheme == "BIO":
                of_perl = conlleval_pl(arguments.perl, tagged)
                assert scores["correct"] == of_perl["correct"], "the two programs agree on BIO"
                scores = of_perl
            result.append({"scheme": scheme, "tags": tags, "sentences": tagged, "scores": scores})
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("perl")
    parser.add_argument("python")
    parser.add_argument("--many", type=int, default=1)
    parser.add_argument("--output", default=pathlib.Path(__file__).with_name("golden.json"))
    arguments = parser.parse_args()
    rng = random.Random(8)
    golden = {"made_with": f"sacrebleu {sacrebleu.__version__}, conlleval.pl, conlleval.py",
              "corpora": corpora(rng, arguments.many), "spans": spans(rng, arguments, arguments.many)}
    pathlib.Path(arguments.output).write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
