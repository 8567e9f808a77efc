"""The net that trains on two sides at once."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ..nn.adaptation import has_batch_statistics
from ..nn.norms import row_weights
from ..training.batches import TensorBatches
from ..training.clipping import clip_gradients
from ..training.data import Batch
from ..training.device import autocast
from ..training.losslog import LossLog
from ..training.net import LeanNet
from ..training.seeding import generator_on_cpu
from .batches import (
    DomainBatch,
    DomainBatches,
    DomainData,
    Stream,
    without_short_tail,
)
from .objective import DomainObjective, Sides

__all__ = ["DomainNet"]

# Smallest factor of a class that the target seems not to have: its source rows keep a
# little say, in case that was an error.
_LEAST_FACTOR = 1e-3

# Batches at the end of an epoch that the critic is judged by: one alone is noise.
_JUDGED = 8

# Times that a labelled row of the target is in one batch at most, on average.
_REPEATS = 4


class DomainNet(LeanNet):
    """A :class:`LeanNet` that sees a batch of the target beside each of the source.

    Parameters
    ----------
    *args, **kwargs
        As in :class:`LeanNet`.
    objective : DomainObjective, optional
        What the target adds to the loss.
    apart : bool, default=True
        Whether the two sides go through the module one after the other, each with
        batch statistics of its own.
    partial : bool, default=False
        Whether classes that the target seems not to have lose their weight (PADA).
    max_grad_norm : float, optional
        Longest step: gradients are shortened to this norm, all together.

    Attributes
    ----------
    to_probabilities_ : callable or None
        Raw scores -> class probabilities; set before training.
    lambda_path_ : list of float
        Lambda at the end of each epoch.
    class_factors_ : Tensor of shape (n_classes,) or None
        Factors on the weights of source rows, with ``partial``.
    """

    shares_batches = True
    changes = (*LeanNet.changes, "lambda_path_", "class_factors_", "pairs_")
    to_probabilities_: Any = None
    last_sides_: tuple[tuple[Tensor, Tensor, dict[str, Any]], ...] = ()
    class_factors_: Tensor | None = None
    pairs_: DomainBatches | None = None

    def __init__(
        self,
        *args: Any,
        objective: DomainObjective | None = None,
        apart: bool = True,
        partial: bool = False,
        max_grad_norm: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.objective = objective
        self.apart = apart
        self.partial = partial
        self.max_grad_norm = max_grad_norm
        super().__init__(*args, **kwargs)

    # -- data -----------------------------------------------------------------------

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Batch the source, with the target beside it in training."""
        batches = super().get_iterator(dataset, training)
        if training and isinstance(batches, TensorBatches):
            batches.bounds = without_short_tail(batches.bounds, batches.batch_size)
        beside = isinstance(dataset, DomainData) and isinstance(batches, TensorBatches)
        if not training or not beside:
            return batches
        if dataset.target is None and dataset.labelled is None:
            return batches
        target, labelled = self._make_streams(dataset, batches.batch_size)
        self.pairs_ = DomainBatches(batches, target, labelled)
        return self.pairs_

    def _make_streams(self, dataset: DomainData, size: int) -> list[Stream | None]:
        """Open the streams of the target, whose orders leave that of the source be."""
        seed = (self.generator or torch.default_generator).initial_seed()
        # A few labelled rows come several times, so that no two batches are the same
        # to batch normalisation.
        parts = ((dataset.target, 1), (dataset.labelled, _REPEATS))
        return [
            None
            if part is None
            else Stream(
                part, size, generator_on_cpu(seed ^ (k + 1)), repeats, self.ranks_
            )
            for k, (part, repeats) in enumerate(parts)
        ]

    # -- the loop -------------------------------------------------------------------

    def fit_loop(
        self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any
    ) -> DomainNet:
        """Train; the records of the target begin anew."""
        self.lambda_path_: list[float] = []
        self.last_sides_, self.class_factors_ = (), None
        self.domain_terms_: list[Tensor] = []
        self.target_shares_: Tensor | None = None
        self.apart_ = self.apart and has_batch_statistics(self.module_)
        divergence = getattr(self.module_, "divergence", None)
        self.divergence_uses_: frozenset[str] = getattr(divergence, "uses", frozenset())
        objective = self.objective or DomainObjective()
        self.scores_target_ = (
            self.partial
            or objective.looks_at_scores
            or "probabilities" in self.divergence_uses_
        )
        try:
            super().fit_loop(X, y, epochs, **kwargs)
        finally:
            # Or the data would stay in memory.
            self.pairs_, self.last_sides_ = None, ()
        return self

    def _gradients(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Compute gradients of all terms; return the losses of labelled rows alone."""
        self.domain_total_: Tensor | None = None
        losses, raw = super()._gradients(batch)
        if self.max_grad_norm is not None:
            scale = 1.0 if self.scaler_ is None else self.scaler_.get_scale()
            clip_gradients(self.parameters_, scale * self.max_grad_norm)
        if self.domain_total_ is not None:
            losses = losses - self.domain_total_
        return losses, raw

    def batch_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the losses of labelled rows, each with the terms of the target.

        Parameters
        ----------
        batch : tuple
            A :class:`DomainBatch`, or plain source rows, and their targets.

        Returns
        -------
        losses : Tensor of shape (n,)
            Not yet weighted.
        raw : Tensor of shape (n, n_outputs)
            Scores of labelled rows.
        """
        inputs, targets = batch
        if not isinstance(inputs, DomainBatch):
            return super().batch_loss(batch)
        raw, sides = self._forward(inputs)
        losses = self.criterion_(raw, targets.y)
        if sides is None:
            return losses, raw
        objective = self.objective or DomainObjective()
        value, total = objective.terms(self.module_, sides, self._progress())
        self._remember(sides, value, total)
        return losses + total, raw

    def _call(self, function: Any, x: Any) -> Tensor:
        # Rows may come with the codes of their domains.
        return super()._call(function, x[0] if isinstance(x, tuple) else x)

    def _forward(self, batch: DomainBatch) -> tuple[Tensor, Sides | None]:
        """Return scores of labelled rows, and both sides if there are two."""
        parts = [(x, weight) for x, weight in batch.parts if x is not None]
        if self.apart_:
            passed = [
                self._pass(x, weight, self.scores_target_ or x is not batch.target)
                for x, weight in parts
            ]
        else:
            sizes = [len(x) for x, _ in parts]
            whole = self._pass(*_joined(parts))
            passed = list(zip(*(both.split(sizes) for both in whole), strict=True))
        raw_s, zs = passed[0]
        raw = raw_s if batch.labelled is None else torch.cat([raw_s, passed[1][0]])
        if batch.target is None:
            return raw, None
        raw_t, zt = passed[-1]
        keywords = self._keywords(batch, raw_s, raw_t)
        return raw, Sides(zs, zt, raw_s, raw_t, keywords, batch.target_weight)

    def _pass(
        self, x: Tensor, weight: Tensor | None, scores: bool = True
    ) -> tuple[Any, Tensor]:
        """Run the module once; return scores and features in full precision."""
        norms = self.weighted_norms_
        context: Any = nullcontext()
        if weight is not None and norms:
            context = row_weights(norms, weight)
        if self.amp_dtype is None:
            with context:
                return self.module_(x, features=True, scores=scores)
        with context, autocast(torch.device(self.device), self.amp_dtype):
            raw, z = self.module_(x, features=True, scores=scores)
        return (None if raw is None else raw.float()), z.float()

    def _keywords(
        self, batch: DomainBatch, raw_s: Tensor, raw_t: Tensor | None
    ) -> dict[str, Any]:
        """Return what the divergence asks for, where there is something to say."""
        uses, keywords = self.divergence_uses_, {}
        weights = (batch.source_weight, batch.target_weight)
        if "weights" in uses and any(w is not None for w in weights):
            keywords["weights"] = weights
        if "probabilities" in uses and self.to_probabilities_ and raw_t is not None:
            both = (raw_s.detach(), raw_t.detach())
            keywords["probabilities"] = tuple(map(self.to_probabilities_, both))
        if "domains" in uses and batch.domains is not None:
            keywords["domains"] = batch.domains
        return keywords

    def _progress(self) -> float:
        """Return the share of training done."""
        epochs = self.epochs_before + self.steps_done_ / max(self.steps_in_epoch_, 1)
        return min(epochs / self.total_epochs_, 1.0)

    # -- records --------------------------------------------------------------------

    def _remember(self, sides: Sides, value: Tensor, total: Tensor) -> None:
        self.domain_total_ = total.detach()
        self.domain_terms_.append(value)
        judged = sides.zs.detach(), sides.zt.detach(), sides.keywords
        self.last_sides_ = (*self.last_sides_[1 - _JUDGED :], judged)
        if self.partial and self.to_probabilities_ and sides.raw_t is not None:
            shares = self.to_probabilities_(sides.raw_t.detach()).sum(0)
            seen = self.target_shares_
            self.target_shares_ = shares if seen is None else seen + shares

    def _record_epoch(self, prefix: str, log: LossLog) -> float:
        mean = super()._record_epoch(prefix, log)
        if prefix == "train" and self.domain_terms_:
            terms, self.domain_terms_ = self.domain_terms_, []
            self._record_mean("domain_loss", terms)
            self._record_domains()
        return mean

    def _record_domains(self) -> None:
        """Note lambda and how well the critic does; renew the weights of classes."""
        objective = self.objective or DomainObjective()
        self.lambda_path_.append(objective.factor(self._progress()))
        self.history.record("lambda", self.lambda_path_[-1])
        seen = self.last_sides_
        judge = getattr(self.module_.divergence, "domain_accuracy", None)
        if judge is not None and seen and objective.lambda_ > 0:
            with torch.no_grad():
                found = [judge(zs, zt, **keywords) for zs, zt, keywords in seen]
            self._record_mean("discriminator_accuracy", found)
        self.last_sides_ = ()
        if self.target_shares_ is not None:
            shares, self.target_shares_ = self.target_shares_, None
            shares = shares if self.ranks_ is None else self.ranks_.sum_(shares)
            self.class_factors_ = (shares / shares.max()).clamp(min=_LEAST_FACTOR)
            if self.pairs_ is not None:
                self.pairs_.class_factors = self.class_factors_

    def _record_mean(self, name: str, values: list[Tensor]) -> None:
        """Record the mean over the batches of an epoch, and over ranks."""
        mean = float(torch.stack(values).mean())
        if self.ranks_ is not None:
            mean = self.ranks_.mean(mean, 1.0)
        self.history.record(name, mean)


def _joined(parts: list[tuple[Any, Tensor | None]]) -> tuple[Any, Tensor | None]:
    """Put rows one after the other, and their weights if any has one."""
    present = [(x, w) for x, w in parts if x is not None]
    if len(present) == 1:
        return present[0]
    rows = torch.cat([x for x, _ in present])
    if all(w is None for _, w in present):
        return rows, None
    return rows, torch.cat([x.new_ones(len(x)) if w is None else w for x, w in present])
