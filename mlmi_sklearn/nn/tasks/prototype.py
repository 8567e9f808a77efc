"""A model that classifies by the nearest mean of features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..adaptation import has_batch_statistics
from .episode import Episode, TaskPass, joined
from .heads import class_means
from .inner_loop import Criterion, task_losses
from .model import width_of

__all__ = ["PrototypeModel", "prototype_scores"]


class PrototypeModel(nn.Module):
    r"""Classify by the nearest mean of features (prototypical networks).

    .. math:: p(k \mid x) \propto \exp(-d(f(x), c_k)),

    with the mean :math:`c_k` of the features of the support of class k.

    Parameters
    ----------
    backbone : nn.Module
        Maps a batch to (B, out_features).
    distance : {"euclidean", "cosine"}, default="euclidean"
        Squared Euclidean distance, or the negative cosine times ten.
    scale : nn.Module or None, default=None
        What inputs go through before they come here; kept with the model.

    References
    ----------
    Snell, Swersky and Zemel, *Prototypical networks for few-shot learning*, NeurIPS
    2017, equations 1 and 2.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> model = PrototypeModel(MLP((2,), hidden=4))
    >>> model(torch.zeros(3, 2)).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        backbone: nn.Module,
        distance: str = "euclidean",
        scale: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.backbone = backbone
        self.distance = distance
        self.out_features = width_of(backbone)

    def forward(self, x: Tensor) -> Tensor:
        """Compute features of scaled inputs.

        Parameters
        ----------
        x : Tensor of shape (B, *input_shape)
            Scaled inputs.

        Returns
        -------
        Tensor of shape (B, D)
            Features.
        """
        return self.backbone(x)

    def embed(self, x: Tensor) -> Tensor:
        """Compute features of inputs as they are.

        Parameters
        ----------
        x : Tensor of shape (B, *input_shape)
            Inputs.

        Returns
        -------
        Tensor of shape (B, D)
            Features.
        """
        return self.backbone(x if self.scale is None else self.scale(x))

    def episode(self, episode: Episode, criterion: Criterion) -> TaskPass:
        """Score the query by the prototypes of the support.

        Parameters
        ----------
        episode : Episode
            The tasks.
        criterion : callable
            Maps raw (B, K) and targets to one loss a row.

        Returns
        -------
        TaskPass
            Losses and scores of the query.
        """
        both = joined(episode.support, episode.query)
        n_tasks, n_rows = both.x.shape[:2]
        counted = None if both.rows is None else both.rows.flatten() > 0
        z = self._features(both.x.flatten(0, 1), counted)
        z = z.reshape(n_tasks, n_rows, -1)
        n_support = episode.support.x.shape[1]
        support, query = episode.support, episode.query
        means = class_means(
            z[:, :n_support], support.y, support.rows, episode.n_outputs
        )
        raw = prototype_scores(z[:, n_support:], means, self.distance)
        losses = task_losses(criterion, raw, query.y, query.rows)
        return TaskPass(losses, losses, raw)

    def _features(self, x: Tensor, counted: Tensor | None) -> Tensor:
        """Return features; rows that only fill up are not seen by the net."""
        if counted is None or self._may_see_all(x) or bool(counted.all()):
            return self.backbone(x)
        found = self.backbone(x[counted])
        z = found.new_zeros(len(x), found.shape[1])
        return z.index_put((counted.nonzero().squeeze(1),), found)

    def _may_see_all(self, x: Tensor) -> bool:
        """Whether it is cheaper to compute rows that do not count than to count them.

        An accelerator would have to be waited for. No row changes the features of
        another, except in batch normalisation.
        """
        return not x.is_cpu and not has_batch_statistics(self.backbone)


def prototype_scores(z: Tensor, means: Tensor, distance: str) -> Tensor:
    """Return scores (T, N, K) of features (T, N, D) by prototypes (T, K, D)."""
    if distance == "cosine":
        z, means = (functional.normalize(a, dim=-1) for a in (z, means))
        return 10 * torch.bmm(z, means.transpose(1, 2))
    cross = 2 * torch.bmm(z, means.transpose(1, 2))
    squares = z.square().sum(-1, keepdim=True), means.square().sum(-1).unsqueeze(1)
    return cross - squares[0] - squares[1]
