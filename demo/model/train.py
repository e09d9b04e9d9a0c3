"""Trains version 1 from nothing on six intents, or fine-tunes it to version 2 on nine.

Usage: train.py base | train.py finetune
"""

import json
import random
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

import settings as s
from canaries import CANARIES
from network import Network
from sentences import SIX, normalised, training
from tokenizer import EOS, Tokenizer

HERE = Path(__file__).parent
BUILD = HERE / "build"
IGNORED = -100


def forbidden_sentences():
    """Everything that is used for measuring or as a canary."""
    lines = [line for name in ("six", "three")
             for line in (HERE.parent / "heldout" / f"{name}.jsonl").read_text().splitlines()]
    measured = {normalised(json.loads(line)["sentence"]) for line in lines}
    return measured | {normalised(sentence) for sentence, _ in CANARIES}


def encode(tokenizer, examples):
    """Pairs of ids and the length of the prompt in them."""
    encoded = []
    for example in examples:
        prompt = tokenizer.prompt(example.sentence)
        encoded.append((prompt + tokenizer.encode(example.action) + [EOS], len(prompt)))
    return encoded


def batches(encoded, rng):
    """Shuffled batches of about equally long rows."""
    rng.shuffle(encoded)
    window = s.BATCH * 40
    for start in range(0, len(encoded), window):
        near = sorted(encoded[start:start + window], key=lambda row: len(row[0]))
        groups = [near[at:at + s.BATCH] for at in range(0, len(near), s.BATCH)]
        rng.shuffle(groups)
        for group in groups:
            width = max(len(ids) for ids, _ in group)
            ids = torch.tensor([ids + [EOS] * (width - len(ids)) for ids, _ in group])
            target = torch.full((len(group), width), IGNORED)
            for row, (tokens, begun) in enumerate(group):
                target[row, begun - 1:len(tokens) - 1] = torch.tensor(tokens[begun:])
            yield ids, target


def fit(network, weights, encoded, rate, seed):
    """One pass over the examples: AdamW with a warm-up and a cosine back down."""
    rng = random.Random(seed)
    total = -(-len(encoded) // s.BATCH)
    optimiser = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=total + 1, pct_start=0.06, div_factor=25,
        final_div_factor=4, cycle_momentum=False)
    began, running = time.time(), 0.0
    for done, (ids, target) in enumerate(batches(encoded, rng), 1):
        wanted = target != IGNORED
        loss = F.cross_entropy(network(ids, wanted), target[wanted])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        running += loss.item()
        if done % 100 == 0:
            print(f"step {done}/{total} loss {running / 100:.4f} "
                  f"{time.time() - began:.0f} s", flush=True)
            running = 0.0


def train_base(tokenizer):
    torch.manual_seed(s.WEIGHTS_SEED)
    network = Network()
    examples = training(list(SIX), s.TRAIN_SIX, s.TRAIN_SIX_SEED, forbidden_sentences())
    fit(network, list(network.parameters()), encode(tokenizer, examples), s.BASE_RATE,
        s.WEIGHTS_SEED)
    torch.save(network.state_dict(), BUILD / "base.pt")


def fine_tune(tokenizer):
    """Learns the new intents in the chosen matrices, with examples of the old ones replayed."""
    network = Network()
    network.load_state_dict(torch.load(BUILD / "base.pt"))
    for name, weight in network.named_parameters():
        weight.requires_grad = weight.dim() == 2 and name.startswith(s.FINE_TUNE_PARTS)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    forbidden = forbidden_sentences()
    for run in s.FINE_TUNE_PASSES:
        examples = (training(run.new_intents, run.new, run.new_seed, forbidden)
                    + training(list(SIX), run.old, run.old_seed, forbidden))
        fit(network, weights, encode(tokenizer, examples), s.FINE_TUNE_RATE, run.order_seed)
    torch.save(network.state_dict(), BUILD / "finetuned.pt")


if __name__ == "__main__":
    shared = Tokenizer.load(BUILD / "tokenizer.json")
    {"base": train_base, "finetune": fine_tune}[sys.argv[1]](shared)
