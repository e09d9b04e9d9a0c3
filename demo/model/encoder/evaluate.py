"""Measures the encoder on the held-out sentences beside a bag of words, and compares the engine with NumPy.

Everything here runs on the GGUF files; nothing of the training is used. A figure that is not
good enough ends it with an error.

Usage: python3 -m encoder.evaluate, in the folder above.
"""

import json
import subprocess
import sys
from collections import Counter

import numpy as np

from canaries import CANARIES
from encoder.export import DELIVERED, UNROUNDED
from encoder.reference import Encoder
from encoder.wordpiece import words_of
from evaluate import DEMO, held_out

DEV = DEMO.parent / "dev"
TEXTS_FOR_THE_ENGINE = 12
# Products of the engine are sums of 32-bit floats.
ALLOWED_DIFFERENCE = 1e-5
LEAST_INTENT = 98.0


def intent_of(action):
    return json.loads(action)["intent"]


def bag_of_words(texts):
    """Counts of words, rare words counting more; vectors of length one."""
    bags = [Counter(words_of(text)) for text in texts]
    found_in = Counter(word for bag in bags for word in bag)
    column = {word: at for at, word in enumerate(sorted(found_in))}
    out = np.zeros((len(texts), len(column)))
    for row, bag in zip(out, bags):
        for word, count in bag.items():
            row[column[word]] = count * np.log(len(texts) / found_in[word])
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def share(hits):
    return 100 * float(np.mean(hits))


def figures(vectors, actions, examples):
    """`vectors` are those of held-out sentences, and behind them of the hand-written examples."""
    measured = len(actions)
    intents = np.array([intent_of(action) for action in actions + examples])
    actions = np.array(actions)
    near = vectors @ vectors.T
    among, written = near[:measured, :measured].copy(), near[:measured, measured:]
    np.fill_diagonal(among, -np.inf)
    nearest = among.argmax(1)
    alike = actions[:, None] == actions[None, :]
    np.fill_diagonal(alike, False)
    paired = alike.any(1)
    other = intents[:measured, None] != intents[None, :measured]
    between = ~(alike | other | np.eye(measured, dtype=bool))
    return {
        "intent of the nearest": share(intents[nearest] == intents[:measured]),
        "intent of the nearest example": share(
            intents[measured:][written.argmax(1)] == intents[:measured]),
        "action of the nearest": share(actions[nearest][paired] == actions[paired]),
        "cosine of the same action": float(among[alike].mean()),
        "of another action of the intent": float(among[between].mean()),
        "of other intents": float(among[other].mean()),
        "sentences": measured,
        "with a partner": int(paired.sum()),
    }


def engine_vectors(texts):
    """What `holdfast model embed` gives."""
    made = []
    for text in texts:
        done = subprocess.run([DEV, "holdfast", "model", "embed", DELIVERED, "--text", text, "--json"],
                              check=True, capture_output=True, text=True)
        made.append(json.loads(done.stdout)["embedding"])
    return np.array(made)


def main():
    items = held_out("six") + held_out("three")
    texts = [item["sentence"] for item in items]
    actions = [item["expected"] for item in items]
    examples = [action for _, action in CANARIES]
    both = texts + [sentence for sentence, _ in CANARIES]
    delivered = Encoder(DELIVERED)
    shown = {
        "Q8_0": figures(delivered.embed(both), actions, examples),
        "F32": figures(Encoder(UNROUNDED).embed(both), actions, examples),
        "bag of words": figures(bag_of_words(both), actions, examples),
    }
    for kind, values in shown.items():
        print(f"{kind}: " + ", ".join(f"{name} {value:.2f}" if isinstance(value, float)
                                      else f"{name} {value}" for name, value in values.items()))
    some = texts[::len(texts) // TEXTS_FOR_THE_ENGINE][:TEXTS_FOR_THE_ENGINE]
    difference = np.abs(engine_vectors(some) - delivered.embed(some)).max()
    print(f"largest difference between the engine and NumPy over {len(some)} texts: {difference:.1e}")
    good = difference <= ALLOWED_DIFFERENCE and all(
        shown["Q8_0"][name] >= LEAST_INTENT
        for name in ("intent of the nearest", "intent of the nearest example"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
