"""Writes the trained weights of both versions as GGUF: Q8_0 to deliver, F32 to compare."""

from pathlib import Path

import torch

import gguf
import settings as s
from gguf import U32
from tokenizer import BOS, EOS, UNK, Tokenizer

HERE = Path(__file__).parent
BUILD = HERE / "build"
VERSIONS = {"1.0.0": "base.pt", "2.0.0": "finetuned.pt"}
MOSTLY_Q8_0, ALL_F32 = 7, 0


def metadata(version, tokenizer, quantised):
    return {
        "general.architecture": "llama",
        "general.name": "intent",
        "general.version": version,
        "general.license": "Apache-2.0",
        "general.file_type": U32(MOSTLY_Q8_0 if quantised else ALL_F32),
        "general.quantization_version": U32(2),
        "llama.vocab_size": U32(s.VOCABULARY),
        "llama.context_length": U32(s.CONTEXT),
        "llama.embedding_length": U32(s.EMBEDDING),
        "llama.block_count": U32(s.LAYERS),
        "llama.feed_forward_length": U32(s.FEED_FORWARD),
        "llama.attention.head_count": U32(s.HEADS),
        "llama.attention.head_count_kv": U32(s.KV_HEADS),
        "llama.attention.layer_norm_rms_epsilon": s.EPSILON,
        "llama.rope.dimension_count": U32(s.HEAD_SIZE),
        "llama.rope.freq_base": s.ROPE_BASE,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokenizer.pieces,
        "tokenizer.ggml.scores": tokenizer.scores,
        "tokenizer.ggml.token_type": tokenizer.types,
        "tokenizer.ggml.bos_token_id": U32(BOS),
        "tokenizer.ggml.eos_token_id": U32(EOS),
        "tokenizer.ggml.unknown_token_id": U32(UNK),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
    }


def export(version, weights_file, tokenizer):
    weights = torch.load(BUILD / weights_file)
    tensors = {name: tensor.numpy() for name, tensor in weights.items()}
    for quantised, path in ((True, HERE.parent / f"intent-{version}.gguf"),
                            (False, BUILD / f"intent-{version}-f32.gguf")):
        gguf.write(path, metadata(version, tokenizer, quantised), tensors, quantised)


if __name__ == "__main__":
    shared = Tokenizer.load(BUILD / "tokenizer.json")
    for release, source in VERSIONS.items():
        export(release, source, shared)
