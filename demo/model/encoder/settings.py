"""The dimensions, seeds and sizes of one reproducible run."""

VERSION = "1.0.0"
VOCABULARY = 768
CONTEXT = 64
WIDTH = 128
LAYERS = 2
HEADS = 4
FEED_FORWARD = 256
EPSILON = 1e-5

TOKENIZER_SEED = 111
PAIRS_SEED = 311
ORDER_SEED = 312
WEIGHTS_SEED = 411

SENTENCES = 216_000
PAIRS = 256_000
BATCH = 128
RATE = 2e-3
# Two sentences of one action shall be nearest; of one intent, near.
ACTION_TEMPERATURE = 0.05
INTENT_TEMPERATURE = 0.2
INTENT_WEIGHT = 0.5
