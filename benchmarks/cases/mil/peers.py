"""torchmil with a bare loop, which is faster than its ``Trainer``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from suite import not_installed
from torch import Tensor, nn

from .loops import DECAY, HEADS, LR, UNITS

__all__ = ["ABSENT", "PEER", "predict", "torchmil_net", "train"]

PEER = "torchmil"
# torchmil needs tensordict, and does not say so.
_MISSING = not_installed("torchmil", "tensordict")
ABSENT = {PEER: "not installed"} if _MISSING else {}


def torchmil_net(pooling: str, columns: int) -> Any:
    """Return the net with the same layers, but for those that it does not have."""
    from torchmil.models import ABMIL, TransformerABMIL

    extractor = nn.Sequential(nn.Linear(columns, UNITS), nn.ReLU())
    if pooling != "transformer":
        gated = pooling == "gated-attention"
        return ABMIL((columns,), att_dim=UNITS, gated=gated, feat_ext=extractor)
    return TransformerABMIL(
        (columns,),
        pool_att_dim=UNITS,
        pool_gated=True,
        feat_ext=extractor,
        transf_att_dim=UNITS,
        transf_n_layers=1,
        transf_n_heads=HEADS,
    )


def train(
    pooling: str, bags: Sequence[Tensor], y: Tensor, epochs: int, batch: int
) -> Any:
    """Train on its padded batches."""
    net = torchmil_net(pooling, bags[0].shape[1]).train()
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=LR, weight_decay=DECAY, fused=True
    )
    batches = _loader(bags, y, batch, shuffle=True)
    for _ in range(epochs):
        for part in batches:
            optimizer.zero_grad()
            _, losses = net.compute_loss(part["Y"], part["X"], part["mask"])
            sum(losses.values()).backward()
            optimizer.step()
    return net


@torch.no_grad()
def predict(net: Any, bags: Sequence[Tensor], batch: int = 64) -> Tensor:
    """Return probabilities of the second class."""
    net.eval()
    nothing = torch.zeros(len(bags))
    found = [
        net(part["X"], part["mask"]).sigmoid()
        for part in _loader(bags, nothing, batch, shuffle=False)
    ]
    return torch.cat(found)


def _loader(bags: Sequence[Tensor], y: Tensor, batch: int, shuffle: bool) -> Any:
    from torchmil.data import collate_fn

    rows = [{"X": bag, "Y": label} for bag, label in zip(bags, y, strict=True)]
    return torch.utils.data.DataLoader(
        rows, batch_size=batch, shuffle=shuffle, collate_fn=collate_fn
    )
