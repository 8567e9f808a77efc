"""MixVal, which asks whether predictions hold between target rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_random_state

from mlmi_sklearn.metrics.domain_scorers._base import DomainScorer
from mlmi_sklearn.metrics.domain_scorers._domains import DomainRows, plain_labels

__all__ = ["MixValScorer", "mix_rows"]

KINDS = ("both", "intra", "inter")


@dataclass(frozen=True, kw_only=True, repr=False)
class MixValScorer(DomainScorer):
    """Share of mixtures of two target rows that get the class of the larger part."""

    mixing: float = 0.55
    kind: str = "both"
    random_state: int | np.random.RandomState | None = 0

    name: ClassVar[str] = "mixval"
    needs: ClassVar[tuple[str, ...]] = ("target",)
    classifiers_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.5 < self.mixing < 1:
            raise ValueError(f"mixing must lie between 0.5 and 1, got {self.mixing!r}.")
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {self.kind!r}.")

    def _score(self, estimator: Any, rows: DomainRows) -> float:
        X = rows.take(rows.target)
        told = plain_labels(estimator.predict(X))
        if told.ndim != 1:
            raise TypeError("The mixval score needs a classifier of one label a row.")
        codes = np.unique(told, return_inverse=True)[1]
        rng = check_random_state(self.random_state)
        scores = []
        if self.kind != "inter":
            # A row may meet itself, so that a class of one row has a partner too.
            scores.append(self._held(estimator, X, told, _partners(codes, rng)))
        if self.kind != "intra":
            # One class has no borders to test; a collapsed model must not win by it.
            one = codes.max() == 0
            others = None if one else _strangers(codes, rng)
            scores.append(
                0.0 if others is None else self._held(estimator, X, told, others)
            )
        return float(np.mean(scores))

    def _held(
        self, estimator: Any, X: Any, told: NDArray[Any], partner: NDArray[np.intp]
    ) -> float:
        """Return the share of rows whose class survives mixing with a partner."""
        mixed = mix_rows(X, partner, self.mixing)
        return float(np.mean(plain_labels(estimator.predict(mixed)) == told))


def mix_rows(X: Any, partner: NDArray[np.intp], share: float) -> Any:
    """Return ``share`` of each row plus the rest of its partner.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, ...)
        Rows of numbers.
    partner : ndarray of shape (n,), int
        Position of each row's partner.
    share : float
        Part of the row itself, in [0, 1].

    Returns
    -------
    array, DataFrame or csr_matrix of shape (n, ...)

    Raises
    ------
    TypeError
        If rows hold anything but numbers.
    """
    if sparse.issparse(X):
        X = X.tocsr()
        return share * X + (1 - share) * X[partner]
    columns = getattr(X, "columns", None)
    try:
        values = np.asarray(X)
        if values.dtype.kind != "f":
            values = values.astype(float)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "The mixval score mixes rows, so X must hold numbers only; encode other "
            "columns before the search, or use another scorer."
        ) from error
    mixed = share * values + (1 - share) * values[partner]
    if columns is None:
        return mixed
    names = "columns" if hasattr(X, "iloc") else "schema"  # pandas; polars
    return type(X)(mixed, **{names: list(columns)})


def _partners(codes: NDArray[np.intp], rng: np.random.RandomState) -> NDArray[np.intp]:
    """Draw for each row a row of the same class."""
    partner = np.empty(len(codes), dtype=np.intp)
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        partner[members] = rng.permutation(members)
    return partner


def _strangers(codes: NDArray[np.intp], rng: np.random.RandomState) -> NDArray[np.intp]:
    """Draw for each row a row of another class."""
    partner = np.empty(len(codes), dtype=np.intp)
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        partner[members] = rng.choice(np.flatnonzero(codes != code), len(members))
    return partner
