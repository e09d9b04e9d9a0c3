"""Writes the held-out files and trains the tokenizer that both versions share."""

import json
import random
from pathlib import Path

import settings as s
from sentences import NINE, SIX, THREE, held_out, make
from tokenizer import Tokenizer

HERE = Path(__file__).parent
TEXTS_PER_INTENT = 1500


def write_held_out(name, intents, per_intent, seed):
    path = HERE.parent / "heldout" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    lines = [json.dumps({"sentence": example.sentence, "expected": example.action})
             for example in held_out(intents, per_intent, seed)]
    path.write_text("\n".join(lines) + "\n")


def train_tokenizer():
    rng = random.Random(s.TOKENIZER_SEED)
    examples = [make(rng, intent, 0.1) for intent in NINE for _ in range(TEXTS_PER_INTENT)]
    texts = [text for example in examples for text in (example.sentence, example.action)]
    return Tokenizer.train(texts, s.VOCABULARY)


if __name__ == "__main__":
    write_held_out("six", list(SIX), s.HELD_OUT_PER_INTENT_SIX, s.HELD_OUT_SIX_SEED)
    write_held_out("three", list(THREE), s.HELD_OUT_PER_INTENT_THREE, s.HELD_OUT_THREE_SEED)
    (HERE / "build").mkdir(exist_ok=True)
    train_tokenizer().save(HERE / "build" / "tokenizer.json")
