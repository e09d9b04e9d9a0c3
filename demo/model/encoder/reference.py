"""Runs the encoder's GGUF file with NumPy only, independently of the training code."""

from collections import defaultdict

import numpy as np

import gguf
from encoder.wordpiece import WordPiece


class Encoder:
    """A BERT-architecture encoder with all weights turned into doubles."""

    def __init__(self, path):
        self.metadata, tensors, _ = gguf.read(path)
        self.tensors = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        self.tokenizer = WordPiece(self.metadata["tokenizer.ggml.tokens"])
        self.heads = self.metadata["bert.attention.head_count"]
        self.epsilon = self.metadata["bert.attention.layer_norm_epsilon"]

    def _linear(self, x, name):
        return x @ self.tensors[name + ".weight"].T + self.tensors[name + ".bias"]

    def _norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon)
        return x * self.tensors[name + ".weight"] + self.tensors[name + ".bias"]

    def _attend(self, x, at):
        q, k, v = (self._linear(x, at + part).reshape(*x.shape[:2], self.heads, -1)
                   .transpose(0, 2, 1, 3) for part in ("attn_q", "attn_k", "attn_v"))
        scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        return self._linear(mixed.transpose(0, 2, 1, 3).reshape(x.shape), at + "attn_output")

    def vectors(self, ids):
        """Vectors of length one for equally long rows of ids."""
        ids = np.asarray(ids)
        t = self.tensors
        x = t["token_embd.weight"][ids] + t["position_embd.weight"][:ids.shape[1]]
        x = self._norm(x, "token_embd_norm")
        for block in range(self.metadata["bert.block_count"]):
            at = f"blk.{block}."
            x = self._norm(x + self._attend(x, at), at + "attn_output_norm")
            h = self._linear(x, at + "ffn_up")
            h = h / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (h + 0.044715 * h ** 3)))
            x = self._norm(x + self._linear(h, at + "ffn_down"), at + "layer_output_norm")
        mean = x.mean(1)
        return mean / np.linalg.norm(mean, axis=-1, keepdims=True)

    def embed(self, texts):
        """One row a text."""
        groups = defaultdict(list)
        for at, text in enumerate(texts):
            ids = self.tokenizer.encode(text)
            groups[len(ids)].append((at, ids))
        out = np.empty((len(texts), self.metadata["bert.embedding_length"]))
        for group in groups.values():
            out[[at for at, _ in group]] = self.vectors([ids for _, ids in group])
        return out
