"""The net that trains on bags: parts of bags, balanced batches, weak labels."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ..nn.norms import row_weights
from ..training.batches import TensorBatches
from ..training.data import Batch, TrainingData
from ..training.device import autocast
from ..training.net import LeanNet
from ..training.ragged import InstanceSampler, SampledBags
from ..training.seeding import generator_on_cpu
from .objective import BagObjective, partial_losses

__all__ = ["BagNet", "balanced_order", "instance_sampler"]


class BagNet(LeanNet):
    """A :class:`LeanNet` for bags.

    Parameters
    ----------
    *args, **kwargs
        As in :class:`LeanNet`.
    max_instances : int, optional
        Instances of a bag that a training batch sees at most, drawn anew each time.
    balanced : bool, default=False
        Whether every batch holds as many bags of each class.
    objective : BagObjective, optional
        Terms beside the loss of labelled bags.

    Attributes
    ----------
    has_weak_labels_ : bool
        Whether batches need more than the loss of labelled bags; set before training.
    has_auxiliary_loss_ : bool
        Whether the pooling has a loss of its own; set before training.
    """

    shares_batches = True
    has_weak_labels_ = has_auxiliary_loss_ = False

    def __init__(
        self,
        *args: Any,
        max_instances: int | None = None,
        balanced: bool = False,
        objective: BagObjective | None = None,
        **kwargs: Any,
    ) -> None:
        self.max_instances = max_instances
        self.balanced = balanced
        self.objective = objective
        super().__init__(*args, **kwargs)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Batch bags, of which training may see parts, in a balanced order."""
        batches = super().get_iterator(dataset, training)
        if not training or not isinstance(batches, TensorBatches):
            return batches
        generator = self.generator or torch.default_generator
        if self.balanced and dataset.targets.y.ndim == 1:
            codes = dataset.targets.y.cpu()
            batches.order = lambda: balanced_order(codes, generator)
        if self.max_instances is not None:
            if self.ranks_ is not None:
                # Ranks draw for different bags, and must not lose the common order.
                seed = generator.initial_seed() + 1 + self.ranks_.rank
                generator = generator_on_cpu(seed)
            sample = instance_sampler(self.max_instances, generator)
            rows = SampledBags(dataset.rows, sample)
            batches.data = TrainingData(rows, dataset.targets)
        return batches

    def batch_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the losses of one batch and the scores of its bags.

        Parameters
        ----------
        batch : tuple
            Bags and their targets.

        Returns
        -------
        losses : Tensor of shape (n_bags,)
            Not yet weighted.
        raw : Tensor of shape (n_bags, n_outputs)
            Scores of bags.
        """
        if not self.has_weak_labels_:
            if not self.has_auxiliary_loss_:
                return super().batch_loss(batch)
            return self._with_auxiliary(batch)
        bags, targets = batch
        objective = self.objective or BagObjective()
        training = self.module_.training
        wanted = objective.needs_instances(bags.fields)  # type: ignore[attr-defined]
        y: Tensor = targets.y  # type: ignore[assignment]
        known, filled = _placeholders(y)
        raw, scores, auxiliary = self._pass(bags, targets.weight, filled, wanted)
        progress = self._progress() if training else None
        losses, _ = objective.bag_terms(self.criterion_, raw, y, progress)
        if auxiliary is not None:
            losses = losses + auxiliary * known
        if scores is not None:
            losses = losses + objective.instance_terms(
                self.criterion_,
                scores,
                bags.segments,  # type: ignore[attr-defined]
                bags.fields,  # type: ignore[attr-defined]
            )
        return losses, raw

    def _with_auxiliary(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return losses where all bags have labels and the pooling has its own loss."""
        bags, targets = batch
        y: Tensor = targets.y  # type: ignore[assignment]
        raw, _, auxiliary = self._pass(bags, targets.weight, y, False)
        losses = self.criterion_(raw, y)
        return (losses if auxiliary is None else losses + auxiliary), raw

    def get_loss(
        self, y_pred: Tensor, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Return the mean loss of labelled bags for given scores."""
        losses, known = partial_losses(self.criterion_, y_pred, y_true.y)
        weight = known if y_true.weight is None else known * y_true.weight
        return (losses * weight).sum() / weight.sum().clamp(min=1e-12)

    def _pass(
        self, bags: Any, weight: Tensor | None, target: Tensor, instances: bool
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Run the module once, in the precision and with the weights of the fit."""
        weighted = weight is not None and self.weighted_norms_
        norms = (
            row_weights(self.weighted_norms_, bags.segments.broadcast(weight))
            if weighted
            else nullcontext()
        )
        with norms, autocast(torch.device(self.device), self.amp_dtype):
            found = self.module_.training_pass(
                bags, target, self.criterion_, instances=instances
            )
        if self.amp_dtype is None:
            return found
        raw, scores, auxiliary = (None if t is None else t.float() for t in found)
        return raw, scores, auxiliary  # type: ignore[return-value]

    def _progress(self) -> float:
        """Return the share of training done."""
        steps = max(self.steps_in_epoch_, 1)
        epochs = self.epochs_before + self.steps_done_ / steps
        return min(epochs / self.total_epochs_, 1.0)


def _placeholders(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return which rows have a target, and targets with valid codes throughout."""
    if y.ndim == 1:
        return y >= 0, y.clamp(min=0)
    return ~y.isnan().all(1), y.nan_to_num()


def instance_sampler(limit: int, generator: torch.Generator) -> InstanceSampler:
    """Return a function that draws at most ``limit`` of n instances.

    Parameters
    ----------
    limit : int
        Instances to keep.
    generator : torch.Generator
        Source of the draw.

    Returns
    -------
    callable
        n -> ascending positions, or None for all.

    Examples
    --------
    >>> sample = instance_sampler(3, torch.Generator().manual_seed(0))
    >>> sample(2) is None, len(sample(10))
    (True, 3)
    """

    def sample(n: int) -> Tensor | None:
        if n <= limit:
            return None
        return torch.randperm(n, generator=generator)[:limit].sort().values

    return sample


def balanced_order(codes: Tensor, generator: torch.Generator) -> Tensor:
    """Return as many rows as there are, of each class equally many, interleaved.

    Rows of rare classes repeat, those of frequent ones take turns over the epochs.
    Rows without a class (code -1) count as a class of their own.

    Parameters
    ----------
    codes : Tensor of shape (n,)
        Classes of the rows.
    generator : torch.Generator
        Source of the order.

    Returns
    -------
    Tensor of shape (n,), int64
        Rows.

    Examples
    --------
    >>> codes = torch.tensor([0, 0, 0, 0, 0, 1])
    >>> codes[balanced_order(codes, torch.Generator())].bincount()
    tensor([3, 3])
    """
    n, classes = len(codes), codes.unique()
    each = -(-n // len(classes))
    columns = []
    for label in classes:
        rows = torch.nonzero(codes == label).squeeze(1)
        rounds = -(-each // len(rows))
        shuffled = [
            rows[torch.randperm(len(rows), generator=generator)] for _ in range(rounds)
        ]
        columns.append(torch.cat(shuffled)[:each])
    # Which class comes first must not be the same in each batch.
    mixed = torch.stack(columns, 1)
    mixed = mixed[:, torch.randperm(len(classes), generator=generator)]
    return mixed.reshape(-1)[:n]
