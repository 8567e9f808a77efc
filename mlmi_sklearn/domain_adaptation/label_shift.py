"""Weights that give the source the class shares of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing

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
        if self.label_shift is not None and isinstance(y, StackedTargets):
            shares, classes = self._target_shares(X, y)
            sample_weight = _reweighted(y, sample_weight, shares, classes)
        super()._fit(X, y, sample_weight, **options)
        if shares is not None:
            self.class_shares_ = shares
            self.adaptation_report_.target_shares = shares
        return self

    def _target_shares(self, X: Stacked, y: StackedTargets) -> tuple[Array, Array]:
        """Return estimated class shares of the target, and the classes."""
        seen = np.flatnonzero(~y.hidden & ~X.domains.is_target)
        others = np.flatnonzero(X.domains.is_target)
        labels = np.asarray(_safe_indexing(y.y, seen))
        # A copy keeps the generator of this estimator untouched.
        blind = clone(self).set_params(
            lambda_=0.0, label_shift=None, selection=None, diagnostics=False
        )
        shares = cross_fitted_shares(
            blind,
            _safe_indexing(X.X, seen),
            labels,
            _safe_indexing(X.X, others),
            method=self.label_shift,
        )
        return np.asarray(shares), np.unique(labels)


def _reweighted(y: StackedTargets, weight: Any, shares: Array, classes: Array) -> Array:
    """Return weights under which source rows have the class shares of the target."""
    n = len(y.hidden)
    result = np.ones(n) if weight is None else np.asarray(weight, dtype=float).copy()
    seen = ~y.hidden
    codes = np.searchsorted(classes, np.asarray(y.y)[seen].astype(classes.dtype))
    own = np.bincount(codes, weights=result[seen], minlength=len(classes))
    factors = shares / (own / own.sum())
    result[seen] *= np.maximum(factors, _LEAST * factors.max())[codes]
    return result
