"""A model that learns from several domains at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = [
    "DomainPredictor",
    "class_probabilities",
    "has_batch_statistics",
    "set_statistics",
]


class DomainPredictor(nn.Module):
    """A backbone and a head, and a divergence between features of two domains.

    Parameters
    ----------
    backbone : nn.Module
        Maps a batch to features (B, out_features).
    head : nn.Module
        Maps features to raw scores (B, n_outputs).
    divergence : nn.Module
        Compares features of source and target; takes no part in predictions.

    Attributes
    ----------
    out_features : int
        Width of the features.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> model = DomainPredictor(MLP((4,), hidden=8), nn.Linear(8, 3), nn.Identity())
    >>> raw, features = model(torch.zeros(2, 4), features=True)
    >>> raw.shape, features.shape
    (torch.Size([2, 3]), torch.Size([2, 8]))
    """

    def __init__(self, backbone: Any, head: nn.Module, divergence: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.divergence = divergence
        self.out_features = int(backbone.out_features)

    def forward(self, x: Tensor, features: bool = False, scores: bool = True) -> Any:
        """Return raw scores (B, n_outputs), and features too if they are wanted.

        Without ``scores`` there is None in their place, and the head does not run.
        """
        z = self.backbone(x)
        raw = self.head(z) if scores else None
        return (raw, z) if features else raw

    def embed(self, x: Tensor) -> Tensor:
        """Return features (B, out_features)."""
        return self.backbone(x)

    def embed_and_score(self, x: Tensor) -> Tensor:
        """Return features and raw scores side by side."""
        raw, z = self(x, features=True)
        return torch.cat([z, raw], 1)


def has_batch_statistics(module: nn.Module) -> bool:
    """Tell whether what a module makes of a row depends on the rest of its batch.

    Parameters
    ----------
    module : nn.Module
        The model.

    Examples
    --------
    >>> has_batch_statistics(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    True
    """
    return any(isinstance(part, _BatchNorm) for part in module.modules())


@torch.no_grad()
def set_statistics(module: nn.Module, batches: Any) -> None:
    """Replace the running statistics of batch normalisation by those of other data.

    Li et al., *Adaptive batch normalization for practical domain adaptation*, Pattern
    Recognition 80, 2018. Every batch counts alike, and nothing else changes: dropout
    is off, and so are the statistics of layers that keep none.

    Parameters
    ----------
    module : nn.Module
        The model; left in evaluation mode.
    batches : iterable of Tensor
        Inputs.

    Examples
    --------
    >>> model = nn.BatchNorm1d(1)
    >>> set_statistics(model, [torch.tensor([[1.0], [3.0]])])
    >>> model.running_mean
    tensor([2.])
    """
    module.eval()
    norms = [
        part
        for part in module.modules()
        if isinstance(part, _BatchNorm) and part.track_running_stats
    ]
    rates = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
        norm.train()
    try:
        for batch in batches:
            module(batch)
    finally:
        for norm, rate in zip(norms, rates, strict=True):
            norm.momentum = rate
            norm.eval()


def class_probabilities(raw: Tensor, link: str) -> Tensor:
    """Turn raw scores into probabilities of classes or labels.

    Parameters
    ----------
    raw : Tensor of shape (n, K)
        Scores; one column for two classes.
    link : {"softmax", "sigmoid", "labels", "identity"}
        ``"labels"`` keeps columns independent; margins (``"identity"``) are taken for
        logits.

    Returns
    -------
    Tensor of shape (n, n_classes)
        In [0, 1].

    Examples
    --------
    >>> class_probabilities(torch.zeros(1, 1), "softmax")
    tensor([[0.5000, 0.5000]])
    """
    if link == "labels":
        return torch.sigmoid(raw)
    if raw.shape[1] == 1:
        positive = torch.sigmoid(raw)
        return torch.cat([1 - positive, positive], 1)
    if link == "sigmoid":
        p = torch.sigmoid(raw)
        return p / p.sum(1, keepdim=True).clamp(min=torch.finfo(p.dtype).tiny)
    return torch.softmax(raw, 1)
