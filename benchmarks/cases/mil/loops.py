"""Deep MIL as one writes it by hand.

What treats instances one by one runs on all instances of a batch at once. Pooling and
attention have three plain forms, of which a task takes the fastest: ``"bags"`` goes
through the bags in a loop, ``"segments"`` scatters to the bags, ``"padded"`` fills them
up to one length. (No attention scatters: with ``"segments"`` it is padded.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["UNITS", "WAYS", "Net", "train"]

WAYS = ("bags", "segments", "padded")

UNITS, HEADS = 64, 4
LR, DECAY = 1e-3, 1e-4


class Net(nn.Module):
    """A layer for instances, a pooling, a linear layer for bags.

    Parameters
    ----------
    columns : int
        Width of the instances.
    pooling : {"max", "attention", "gated-attention", "transformer"}
        The pooling.
    way : {"bags", "segments", "padded"}
        How it is written.
    """

    def __init__(self, columns: int, pooling: str, way: str) -> None:
        super().__init__()
        self.pooling, self.way = pooling, way
        self.backbone = nn.Linear(columns, UNITS)
        if pooling == "transformer":
            self.block = Block(way)
        if pooling != "max":
            self.project = nn.Linear(UNITS, UNITS)
            self.score = nn.Linear(UNITS, 1, bias=False)
        if pooling in ("gated-attention", "transformer"):
            self.gate = nn.Linear(UNITS, UNITS)
        self.head = nn.Linear(UNITS, 1)

    def forward(self, x: Tensor, sizes: list[int]) -> Tensor:
        """Return one logit a bag."""
        h = self.backbone(x).relu()
        if self.pooling == "transformer":
            h = self.block(h, sizes)
        pooled = self._max(h, sizes) if self.pooling == "max" else self._mean(h, sizes)
        return self.head(pooled).squeeze(1)

    def _max(self, h: Tensor, sizes: list[int]) -> Tensor:
        if len(sizes) == 1:
            return h.amax(0, keepdim=True)
        if self.way == "bags":
            return torch.stack([bag.amax(0) for bag in h.split(sizes)])
        if self.way == "padded":
            return padded(h, sizes, -torch.inf).amax(1)
        lengths = torch.tensor(sizes)
        return torch.segment_reduce(h, "max", lengths=lengths, unsafe=True)

    def _mean(self, h: Tensor, sizes: list[int]) -> Tensor:
        units = self.project(h).tanh()
        if hasattr(self, "gate"):
            units = units * self.gate(h).sigmoid()
        logits = self.score(units).squeeze(1)
        if len(sizes) == 1:
            return logits.softmax(0).unsqueeze(0) @ h
        if self.way == "bags":
            pairs = zip(logits.split(sizes), h.split(sizes), strict=True)
            return torch.stack([part.softmax(0) @ bag for part, bag in pairs])
        if self.way == "padded":
            weights = padded(logits, sizes, -torch.inf).softmax(1).unsqueeze(1)
            return (weights @ padded(h, sizes)).squeeze(1)
        return self._scattered(h, logits, sizes)

    @staticmethod
    def _scattered(h: Tensor, logits: Tensor, sizes: list[int]) -> Tensor:
        n = len(sizes)
        index = torch.repeat_interleave(torch.tensor(sizes))
        peak = logits.new_full((n,), -torch.inf)
        peak = peak.scatter_reduce(0, index, logits.detach(), "amax")
        power = (logits - peak[index]).exp()
        total = logits.new_zeros(n).index_add(0, index, power)
        weights = (power / total[index]).unsqueeze(1)
        return h.new_zeros(n, UNITS).index_add(0, index, weights * h)


class Block(nn.Module):
    """A layer of self-attention that normalises first, and a last normalisation."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.norm = nn.LayerNorm(UNITS)
        self.project = nn.Linear(UNITS, 3 * UNITS)
        self.join = nn.Linear(UNITS, UNITS)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(UNITS),
            nn.Linear(UNITS, 4 * UNITS),
            nn.GELU(),
            nn.Linear(4 * UNITS, UNITS),
        )
        self.last = nn.LayerNorm(UNITS)

    def forward(self, h: Tensor, sizes: list[int]) -> Tensor:
        """Return instances in the context of their bag."""
        joint = self.project(self.norm(h)).unflatten(1, (3, HEADS, -1))
        if self.way == "bags":
            seen = torch.cat([attended(bag[None])[0] for bag in joint.split(sizes)])
        else:
            known = torch.arange(max(sizes)) < torch.tensor(sizes).unsqueeze(1)
            seen = attended(padded(joint, sizes), known[:, None, None])[known]
        h = h + self.join(seen)
        return self.last(h + self.feedforward(h))


def attended(joint: Tensor, known: Tensor | None = None) -> Tensor:
    """Return what instances see, from queries, keys and values (B, M, 3, heads, D)."""
    q, k, v = joint.permute(2, 0, 3, 1, 4)
    seen = functional.scaled_dot_product_attention(q, k, v, known)
    return seen.transpose(1, 2).flatten(2)


def padded(rows: Tensor, sizes: list[int], value: float = 0.0) -> Tensor:
    """Return bags (B, M, ...) of one length."""
    return nn.utils.rnn.pad_sequence(rows.split(sizes), True, value)


def train(
    net: Net,
    bags: Sequence[Tensor],
    y: Tensor,
    epochs: int,
    batch: int,
    order: torch.Generator | None = None,
) -> Net:
    """Train with the fused AdamW on bags that are joined batch by batch."""
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=LR, weight_decay=DECAY, fused=True
    )
    net.train()
    for _ in range(epochs):
        rows = torch.randperm(len(bags), generator=order)
        for chosen in rows.split(batch):
            optimizer.zero_grad()
            logits = net(*joined([bags[i] for i in chosen.tolist()]))
            loss = functional.binary_cross_entropy_with_logits(logits, y[chosen])
            loss.backward()
            optimizer.step()
    return net


@torch.no_grad()
def probabilities(net: Net, bags: Sequence[Tensor], batch: int = 64) -> Tensor:
    """Return probabilities of the second class."""
    net.eval()
    parts = [bags[i : i + batch] for i in range(0, len(bags), batch)]
    return torch.cat([net(*joined(part)).sigmoid() for part in parts])


def joined(bags: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Return all instances and the sizes; one bag alone is not copied."""
    whole = bags[0] if len(bags) == 1 else torch.cat(list(bags))
    return whole, [len(bag) for bag in bags]
