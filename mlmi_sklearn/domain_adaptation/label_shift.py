"""Weights that give the source the class shares of the target."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state

from ..base.inputs import as_host_array, read_weight
from ..containers.unlabelled import unlabelled
from .class_shares import cross_fitted_shares
from .inputs import Stacked, StackedTargets

if TYPE_CHECKING:
    from .base import DomainEstimator as Host
else:  # a mixin: real inheritance would put scikit-learn's mixins last
    Host = object

__all__ = ["LabelShift"]

Array = NDArray[Any]

# Classes that the target seems not to have keep this share of their weight, so that
# an error of the estimate cannot remove them from the model.
_LEAST = 1e-3


class LabelShift(Host):
    """Mixin: estimate class shares of the target before training."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, **options: Any) -> Any:
        """Weight source rows by their classes first, if that is asked for."""
        shares = None
        if self.label_shift is not None and options.get("epochs") is not None:
            raise ValueError(
                f"label_shift={self.label_shift!r} needs all data at once; pass "
                "sample_weight to partial_fit instead."
            )
        if self.label_shift is not None and isinstance(y, StackedTargets):
            values = np.asarray(as_host_array(y.y))
            if values.ndim == 1 and X.domains.is_target.any():
                weight = read_weight(sample_weight, len(values))
                seen, labels = _source_labels(X, y, values, weight)
                shares = self._target_shares(X, seen, labels)
                sample_weight = _reweighted(seen, labels, weight, shares, len(values))
        super()._fit(X, y, sample_weight, **options)
        if shares is not None:
            self.class_shares_ = shares
            self.adaptation_report_.target_shares = shares
        return self

    def _target_shares(self, X: Stacked, seen: Array, labels: Array) -> Array:
        """Return estimated shares, in the target, of the classes of source rows."""
        # A copy keeps the generator of this estimator untouched.
        blind = clone(self).set_params(
            lambda_=0.0, label_shift=None, selection=None, diagnostics=False
        )
        shares = cross_fitted_shares(
            blind,
            _safe_indexing(X.X, seen),
            labels,
            _safe_indexing(X.X, np.flatnonzero(X.domains.is_target)),
            method=self.label_shift,
            random_state=_seed_of(self.random_state),
        )
        return np.asarray(shares)


def _seed_of(random_state: Any) -> int:
    """Return a seed for the folds; a generator is left for the training itself."""
    return int(check_random_state(copy.deepcopy(random_state)).randint(2**31 - 1))


def _source_labels(
    X: Stacked, y: StackedTargets, values: Array, weight: Array | None
) -> tuple[Array, Array]:
    """Return numbers of labelled source rows that weigh anything, and their labels."""
    known = ~y.hidden
    missing = unlabelled(values[known])
    if missing is not None:
        known[known] = ~missing
    if weight is not None:
        known &= weight > 0
    source = known & ~X.domains.is_target
    labels = [np.asarray(values[rows].tolist()) for rows in (source, known)]
    alone = np.setdiff1d(labels[1], labels[0])
    if len(alone):
        raise ValueError(
            f"label_shift: no row of a source has the classes {alone.tolist()}, so "
            "their shares cannot be estimated. Leave such rows out, or set "
            "label_shift=None."
        )
    return np.flatnonzero(source), labels[0]


def _reweighted(
    seen: Array, labels: Array, weight: Array | None, shares: Array, n: int
) -> Array:
    """Return weights under which source rows have the class shares of the target."""
    result = np.ones(n) if weight is None else weight.copy()
    codes = np.unique(labels, return_inverse=True)[1]
    own = np.bincount(codes, weights=result[seen])
    factors = shares / (own / own.sum())
    result[seen] *= np.maximum(factors, _LEAST * factors.max())[codes]
    return result
