r"""What bags teach beyond the loss of labelled bags.

Labels of bags are weak in several ways at once: some bags have none, some have a wrong
one, and of some instances the label is known after all. Each adds or changes one term
of the loss of a batch of B bags,

.. math::

    \frac{1}{B} \sum_i \Big( v_i\, \ell(s_i, y_i) + u\, [y_i = \text{?}]\, H(p_i)
    + a\, \overline{\ell(s_{ij}, y_{ij})} + c\, \overline{(s_{ij} - s_{ik})^2} \Big),

with the entropy H of the prediction for unlabelled bags, the mean over the instances
of a bag whose label is known, and the mean over neighbouring instances j and k. The
factor :math:`v_i` is zero for the bags of largest loss, as many as labels are thought
to be wrong, and one otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..nn.functional import prediction_entropy
from ..nn.segments import Segments

__all__ = ["NEIGHBOURS", "Y_INSTANCES", "BagObjective", "partial_losses"]

Criterion = Callable[[Tensor, Tensor], Tensor]

Y_INSTANCES, NEIGHBOURS = "y_instances", "neighbours"
"""Names of fields: encoded labels, and positions in the bag of self and neighbours."""

# Share of training over which terms that trust the model are phased in.
_RAMP = 0.5


@dataclass(frozen=True)
class BagObjective:
    """Weights of the terms.

    Parameters
    ----------
    instance_weight : float
        Of labelled instances (a).
    smoothness : float
        Of differences between neighbours (c).
    noise_rate : float
        Share of labels that may be wrong.
    unlabelled_weight : float
        Of the entropy of unlabelled bags (u).
    """

    instance_weight: float = 1.0
    smoothness: float = 0.0
    noise_rate: float = 0.0
    unlabelled_weight: float = 0.0

    def needs_instances(self, fields: Mapping[str, Tensor]) -> bool:
        """Tell whether scores of instances take part."""
        return Y_INSTANCES in fields or NEIGHBOURS in fields

    def bag_terms(
        self, criterion: Criterion, raw: Tensor, y: Tensor, progress: float | None
    ) -> tuple[Tensor, Tensor]:
        """Return the loss (B,) of bags, and which of them have a label.

        ``progress`` is the share of training done; None in a validation, which
        neither drops labels nor asks for confidence.
        """
        losses, known = partial_losses(criterion, raw, y)
        if progress is None:
            return losses, known
        ramp = min(progress / _RAMP, 1.0)
        if self.noise_rate > 0:
            losses = losses * smallest(losses.detach(), known, self.noise_rate * ramp)
        if self.unlabelled_weight > 0:
            entropy = prediction_entropy(raw, getattr(criterion, "link", "identity"))
            losses = losses + self.unlabelled_weight * ramp * entropy * ~known
        return losses, known

    def instance_terms(
        self,
        criterion: Criterion,
        scores: Tensor,
        segments: Segments,
        fields: Mapping[str, Tensor],
    ) -> Tensor:
        """Return the loss (B,) that comes from single instances."""
        total = scores.new_zeros(segments.n_segments)
        if Y_INSTANCES in fields:
            losses, known = partial_losses(criterion, scores, fields[Y_INSTANCES])
            counts = segments.sum(known.to(losses.dtype)).clamp(min=1)
            total = total + self.instance_weight * segments.sum(losses) / counts
        if NEIGHBOURS in fields:
            rows = neighbour_rows(fields[NEIGHBOURS], segments)
            gaps = (scores[rows] - scores.unsqueeze(1)).square().mean((1, 2))
            total = total + self.smoothness * segments.mean(gaps)
        return total


def neighbour_rows(positions: Tensor, segments: Segments) -> Tensor:
    """Return the rows (N, k) of neighbours in this batch.

    Parameters
    ----------
    positions : Tensor of shape (N, 1 + k), int64
        Position in its whole bag of each instance, ascending, then of its neighbours.
    segments : Segments
        The bags of the batch, which may be parts of the whole ones.

    Returns
    -------
    Tensor of shape (N, k), int64
        Rows; the row itself for a neighbour that is not in the batch.
    """
    # Bag by bag, positions are ascending: together they are one sorted list of keys.
    stride = int(positions.max()) + 1
    keys = positions + (segments.index * stride).unsqueeze(1)
    own = keys[:, 0].contiguous()
    found = torch.searchsorted(own, keys[:, 1:].contiguous()).clamp(max=len(own) - 1)
    itself = torch.arange(len(own), device=own.device).unsqueeze(1)
    return found.where(own[found] == keys[:, 1:], itself)


def partial_losses(
    criterion: Criterion, raw: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute losses where targets are known, zero elsewhere.

    Parameters
    ----------
    criterion : callable
        ``(raw, target) -> (n,)``.
    raw : Tensor of shape (n, K)
        Scores.
    y : Tensor of shape (n,) or (n, T)
        Codes, -1 where unknown; or numbers, NaN where unknown. Of several targets
        each counts by itself, and the loss is the mean over the known ones.

    Returns
    -------
    losses : Tensor of shape (n,)
        One loss a row.
    known : Tensor of bool of shape (n,)
        Rows with at least one known target.
    """
    if y.ndim == 1:
        known = y >= 0
        return criterion(raw, y.clamp(min=0)) * known, known
    present = ~y.isnan()
    filled = y.nan_to_num()
    if y.shape[1] == 1 or bool(present.all()):
        known = present.any(1)
        return criterion(raw, filled) * known, known
    width = raw.shape[1] // y.shape[1]
    parts = [
        criterion(raw[:, k * width : (k + 1) * width], filled[:, k : k + 1])
        for k in range(y.shape[1])
    ]
    losses = (torch.stack(parts, 1) * present).sum(1)
    return losses / present.sum(1).clamp(min=1), present.any(1)


def smallest(losses: Tensor, known: Tensor, rate: float) -> Tensor:
    """Return factors (n,) that drop the share ``rate`` of largest known losses.

    What is kept weighs as much as all did, so that the step keeps its size. As in
    Han et al., *Co-teaching*, NeurIPS 2018, for a single net.
    """
    n = int(known.sum())
    dropped = min(round(rate * n), n - 1)
    factors = torch.ones_like(losses)
    if dropped <= 0:
        return factors
    ranked = losses.masked_fill(~known, -torch.inf)
    factors[ranked.topk(dropped).indices] = 0.0
    return factors * (n / (n - dropped))
