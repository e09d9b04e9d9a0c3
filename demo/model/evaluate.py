"""Measures both versions on the held-out files and writes the canaries and greedy outputs.

Everything here runs on the GGUF files with NumPy; nothing of the training is used.
"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from canaries import CANARIES
from export import BUILD, VERSIONS
from reference import Model
from tokenizer import EOS, Tokenizer

DEMO = Path(__file__).parent.parent
GREEDY_SENTENCES = 10
SAFE_MARGIN = 1.0
CANARIES_PER_INTENT = 2


def held_out(name):
    lines = (DEMO / "heldout" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def tokenizer_of(model):
    """The tokenizer as the model file states it."""
    pieces, scores = (model.metadata["tokenizer.ggml." + key] for key in ("tokens", "scores"))
    return Tokenizer([piece for piece, score in zip(pieces, scores) if score < 0])


def answers(model, tokenizer, sentences):
    """For every sentence its prompt ids, the greedy output ids, the text and the margin."""
    groups = defaultdict(list)
    for at, sentence in enumerate(sentences):
        prompt = tokenizer.prompt(sentence)
        groups[len(prompt)].append((at, prompt))
    out = [None] * len(sentences)
    for group in groups.values():
        outputs, margins = model.greedy([prompt for _, prompt in group], EOS)
        for (at, prompt), ids, margin in zip(group, outputs, margins):
            out[at] = (prompt, ids, tokenizer.decode(ids), margin)
    return out


def score(model, tokenizer, items):
    """Exact matches, in percent: all, kept-out combinations, ordinary ones; and the misses."""
    given = answers(model, tokenizer, [item["sentence"] for item in items])
    right = np.array([text == item["expected"] for item, (_, _, text, _) in zip(items, given)])
    half = len(items) // 2
    misses = [(item, answer[2]) for item, answer, good in zip(items, given, right) if not good]
    return [100 * part.mean() for part in (right, right[:half], right[half:])], misses


def write_canaries(version, model, tokenizer):
    """Keeps, per known intent, canaries that the model answers exactly and without doubt."""
    safe = defaultdict(list)
    given = answers(model, tokenizer, [sentence for sentence, _ in CANARIES])
    for (sentence, action), (_, _, text, margin) in zip(CANARIES, given):
        if text == action and margin > SAFE_MARGIN:
            safe[json.loads(action)["intent"]].append({"prompt": sentence, "expect": action})
    chosen = [canary for canaries in safe.values() for canary in canaries[:CANARIES_PER_INTENT]]
    (DEMO / f"canaries-{version}.json").write_text(json.dumps(chosen, indent=1) + "\n")
    print(f"{version}: {len(chosen)} canaries")


def greedy_record(path, sentences):
    """Greedy outputs in double precision, to compare other engines with."""
    model = Model(path, np.float64)
    tokenizer = tokenizer_of(model)
    return [{"sentence": sentence, "prompt_ids": prompt, "output_ids": ids, "text": text,
             "min_margin": round(margin, 6)}
            for sentence, (prompt, ids, text, margin)
            in zip(sentences, answers(model, tokenizer, sentences))]


def print_scores(version, kind, model, tokenizer, six, three):
    """One line per held-out file and one for both together."""
    misses = 0
    for name, items in (("six", six), ("three", three)):
        shares, missed = score(model, tokenizer, items)
        misses += len(missed)
        print(f"{version} {kind} {name}: {shares[0]:.2f} % (kept-out combinations "
              f"{shares[1]:.2f} %, ordinary {shares[2]:.2f} %)")
    total = len(six) + len(three)
    print(f"{version} {kind} nine: {100 * (total - misses) / total:.2f} %")


def print_difference(first, second):
    """Which stored tensors the two versions do not share."""
    changed = [name for name in first if first[name] != second[name]]
    print(f"{len(changed)} of {len(first)} tensors differ, "
          f"{sum(len(first[name]) for name in changed)} of "
          f"{sum(map(len, first.values()))} bytes: {' '.join(changed)}")


def main():
    six, three = held_out("six"), held_out("three")
    chosen = [item["sentence"] for item in six[55::110] + three[20::90]][:GREEDY_SENTENCES]
    record, stored = {}, []
    for version in VERSIONS:
        path = DEMO / f"intent-{version}.gguf"
        model = Model(path)
        tokenizer = tokenizer_of(model)
        print_scores(version, "Q8_0", model, tokenizer, six, three)
        unrounded = Model(BUILD / f"intent-{version}-f32.gguf")
        print_scores(version, "F32", unrounded, tokenizer, six, three)
        write_canaries(version, model, tokenizer)
        record[version] = greedy_record(path, chosen)
        stored.append(model.stored)
    (DEMO / "greedy.json").write_text(json.dumps(record, indent=1) + "\n")
    print_difference(*stored)


if __name__ == "__main__":
    main()
