"""Targets of which some must not be read, and a score that knows which count."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from ..base.host import on_host
from ..base.partial import encode_partly, read_partly
from ..base.targets import Encoded
from .inputs import StackedTargets, read_targets_of
from .scoring import scored_rows

if TYPE_CHECKING:
    from .base import DomainEstimator as Host
else:  # a mixin: real inheritance would put scikit-learn's mixins last
    Host = object

__all__ = ["DomainTargets"]

Array = NDArray[Any]


class DomainTargets(Host):
    """Mixin, before the one that reads and encodes complete targets."""

    def score(
        self, X: Any, y: Any, sample_domain: Any = None, sample_weight: Any = None
    ) -> float:
        """Score predictions where labels are known, on the target if it is named.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.
        y : array-like
            True targets; rows that carry the marker for an unknown one do not count.
        sample_domain : array-like of shape (n_samples,), scalar, default=None
            Ids of domains. If any row of a target has a label, those rows alone count.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Accuracy of a classifier, R2 of a regressor.

        Raises
        ------
        ValueError
            If no row has a label.
        """
        check_is_fitted(self)
        y, sample_weight = on_host(y), on_host(sample_weight)
        rows = scored_rows(self, X, y, on_host(sample_domain))
        if rows is not None:
            X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
            if sample_weight is not None:
                sample_weight = _safe_indexing(sample_weight, rows)
        return float(super().score(X, y, sample_weight=sample_weight))

    # -- stages of the template --------------------------------------------------------

    def _read_targets(self, y: Any) -> Any:
        def read(part: Any) -> Any:
            inner: Callable[[Any], Array] = super(DomainTargets, self)._read_targets
            return read_partly(inner, part, integers=self._minus_one_marks)

        return read_targets_of(y, read) if isinstance(y, StackedTargets) else read(y)

    def _encode(self, y: Any, weight: Array | None) -> Encoded:
        return encode_partly(super()._encode, y, weight)

    def _encode_again(self, y: Any, weight: Array | None) -> Encoded:
        return encode_partly(super()._encode_again, y, weight)

    def _encode_known(self, classes: Array, y: Any, weight: Array | None) -> Encoded:
        encode: Callable[..., Encoded] = partial(super()._encode_known, classes)
        return encode_partly(encode, y, weight)
