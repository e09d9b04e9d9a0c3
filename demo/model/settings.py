"""The dimensions, seeds and sizes of one reproducible run."""

from typing import NamedTuple

VOCABULARY = 640
EMBEDDING = 128
LAYERS = 5
HEADS = 4
KV_HEADS = 2
HEAD_SIZE = 32
FEED_FORWARD = 384
EPSILON = 1e-5
ROPE_BASE = 10000.0
CONTEXT = 512

TOKENIZER_SEED = 101
HELD_OUT_SIX_SEED = 202
HELD_OUT_THREE_SEED = 203
TRAIN_SIX_SEED = 301
WEIGHTS_SEED = 401

HELD_OUT_PER_INTENT_SIX = 110
HELD_OUT_PER_INTENT_THREE = 110
TRAIN_SIX = 160_000
BATCH = 64
BASE_RATE = 3e-3
FINE_TUNE_RATE = 2e-3
# The fine-tune changes the matrices whose names begin like this and nothing else.
FINE_TUNE_PARTS = ("token_embd.", "blk.2.", "blk.3.", "blk.4.")


class Pass(NamedTuple):
    """One pass of the fine-tune: the new sentences and the replayed old ones."""
    new_intents: tuple
    new: int
    new_seed: int
    old: int
    old_seed: int
    order_seed: int


# Times and days of watering are the hardest to learn, so they get more room the second time.
FINE_TUNE_PASSES = (
    Pass(("vacuum_start", "set_irrigation", "blinds_position"),
         new=60_000, new_seed=302, old=60_000, old_seed=303, order_seed=402),
    Pass(("vacuum_start", "set_irrigation", "set_irrigation", "blinds_position"),
         new=64_000, new_seed=304, old=32_000, old_seed=305, order_seed=403),
)
