"""Learns the pieces, then trains the encoder from nothing: sentences of one action lie together.

Usage: python3 -m encoder.train, in the folder above.
"""

import random
import time
from collections import defaultdict
from pathlib import Path

import torch

from encoder import settings as s
from encoder.network import Network
from encoder.wordpiece import PAD, WordPiece
from sentences import NINE, make, training
from train import forbidden_sentences

BUILD = Path(__file__).parent.parent / "build"
TEXTS_PER_INTENT = 1500


def train_pieces():
    rng = random.Random(s.TOKENIZER_SEED)
    examples = [make(rng, intent, 0.1) for intent in NINE for _ in range(TEXTS_PER_INTENT)]
    return WordPiece.train([example.sentence for example in examples], s.VOCABULARY)


def pairs():
    """Pairs of different sentences that mean the same action, evenly over intents and actions."""
    rng = random.Random(s.ORDER_SEED)
    by_intent = {intent: defaultdict(list) for intent in NINE}
    for example in training(list(NINE), s.SENTENCES, s.PAIRS_SEED, forbidden_sentences()):
        by_intent[example.intent][example.action].append(example)
    alike = [[examples for examples in actions.values() if len(examples) > 1]
             for actions in by_intent.values()]
    made = [rng.sample(rng.choice(alike[at % len(alike)]), 2) for at in range(s.PAIRS)]
    rng.shuffle(made)
    return made


def batches(tokenizer, made):
    """Batches of about equally long sentences: ids filled up with PAD, and the sentences."""
    rng = random.Random(s.WEIGHTS_SEED)
    rows = [(tokenizer.encode(e.sentence), tokenizer.encode(f.sentence), e, f) for e, f in made]
    window = s.BATCH * 40
    for start in range(0, len(rows), window):
        near = sorted(rows[start:start + window], key=lambda row: max(map(len, row[:2])))
        groups = [near[at:at + s.BATCH] for at in range(0, len(near), s.BATCH)]
        rng.shuffle(groups)
        for group in groups:
            texts = [ids for row in group for ids in row[:2]]
            width = max(map(len, texts))
            ids = torch.tensor([ids + [PAD] * (width - len(ids)) for ids in texts])
            yield ids, [example for row in group for example in row[2:]]


def numbers(labels):
    """Equal numbers for equal labels."""
    known = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return torch.tensor([known[label] for label in labels])


def contrast(vectors, labels, temperature):
    """How unlikely those with the same label are among all others, by nearness."""
    same = labels[:, None] == labels[None, :]
    own = torch.eye(len(labels), dtype=torch.bool)
    scores = (vectors @ vectors.t() / temperature).masked_fill(own, float("-inf"))
    logs = scores.log_softmax(1).masked_fill(own | ~same, 0)
    return (-logs.sum(1) / (same & ~own).sum(1)).mean()


def train(tokenizer):
    torch.manual_seed(s.WEIGHTS_SEED)
    torch.set_num_threads(1)
    network = Network()
    examples = pairs()
    total = -(-len(examples) // s.BATCH)
    weights = list(network.parameters())
    optimiser = torch.optim.AdamW(weights, lr=s.RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, s.RATE, total_steps=total + 1, pct_start=0.1, cycle_momentum=False)
    began, running = time.time(), 0.0
    for done, (ids, batch) in enumerate(batches(tokenizer, examples), 1):
        vectors = network(ids)
        loss = (contrast(vectors, numbers([e.action for e in batch]), s.ACTION_TEMPERATURE)
                + s.INTENT_WEIGHT
                * contrast(vectors, numbers([e.intent for e in batch]), s.INTENT_TEMPERATURE))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        running += loss.item()
        if done % 50 == 0:
            print(f"step {done}/{total} loss {running / 50:.4f} {time.time() - began:.0f} s",
                  flush=True)
            running = 0.0
    return network


if __name__ == "__main__":
    BUILD.mkdir(exist_ok=True)
    learnt = train_pieces()
    learnt.save(BUILD / "wordpiece.json")
    torch.save(train(learnt).state_dict(), BUILD / "encoder.pt")
