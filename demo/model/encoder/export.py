"""Writes the trained encoder as GGUF: Q8_0 to deliver, F32 to compare.

Usage: python3 -m encoder.export, in the folder above.
"""

from pathlib import Path

import torch

import gguf
from encoder import settings as s
from encoder.wordpiece import CLS, MASK, PAD, SEP, UNK, WordPiece
from gguf import U32

BUILD = Path(__file__).parent.parent / "build"
DELIVERED = BUILD.parent.parent / f"sentence-{s.VERSION}.gguf"
UNROUNDED = BUILD / f"sentence-{s.VERSION}-f32.gguf"
MOSTLY_Q8_0, ALL_F32 = 7, 0
POOLING_MEAN = 1


def metadata(tokenizer, quantised):
    return {
        "general.architecture": "bert",
        "general.name": "sentence",
        "general.version": s.VERSION,
        "general.license": "Apache-2.0",
        "general.file_type": U32(MOSTLY_Q8_0 if quantised else ALL_F32),
        "general.quantization_version": U32(2),
        "bert.vocab_size": U32(s.VOCABULARY),
        "bert.context_length": U32(s.CONTEXT),
        "bert.embedding_length": U32(s.WIDTH),
        "bert.block_count": U32(s.LAYERS),
        "bert.feed_forward_length": U32(s.FEED_FORWARD),
        "bert.attention.head_count": U32(s.HEADS),
        "bert.attention.layer_norm_epsilon": s.EPSILON,
        "bert.attention.causal": False,
        "bert.pooling_type": U32(POOLING_MEAN),
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.token_type_count": U32(1),
        "tokenizer.ggml.tokens": tokenizer.pieces,
        "tokenizer.ggml.token_type": tokenizer.types,
        "tokenizer.ggml.padding_token_id": U32(PAD),
        "tokenizer.ggml.unknown_token_id": U32(UNK),
        "tokenizer.ggml.cls_token_id": U32(CLS),
        # The misspelled key is the one that converters write and readers look for.
        "tokenizer.ggml.seperator_token_id": U32(SEP),
        "tokenizer.ggml.mask_token_id": U32(MASK),
    }


if __name__ == "__main__":
    learnt = WordPiece.load(BUILD / "wordpiece.json")
    weights = {name: tensor.numpy() for name, tensor in torch.load(BUILD / "encoder.pt").items()}
    for path, quantised in ((DELIVERED, True), (UNROUNDED, False)):
        gguf.write(path, metadata(learnt, quantised), weights, quantised)
