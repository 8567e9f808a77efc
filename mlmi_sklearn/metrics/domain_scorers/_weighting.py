"""Errors on the source, weighted so that they stand for the target.

Both scores assume covariate shift: rows are drawn differently in the two domains, but a
row has the same label in either. The ratio of the densities comes from a classifier
that tells target from source; each row is weighed by one that has not seen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone, is_regressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from mlmi_sklearn.metrics.domain_scorers._base import DomainScorer, metric_scorer
from mlmi_sklearn.metrics.domain_scorers._domains import DomainRows, plain_labels
from mlmi_sklearn.metrics.domain_scorers._outputs import features, probabilities

__all__ = ["DEVScorer", "ImportanceWeightedScorer", "density_ratio"]

# Odds beyond 1000 to 1 would rest the score on a single row.
SMALLEST = 1e-3


def density_ratio(
    Fs: Any,
    Ft: Any,
    classifier: Any = None,
    n_folds: int = 5,
    random_state: int | np.random.RandomState | None = 0,
) -> NDArray[np.float64]:
    """Return the ratio of target to source density at rows of the source.

    Parameters
    ----------
    Fs, Ft : array or sparse matrix of shape (n, d) and (m, d)
        Features of source and target.
    classifier : classifier, default=None
        Tells 0, source, from 1, target, by ``predict_proba``. None is a logistic
        regression on scaled features.
    n_folds : int, default=5
        Each row is rated by a classifier that was fitted to the other folds; fewer
        where a domain has fewer rows.
    random_state : int, RandomState instance or None, default=0
        Draws the folds.

    Returns
    -------
    ndarray of shape (n,)
        Positive; between 1e-3 and 1e3 times ``n / m``.

    Raises
    ------
    ValueError
        If a domain has fewer than two rows.
    """
    n, m = Fs.shape[0], Ft.shape[0]
    if min(n, m) < 2:
        raise ValueError(
            "Density ratios need two rows of either domain at least, got "
            f"{n} of the source and {m} of the target."
        )
    if classifier is None:
        classifier = make_pipeline(
            StandardScaler(with_mean=not sparse.issparse(Fs)),
            LogisticRegression(max_iter=1000),
        )
    Z = sparse.vstack([Fs, Ft]).tocsr() if sparse.issparse(Fs) else np.r_[Fs, Ft]
    domain = np.repeat([0, 1], [n, m])
    folds = StratifiedKFold(
        min(n_folds, n, m),
        shuffle=True,
        random_state=check_random_state(random_state).randint(np.iinfo(np.int32).max),
    )
    p = cross_val_predict(
        clone(classifier), Z, domain, cv=folds, method="predict_proba"
    )[:n, 1]
    odds = p * n / np.maximum((1 - p) * m, SMALLEST * p * n)
    return np.clip(odds, SMALLEST, 1 / SMALLEST)


@dataclass(frozen=True, kw_only=True, repr=False)
class _Weighted(DomainScorer):
    """Weighs labelled source rows by the density ratio of their features."""

    domain_classifier: Any = None
    cv: int = 5
    random_state: int | np.random.RandomState | None = 0

    needs: ClassVar[tuple[str, ...]] = ("labelled", "target")

    def __post_init__(self) -> None:
        if not isinstance(self.cv, int | np.integer) or self.cv < 2:
            raise ValueError(f"cv must be a whole number, 2 at least, got {self.cv!r}.")
        classifier = self.domain_classifier
        if classifier is not None and not hasattr(classifier, "predict_proba"):
            raise TypeError(
                "domain_classifier must be a classifier with predict_proba, got "
                f"{classifier!r}."
            )

    def _ratio(self, estimator: Any, rows: DomainRows) -> NDArray[np.float64]:
        """Return the density ratio at labelled source rows."""
        return density_ratio(
            features(estimator, rows.take(rows.labelled)),
            features(estimator, rows.take(rows.target)),
            self.domain_classifier,
            self.cv,
            self.random_state,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class ImportanceWeightedScorer(_Weighted):
    """A score of source rows, weighted by density ratios."""

    scoring: Any = None

    name: ClassVar[str] = "importance-weighted"

    def _score(self, estimator: Any, rows: DomainRows) -> float:
        scorer = metric_scorer(self.scoring, estimator)
        X, y, weight = (
            rows.take(rows.labelled),
            rows.labels,
            self._ratio(estimator, rows),
        )
        return float(scorer(estimator, X, y, sample_weight=weight))


@dataclass(frozen=True, kw_only=True, repr=False)
class DEVScorer(_Weighted):
    """Minus the weighted error of source rows, with a control variate."""

    loss: str = "zero-one"

    name: ClassVar[str] = "dev"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in ("zero-one", "log"):
            raise ValueError(f'loss must be "zero-one" or "log", got {self.loss!r}.')

    def _score(self, estimator: Any, rows: DomainRows) -> float:
        weight = self._ratio(estimator, rows)
        loss = self._losses(estimator, rows.take(rows.labelled), rows.labels)
        weighted = weight * loss
        # Weights have mean 1 where the ratio is right; how far they miss it tells in
        # which direction, and by how much, the mean of the weighted losses misses.
        centred = weight - weight.mean()
        spread = np.sum(centred**2)
        slope = np.sum(centred * weighted) / spread if spread > 0 else 0.0
        return float(-(weighted.mean() - slope * (weight.mean() - 1)))

    def _losses(self, estimator: Any, X: Any, y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the loss of each row."""
        if is_regressor(estimator):
            square = (np.asarray(estimator.predict(X), dtype=float) - y) ** 2
            return square if square.ndim == 1 else square.mean(axis=1)
        if self.loss == "zero-one":
            return (plain_labels(estimator.predict(X)) != y).astype(float)
        # A class the estimator has never met has probability 0.
        right = y[:, None] == np.asarray(estimator.classes_)[None, :]
        p = np.sum(probabilities(estimator, X) * right, axis=1)
        return -np.log(np.maximum(p, np.finfo(float).eps))
