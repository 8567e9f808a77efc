"""All metrics of synthetic data, each beside its value for real data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mlmi_sklearn.metrics.synthetic._features import scaled_features
from mlmi_sklearn.metrics.synthetic._labels import (
    check_labels,
    is_continuous,
    label_columns,
)
from mlmi_sklearn.metrics.synthetic._tables import Table, aligned_tables, take_rows
from mlmi_sklearn.metrics.synthetic.closeness import distance_to_closest_record, prdc
from mlmi_sklearn.metrics.synthetic.likelihood import parzen_log_likelihood
from mlmi_sklearn.metrics.synthetic.memorisation import membership_auc
from mlmi_sklearn.metrics.synthetic.spread import (
    marginal_gaps,
    within_class_variance_ratio,
)
from mlmi_sklearn.metrics.synthetic.two_samples import (
    c2st_auc,
    frechet_distance,
    kernel_inception_distance,
)
from mlmi_sklearn.metrics.synthetic.utility import trts_score, tstr_score

__all__ = ["evaluate_synthetic"]

Array = NDArray[Any]


@dataclass(frozen=True)
class _Rows:
    """Rows in the space of features, as they were passed, and their labels."""

    space: Array
    table: Table
    y: Any

    def take(self, rows: Array) -> _Rows:
        return _Rows(
            self.space[rows], take_rows(self.table, rows), take_rows(self.y, rows)
        )


@dataclass(frozen=True)
class _Case:
    """Rows to judge, held-out rows to judge by, and training rows if known."""

    made: _Rows
    test: _Rows
    train: _Rows | None
    volume: float
    seed: int

    @cached_property
    def prdc(self) -> dict[str, float]:
        """Precision and so on of samples of one size."""
        size = min(len(self.made.space), len(self.test.space))
        parts = (self.test.space[:size], self.made.space[:size])
        return prdc(*parts, n_neighbors=max(1, min(5, size - 1)), features="raw")

    def labelled(self, function: Callable[..., float], **options: Any) -> float:
        """Call a function of real data and labels, synthetic data and labels."""
        test, made = self.test, self.made
        return function(
            test.space, test.y, made.space, made.y, features="raw", **options
        )

    def plain(self, function: Callable[..., float], **options: Any) -> float:
        """Call a function of real and synthetic data."""
        return function(self.test.space, self.made.space, features="raw", **options)

    def against_train(self, function: Callable[..., float], **options: Any) -> float:
        """Call a function of training, held-out and synthetic data."""
        assert self.train is not None
        return function(self.train.space, self.test.space, self.made.space, **options)

    def copies(self) -> float:
        """Return the share of rows that are equal to a training row."""
        assert self.train is not None
        known = {row.tobytes() for row in self.train.space + 0.0}
        return float(np.mean([row.tobytes() in known for row in self.made.space + 0.0]))


@dataclass(frozen=True)
class _Metric:
    compute: Callable[[_Case], float]
    ideal: float
    needs: tuple[str, ...] = ()


_METRICS: dict[str, _Metric] = {
    "tstr": _Metric(lambda c: c.labelled(tstr_score), 1.0, ("labels",)),
    "tstr_svc": _Metric(
        lambda c: c.labelled(tstr_score, estimator="svc"), 1.0, ("labels", "classes")
    ),
    "trts": _Metric(lambda c: c.labelled(trts_score), 1.0, ("labels",)),
    "c2st": _Metric(lambda c: c.plain(c2st_auc, random_state=c.seed), 0.5),
    "precision": _Metric(lambda c: c.prdc["precision"], 1.0),
    "recall": _Metric(lambda c: c.prdc["recall"], 1.0),
    "density": _Metric(lambda c: c.prdc["density"], 1.0),
    "coverage": _Metric(lambda c: c.prdc["coverage"], 1.0),
    "frechet": _Metric(lambda c: c.plain(frechet_distance), 0.0),
    "kid": _Metric(lambda c: c.plain(kernel_inception_distance), 0.0),
    "parzen": _Metric(
        lambda c: c.plain(parzen_log_likelihood, random_state=c.seed) - c.volume, np.inf
    ),
    "variance_ratio": _Metric(lambda c: c.labelled(within_class_variance_ratio), 1.0),
    "marginal_gap": _Metric(
        lambda c: float(marginal_gaps(c.test.table, c.made.table).mean()), 0.0
    ),
    "dcr": _Metric(
        lambda c: c.against_train(
            distance_to_closest_record, features="raw", random_state=c.seed
        ),
        0.5,
        ("train",),
    ),
    "exact_copies": _Metric(lambda c: c.copies(), 0.0, ("train",)),
    "membership_auc": _Metric(
        lambda c: c.against_train(membership_auc), 0.5, ("train",)
    ),
}


def evaluate_synthetic(
    X_train: Any,
    y_train: Any,
    X_test: Any,
    y_test: Any,
    X_synthetic: Any,
    y_synthetic: Any,
    metrics: str | Sequence[str] = "all",
    *,
    features: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    """Compute metrics of synthetic data, and of training data in their place.

    Parameters
    ----------
    X_train : DataFrame or array-like of shape (n, ...), or None
        Real data that the generator has learned from. None takes one half of the test
        data for real reference, the other half to judge by, and leaves out what tells
        of memorisation.
    y_train : array-like of shape (n,) or (n, k), or None
        Their labels.
    X_test : DataFrame or array-like of shape (m, ...)
        Real data that it has not seen; ten rows at least.
    y_test : array-like of shape (m,) or (m, k), or None
        Their labels. None leaves out what needs labels.
    X_synthetic : DataFrame or array-like of shape (r, ...)
        Synthetic data; ten rows at least.
    y_synthetic : array-like of shape (r,) or (r, k), or None
        Their labels.
    metrics : "all", str or list of str, default="all"
        Which ones, see below.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`.
    random_state : int, RandomState instance or None, default=0
        Draws subsamples, folds and trees.

    Returns
    -------
    DataFrame
        A row for each metric, with the columns "synthetic", "real" and "ideal":

        - "tstr", "tstr_svc", "trts": :func:`tstr_score` with the default estimator and
          with a support vector machine (for classes), :func:`trts_score`;
        - "c2st": :func:`c2st_auc`; "frechet": :func:`frechet_distance`; "kid":
          :func:`kernel_inception_distance`; "parzen": :func:`parzen_log_likelihood`,
          the larger the better;
        - "precision", "recall", "density", "coverage": :func:`prdc` of samples of one
          size, that of the smaller;
        - "variance_ratio": :func:`within_class_variance_ratio`; "marginal_gap": mean of
          :func:`marginal_gaps`;
        - "dcr": :func:`distance_to_closest_record`; "exact_copies": share of rows equal
          to a training row; "membership_auc": see :func:`memorisation_report`. Here
          "real" is what plain copies of the training data have.

    Raises
    ------
    ValueError
        If a metric is not known or needs what was not given, or data do not agree.

    Notes
    -----
    Both columns come from the same number of rows: of synthetic and training data, the
    larger set is subsampled.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import evaluate_synthetic
    >>> rng = np.random.RandomState(0)
    >>> y = np.arange(60) % 2
    >>> train, test, made = rng.normal(size=(3, 60, 2)) + 4 * y[:, None]
    >>> evaluate_synthetic(train, y, test, y, made, y, ["tstr", "dcr"])
          synthetic  real  ideal
    tstr   1.000000   1.0    1.0
    dcr    0.483333   1.0    0.5
    """
    rng = check_random_state(random_state)
    data = {"X_test": X_test, "X_synthetic": X_synthetic}
    if X_train is not None:
        data = {"X_train": X_train, **data}
    parts, volume = scaled_features(data, features)
    labels = {"X_train": y_train, "X_test": y_test, "X_synthetic": y_synthetic}
    tables = aligned_tables(data)
    for name, X in data.items():
        if labels[name] is not None:
            check_labels(labels[name], X, name.replace("X", "y"), name)
    rows = [
        _Rows(space, table, labels[name])
        for name, space, table in zip(data, parts, tables, strict=True)
    ]
    train = rows[0] if X_train is not None else None
    real, test, made = _matched(rows, rng)
    has = _what_is_there(train, real, test, made)
    chosen = _chosen(metrics, has)
    seed = int(rng.randint(np.iinfo(np.int32).max))
    cases = [_Case(part, test, train, volume, seed) for part in (made, real)]
    found = [
        [*(_METRICS[name].compute(case) for case in cases), _METRICS[name].ideal]
        for name in chosen
    ]
    columns = ["synthetic", "real", "ideal"]
    return pd.DataFrame(found, index=chosen, columns=columns, dtype=float)


def _matched(
    rows: list[_Rows], rng: np.random.RandomState
) -> tuple[_Rows, _Rows, _Rows]:
    """Return real, test and synthetic rows in random order; real as many as synthetic.

    Without training data, the test data are cut in two.
    """
    *train, test, made = (part.take(rng.permutation(len(part.space))) for part in rows)
    if train:
        real = train[0]
    else:
        middle = np.arange(len(test.space)) < len(test.space) // 2
        real, test = test.take(middle), test.take(~middle)
    size = np.arange(min(len(real.space), len(made.space)))
    return real.take(size), test, made.take(size)


def _what_is_there(
    train: _Rows | None, real: _Rows, test: _Rows, made: _Rows
) -> set[str]:
    """Return what metrics may need."""
    has = set() if train is None else {"train"}
    if any(part.y is None for part in (real, test, made)):
        return has
    columns = label_columns(test.space, test.y, made.space, made.y)
    if not any(is_continuous(y) for y, _ in columns):
        has.add("classes")
    return has | {"labels"}


def _chosen(metrics: Any, has: set[str]) -> list[str]:
    """Return names of metrics, all that can be computed or those asked for."""
    if isinstance(metrics, str) and metrics == "all":
        return [
            name for name, metric in _METRICS.items() if has.issuperset(metric.needs)
        ]
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in names:
        if name not in _METRICS:
            raise ValueError(
                f'metrics must be "all" or some of {list(_METRICS)}, got {name!r}.'
            )
        missing = [need for need in _METRICS[name].needs if need not in has]
        if missing:
            words = {
                "train": "X_train",
                "labels": "y_train, y_test and y_synthetic",
                "classes": "labels that are classes",
            }
            raise ValueError(
                f"metric {name!r} needs {' and '.join(words[m] for m in missing)}."
            )
    return names
