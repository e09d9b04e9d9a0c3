"""The llama-architecture decoder in PyTorch, with tensors named as in a GGUF file."""

import torch
from torch import nn
from torch.nn import functional as F

import settings as s


class Norm(nn.Module):
    """Root mean square norm with a learnt gain."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + s.EPSILON) * self.weight


def rope_tables(length):
    """Cosines and sines, one row a position, one column a pair of neighbouring values."""
    rates = s.ROPE_BASE ** (-torch.arange(0, s.HEAD_SIZE, 2).double() / s.HEAD_SIZE)
    angles = torch.arange(length).double()[:, None] * rates[None, :]
    return angles.cos().float(), angles.sin().float()


def rotate(x, cosines, sines):
    """Turns every pair of neighbouring values (2i, 2i+1) of each head by its angle."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cosines - odd * sines, even * sines + odd * cosines), -1).flatten(-2)


class Block(nn.Module):
    """Grouped-query attention and a SwiGLU feed-forward, each behind a norm."""

    def __init__(self):
        super().__init__()
        self.attn_norm = Norm(s.EMBEDDING)
        self.attn_q = nn.Linear(s.EMBEDDING, s.HEADS * s.HEAD_SIZE, bias=False)
        self.attn_k = nn.Linear(s.EMBEDDING, s.KV_HEADS * s.HEAD_SIZE, bias=False)
        self.attn_v = nn.Linear(s.EMBEDDING, s.KV_HEADS * s.HEAD_SIZE, bias=False)
        self.attn_output = nn.Linear(s.HEADS * s.HEAD_SIZE, s.EMBEDDING, bias=False)
        self.ffn_norm = Norm(s.EMBEDDING)
        self.ffn_gate = nn.Linear(s.EMBEDDING, s.FEED_FORWARD, bias=False)
        self.ffn_up = nn.Linear(s.EMBEDDING, s.FEED_FORWARD, bias=False)
        self.ffn_down = nn.Linear(s.FEED_FORWARD, s.EMBEDDING, bias=False)

    def forward(self, x, cosines, sines, mask):
        batch, length, _ = x.shape
        h = self.attn_norm(x)
        q = self.attn_q(h).view(batch, length, s.HEADS, s.HEAD_SIZE).transpose(1, 2)
        k = self.attn_k(h).view(batch, length, s.KV_HEADS, s.HEAD_SIZE).transpose(1, 2)
        v = self.attn_v(h).view(batch, length, s.KV_HEADS, s.HEAD_SIZE).transpose(1, 2)
        q, k = rotate(q, cosines, sines), rotate(k, cosines, sines)
        k = k.repeat_interleave(s.HEADS // s.KV_HEADS, 1)
        v = v.repeat_interleave(s.HEADS // s.KV_HEADS, 1)
        scores = q @ k.transpose(-1, -2) / s.HEAD_SIZE ** 0.5 + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)
        x = x + self.attn_output(mixed)
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Network(nn.Module):
    """The whole decoder; the token table is also the output matrix."""

    def __init__(self):
        super().__init__()
        self.token_embd = nn.Embedding(s.VOCABULARY, s.EMBEDDING)
        self.blk = nn.ModuleList(Block() for _ in range(s.LAYERS))
        self.output_norm = Norm(s.EMBEDDING)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                std = 0.05 if name.startswith("token_embd") else s.EMBEDDING ** -0.5
                if name.endswith(("attn_output.weight", "ffn_down.weight")):
                    std *= (2 * s.LAYERS) ** -0.5
                nn.init.normal_(weight, std=std)

    def forward(self, ids, wanted):
        """Logits at the positions where the mask `wanted` is true."""
        length = ids.shape[1]
        cosines, sines = rope_tables(length)
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.token_embd(ids)
        for block in self.blk:
            x = block(x, cosines, sines, mask)
        return self.output_norm(x[wanted]) @ self.token_embd.weight.t()
