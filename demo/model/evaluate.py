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
from sentences import SIX
from tokenizer import EOS, Tokenizer

DEMO = Path(__file__).parent.parent
GREEDY_SENTENCES = 10
SAFE_MARGIN = 1.0
MOST_CANARIES = 18


def held_out(name):
    lines = (DEMO / "heldout" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def tokenizer_of(model):
    """The tokenizer as the model file states it."""
    pieces, types = (model.metadata["tokenizer.ggml." + key] for key in ("tokens", "token_type"))
    scores = model.metadata["tokenizer.ggml.scores"]
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
    misses = [(item, text) for item, (_, _, text, _), good in zip(items, given, right) if not good]
    return [100 * part.mean() for part in (right, right[:half], right[half:])], misses


def write_canaries(version, model, tokenizer):
    """Keeps the canaries that the model answers exactly and far from any doubt."""
    known = [(sentence, action) for sentence, action in CANARIES
             if version != "1.0.0" or json.loads(action)["intent"] in SIX]
    given = answers(model, tokenizer, [sentence for sentence, _ in known])
    safe = [{"prompt": sentence, "expect": action}
            for (sentence, action), (_, _, text, margin) in zip(known, given)
            if text == action and margin > SAFE_MARGIN]
    path = DEMO / f"canaries-{version}.json"
    path.write_text(json.dumps(safe[-MOST_CANARIES:], indent=1) + "\n")
    print(f"{version}: {len(safe)} of {len(known)} canaries are answered exactly and safely")


def greedy_record(path, sentences):
    """Greedy outputs in double precision, to compare other engines with."""
    model = Model(path, np.float64)
    tokenizer = tokenizer_of(model)
    return [{"sentence": sentence, "prompt_ids": prompt, "output_ids": ids, "text": text,
             "min_margin": round(margin, 6)}
            for sentence, (prompt, ids, text, margin)
            in zip(sentences, answers(model, tokenizer, sentences))]


def main():
    six, three = held_out("six"), held_out("three")
    step = len(six) // 6
    chosen = [item["sentence"] for item in six[step // 2::step] + three[20::90]]
    record, models = {}, {}
    for version in VERSIONS:
        path = DEMO / f"intent-{version}.gguf"
        if not path.exists():
            continue
        model = models[version] = Model(path)
        tokenizer = tokenizer_of(model)
        for kind, measured in (("Q8_0", model),
                               ("F32", Model(BUILD / f"intent-{version}-f32.gguf"))):
            for name, items in (("six", six), ("three", three), ("nine", six + three)):
                if name == "nine":
                    share = [100 - 100 * len(misses) / len(items)]
                else:
                    share, missed = score(measured, tokenizer, items)
                    misses = missed if name == "six" else misses + missed
                print(f"{version} {kind} {name}: " + " ".join(f"{part:.2f} %" for part in share))
        write_canaries(version, model, tokenizer)
        record[version] = greedy_record(path, chosen[:GREEDY_SENTENCES])
    (DEMO / "greedy.json").write_text(json.dumps(record, indent=1) + "\n")
    if len(models) == 2:
        first, second = (model.stored for model in models.values())
        changed = [name for name in first if first[name] != second[name]]
        print(f"{len(changed)} of {len(first)} tensors differ, "
              f"{sum(len(first[name]) for name in changed)} of "
              f"{sum(map(len, first.values()))} bytes: {' '.join(changed)}")


if __name__ == "__main__":
    main()
