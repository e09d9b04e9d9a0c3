"""The BERT-architecture encoder in PyTorch, with tensors named as in a GGUF file."""

import torch
from torch import nn
from torch.nn import functional as F

from encoder import settings as s
from encoder.wordpiece import PAD


class Block(nn.Module):
    """Attention of each token to all others and a feed-forward, each before a norm."""

    def __init__(self):
        super().__init__()
        self.attn_q = nn.Linear(s.WIDTH, s.WIDTH)
        self.attn_k = nn.Linear(s.WIDTH, s.WIDTH)
        self.attn_v = nn.Linear(s.WIDTH, s.WIDTH)
        self.attn_output = nn.Linear(s.WIDTH, s.WIDTH)
        self.attn_output_norm = nn.LayerNorm(s.WIDTH, s.EPSILON)
        self.ffn_up = nn.Linear(s.WIDTH, s.FEED_FORWARD)
        self.ffn_down = nn.Linear(s.FEED_FORWARD, s.WIDTH)
        self.layer_output_norm = nn.LayerNorm(s.WIDTH, s.EPSILON)

    def forward(self, x, mask):
        batch, length, _ = x.shape
        q, k, v = (part(x).view(batch, length, s.HEADS, -1).transpose(1, 2)
                   for part in (self.attn_q, self.attn_k, self.attn_v))
        scores = q @ k.transpose(-1, -2) / (s.WIDTH / s.HEADS) ** 0.5 + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)
        x = self.attn_output_norm(x + self.attn_output(mixed))
        h = F.gelu(self.ffn_up(x), approximate="tanh")
        return self.layer_output_norm(x + self.ffn_down(h))


class Network(nn.Module):
    """The whole encoder: a batch of texts becomes vectors of length one."""

    def __init__(self):
        super().__init__()
        self.token_embd = nn.Embedding(s.VOCABULARY, s.WIDTH)
        self.position_embd = nn.Embedding(s.CONTEXT, s.WIDTH)
        self.token_embd_norm = nn.LayerNorm(s.WIDTH, s.EPSILON)
        self.blk = nn.ModuleList(Block() for _ in range(s.LAYERS))
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.05 if "embd" in name else s.WIDTH ** -0.5)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def forward(self, ids):
        """ids: [text][token], filled up with PAD; the result: [text][feature]."""
        present = ids != PAD
        x = self.token_embd(ids) + self.position_embd.weight[:ids.shape[1]]
        x = self.token_embd_norm(x)
        mask = torch.zeros(ids.shape).masked_fill(~present, float("-inf"))[:, None, None, :]
        for block in self.blk:
            x = block(x, mask)
        # The mean over a text has the direction of the sum.
        return F.normalize((x * present[:, :, None]).sum(1), dim=-1)
