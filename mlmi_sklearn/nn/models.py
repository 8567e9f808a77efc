"""Whole models put together from parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .segments import Segments

__all__ = ["BagPredictor", "Predictor", "Ragged"]


class Ragged(Protocol):
    """A batch of bags: all their instances, and where each bag begins."""

    values: Tensor

    @property
    def segments(self) -> Segments:
        """The bag structure."""


class Predictor(nn.Module):
    """A backbone followed by a linear head.

    Parameters
    ----------
    backbone : nn.Module
        Maps a batch to (B, out_features).
    n_outputs : int
        Columns of the raw output.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> model = Predictor(MLP((4,)), n_outputs=3)
    >>> model(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, backbone: nn.Module, n_outputs: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = _head(backbone.out_features, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return raw scores of shape (B, n_outputs)."""
        return self.head(self.backbone(x))


class BagPredictor(nn.Module):
    """A backbone for instances, a pooling and a linear head for bags.

    At level ``"instance"`` the head H scores every instance and the pooling P joins
    the scores, P_j H(B(x_j)); at level ``"embedding"`` the pooling joins features
    before the head, H(P_j B(x_j)). For a pooling that is a weighted mean the two are
    the same function, as H is affine and the weights sum to one; it is computed in
    the second way, so that attention sees features and not scores.

    Parameters
    ----------
    backbone : nn.Module
        Maps instances (N, ...) to (N, out_features).
    make_pooling : callable
        Builds the pooling for a number of columns.
    n_outputs : int
        Columns of the raw output.
    level : {"instance", "embedding"}
        What is pooled.

    Attributes
    ----------
    out_features : int
        Width of the embedding of a bag.
    """

    def __init__(
        self,
        backbone: nn.Module,
        make_pooling: Callable[[int], Any],
        n_outputs: int,
        level: str,
    ) -> None:
        super().__init__()
        width = int(backbone.out_features)  # type: ignore[arg-type]
        pooling = make_pooling(width)
        self.pools_scores = level == "instance" and not pooling.weighted_mean
        self.backbone = backbone
        self.pooling = make_pooling(n_outputs) if self.pools_scores else pooling
        self.out_features = width if self.pools_scores else int(pooling.out_features)
        self.head = _head(self.out_features, n_outputs)

    def set_progress(self, share: float) -> None:
        """Tell a pooling of scores how much of the training is done, from 0 to 1.

        A pooling of features is not told: :class:`~.poolings.MaxPooling` gains nothing
        from a smooth beginning there.
        """
        if self.pools_scores and hasattr(self.pooling, "set_progress"):
            self.pooling.set_progress(share)

    def forward(self, bags: Ragged) -> Tensor:
        """Return raw scores of bags, of shape (B, n_outputs)."""
        features = self.backbone(bags.values)
        if self.pools_scores:
            return self.pooling(self.head(features), bags.segments)[0]
        return self.head(self.pooling(features, bags.segments)[0])

    def instance_scores(self, bags: Ragged) -> Tensor:
        """Return raw scores of instances (N, n_outputs): of each as a bag of one."""
        features = self.backbone(bags.values)
        if not self.pools_scores:
            ones = torch.ones(len(features), dtype=torch.int64, device=features.device)
            features = self.pooling(features, Segments(ones))[0]
        return self.head(features)

    def attend(self, bags: Ragged) -> Tensor:
        """Return the weight (N,) of each instance in its bag; they sum to one."""
        features = self.backbone(bags.values)
        values = self.head(features) if self.pools_scores else features
        return self.pooling(values, bags.segments)[1]

    def embed(self, bags: Ragged) -> Tensor:
        """Return embeddings of bags, of shape (B, out_features)."""
        features = self.backbone(bags.values)
        if not self.pools_scores:
            return self.pooling(features, bags.segments)[0]
        weights = self.pooling(self.head(features), bags.segments)[1]
        return bags.segments.sum(weights[:, None] * features)


def _head(width: Any, n_outputs: int) -> nn.Linear:
    return nn.Linear(int(width), n_outputs)
