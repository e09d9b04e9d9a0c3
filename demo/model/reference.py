"""Runs a GGUF file with NumPy only, independently of the training code."""

import numpy as np

import gguf


class Model:
    """A llama-architecture decoder with all weights turned into floats."""

    def __init__(self, path, kind=np.float32):
        self.metadata, tensors, self.stored = gguf.read(path)
        self.tensors = {name: tensor.astype(kind) for name, tensor in tensors.items()}
        self.kind = kind
        self.heads = self.metadata["llama.attention.head_count"]
        self.kv_heads = self.metadata["llama.attention.head_count_kv"]
        self.epsilon = self.metadata["llama.attention.layer_norm_rms_epsilon"]
        self.head_size = self.metadata["llama.rope.dimension_count"]

    def _norm(self, x, name):
        scale = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon)
        return (x * scale * self.tensors[name]).astype(self.kind)

    def _rotate(self, x, begun):
        pairs = np.arange(self.head_size // 2)
        rates = self.metadata["llama.rope.freq_base"] ** (-2.0 * pairs / self.head_size)
        angles = np.arange(begun, begun + x.shape[-2])[:, None] * rates
        cosines, sines = np.cos(angles).astype(self.kind), np.sin(angles).astype(self.kind)
        even, odd = x[..., 0::2], x[..., 1::2]
        out = np.empty_like(x)
        out[..., 0::2] = even * cosines - odd * sines
        out[..., 1::2] = even * sines + odd * cosines
        return out

    def _heads(self, x, count):
        return x.reshape(*x.shape[:2], count, self.head_size).transpose(0, 2, 1, 3)

    def hidden(self, ids, cache):
        """The normed state after every position; ids is a batch of equally long rows.

        `cache` maps a block to the keys and values of all positions so far; it starts empty.
        """
        t = self.tensors
        ids = np.asarray(ids)
        x = t["token_embd.weight"][ids]
        begun = cache[0][0].shape[2] if cache else 0
        size = ids.shape[1], begun + ids.shape[1]
        mask = np.triu(np.full(size, -np.inf, self.kind), begun + 1)
        for block in range(self.metadata["llama.block_count"]):
            w = {part: t[f"blk.{block}.{part}.weight"] for part in
                 ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")}
            h = self._norm(x, f"blk.{block}.attn_norm.weight")
            q = self._rotate(self._heads(h @ w["attn_q"].T, self.heads), begun)
            k = self._rotate(self._heads(h @ w["attn_k"].T, self.kv_heads), begun)
            v = self._heads(h @ w["attn_v"].T, self.kv_heads)
            if begun:
                k = np.concatenate((cache[block][0], k), 2)
                v = np.concatenate((cache[block][1], v), 2)
            cache[block] = k, v
            group = self.heads // self.kv_heads
            k, v = k.repeat(group, 1), v.repeat(group, 1)
            scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(self.head_size).astype(self.kind) + mask
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            mixed = (scores / scores.sum(-1, keepdims=True)) @ v
            x = x + mixed.transpose(0, 2, 1, 3).reshape(*ids.shape, -1) @ w["attn_output"].T
            h = self._norm(x, f"blk.{block}.ffn_norm.weight")
            gate = h @ w["ffn_gate"].T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w["ffn_up"].T)) @ w["ffn_down"].T
        return self._norm(x, "output_norm.weight")

    def logits(self, states):
        return states @ self.tensors.get("output.weight", self.tensors["token_embd.weight"]).T

    def greedy(self, prompts, stop, limit=60):
        """For equally long prompts: the most likely ids up to and with `stop`, and the smallest
        distance between the first and second choice on the way."""
        chosen, cache, outputs = np.asarray(prompts), {}, []
        margins = np.full(len(chosen), np.inf)
        running = np.ones(len(chosen), bool)
        while running.any() and len(outputs) < limit:
            logits = self.logits(self.hidden(chosen, cache)[:, -1])
            best_two = np.partition(logits, -2)[:, -2:]
            margins[running] = np.minimum(margins, best_two[:, 1] - best_two[:, 0])[running]
            outputs.append(np.where(running, logits.argmax(-1), stop))
            running &= outputs[-1] != stop
            chosen = outputs[-1][:, None]
        answers = [row[:row.index(stop) + 1] if stop in row else row
                   for row in np.stack(outputs, 1).tolist()]
        return answers, margins.tolist()
