"""LoRA as modules beside frozen projections."""

import torch
from torch import nn
from torch.nn import functional as F


class LowRank(nn.Module):
    """c (x A^T) B^T. All of a model share `c`: a tensor, so that compiled code is right for every value of it."""

    def __init__(self, out, width, rank, c):
        super().__init__()
        self.A = nn.Parameter(torch.zeros(rank, width, device=c.device))
        self.B = nn.Parameter(torch.zeros(out, rank, device=c.device))
        self.c = c

    def forward(self, x):
        return F.linear(F.linear(x, self.A) * self.c, self.B)

    def delta(self):
        return self.B.detach() @ self.A.detach()


class AdaptedLinear(nn.Module):
    def __init__(self, frozen, rank, c):
        super().__init__()
        self.frozen = frozen
        self.lora = LowRank(frozen.out_features, frozen.in_features, rank, c)

    def forward(self, x):
        return self.frozen(x) + self.lora(x)


class AdaptedAttention(nn.Module):
    """timm's attention, where one matrix has query, key and value, with LoRA on key and value."""

    def __init__(self, frozen, rank, c):
        super().__init__()
        self.qkv, self.proj, self.heads = frozen.qkv, frozen.proj, frozen.num_heads
        width = frozen.qkv.in_features
        self.key, self.value = (LowRank(width, width, rank, c) for _ in range(2))

    def forward(self, x, **_):
        samples, tokens, width = x.shape

        def by_head(y):
            return y.view(samples, tokens, self.heads, -1).transpose(1, 2)

        query, key, value = self.qkv(x).view(samples, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        key, value = key + by_head(self.key(x)), value + by_head(self.value(x))
        y = F.scaled_dot_product_attention(query, key, value)
        return self.proj(y.transpose(1, 2).reshape(samples, tokens, width))
