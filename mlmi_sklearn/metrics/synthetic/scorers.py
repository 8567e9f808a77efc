"""Metrics of synthetic data by name, for stopping early and for searches."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from mlmi_sklearn.metrics.synthetic._tables import row_count
from mlmi_sklearn.metrics.synthetic.closeness import prdc
from mlmi_sklearn.metrics.synthetic.likelihood import parzen_log_likelihood
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

__all__ = ["SYNTHETIC_SCORERS", "SamplerScorer", "make_sampler_scorer"]

Scorer = Callable[..., float]
"""``(X, y, X_synthetic, y_synthetic) -> float``, higher is better."""


def _neighbourhood(name: str) -> Scorer:
    """Return a scorer by one of precision, recall, density and coverage."""

    def score(
        X: Any, y: Any, X_synthetic: Any, y_synthetic: Any, **options: Any
    ) -> float:
        most = min(row_count(X), row_count(X_synthetic)) - 1
        options = {"n_neighbors": max(1, min(5, most)), **options}
        value = prdc(X, X_synthetic, **options)[name]
        return -abs(value - 1.0) if name == "density" else value

    return score


def _c2st(X: Any, y: Any, X_synthetic: Any, y_synthetic: Any, **options: Any) -> float:
    return -abs(c2st_auc(X, X_synthetic, **options) - 0.5)


def _frechet(
    X: Any, y: Any, X_synthetic: Any, y_synthetic: Any, **options: Any
) -> float:
    return -frechet_distance(X, X_synthetic, **options)


def _kid(X: Any, y: Any, X_synthetic: Any, y_synthetic: Any, **options: Any) -> float:
    return -kernel_inception_distance(X, X_synthetic, **options)


def _parzen(
    X: Any, y: Any, X_synthetic: Any, y_synthetic: Any, **options: Any
) -> float:
    return parzen_log_likelihood(X, X_synthetic, **options)


def _marginals(X: Any, y: Any, X_synthetic: Any, y_synthetic: Any) -> float:
    return -float(marginal_gaps(X, X_synthetic).mean())


def _variance(
    X: Any, y: Any, X_synthetic: Any, y_synthetic: Any, **options: Any
) -> float:
    ratio = within_class_variance_ratio(X, y, X_synthetic, y_synthetic, **options)
    return -abs(ratio - 1.0)


def _svc(X: Any, y: Any, X_synthetic: Any, y_synthetic: Any, **options: Any) -> float:
    options = {"estimator": "svc", **options}
    return tstr_score(X, y, X_synthetic, y_synthetic, **options)


SYNTHETIC_SCORERS: dict[str, Scorer] = {
    "tstr": tstr_score,
    "tstr_svc": _svc,
    "trts": trts_score,
    "c2st": _c2st,
    "precision": _neighbourhood("precision"),
    "recall": _neighbourhood("recall"),
    "density": _neighbourhood("density"),
    "coverage": _neighbourhood("coverage"),
    "frechet": _frechet,
    "kid": _kid,
    "parzen": _parzen,
    "variance_ratio": _variance,
    "marginal_gap": _marginals,
}
"""Scorers ``(X, y, X_synthetic, y_synthetic, **options) -> float``, higher is better.

Distances are negative, and so are deviations from what is right, of "c2st" from 0.5, of
"density" and "variance_ratio" from 1. Those that need no labels take None for y.
"""


class SamplerScorer:
    """Score a fitted generator by its samples; see :func:`make_sampler_scorer`.

    Parameters
    ----------
    name : str
        A name in ``SYNTHETIC_SCORERS``.
    n_samples : int or None, default=None
        Number of samples; None is that of the real rows.
    random_state : int or None, default=0
        Seed of the samples.
    options : dict or None, default=None
        Options of the metric.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> from mlmi_sklearn.metrics.synthetic import SamplerScorer
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> SamplerScorer("coverage")(GaussianMixture().fit(X), X) > 0.8
    True
    """

    def __init__(
        self,
        name: str,
        n_samples: int | None = None,
        random_state: int | None = 0,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.n_samples = n_samples
        self.random_state = random_state
        self.options = dict(options or {})

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, **sample_params: Any
    ) -> float:
        """Return the score of samples beside real data; higher is better.

        Parameters
        ----------
        estimator : estimator with ``sample``
            Fitted.
        X : DataFrame or array-like of shape (n, ...)
            Real data.
        y : array-like of shape (n,) or (n, k), default=None
            Their labels, which are asked for where ``sample`` takes a ``y``.
        **sample_params : dict
            Passed to ``sample``, for example ``condition``.

        Returns
        -------
        float
        """
        accepted = inspect.signature(estimator.sample).parameters
        n = row_count(X) if self.n_samples is None else self.n_samples
        conditional = "y" in accepted and y is not None
        if conditional:
            sample_params["y"] = _recycled(y, n)
        if "random_state" in accepted:
            sample_params["random_state"] = self.random_state
        drawn = estimator.sample(n, **sample_params)
        made = drawn[0] if isinstance(drawn, tuple) else drawn
        labels = sample_params["y"] if conditional else None
        scorer = SYNTHETIC_SCORERS[self.name]
        return float(scorer(X, y, made, labels, **self.options))

    def __repr__(self) -> str:
        options = "".join(f", {key}={value!r}" for key, value in self.options.items())
        return f"make_sampler_scorer({self.name!r}{options})"


def make_sampler_scorer(
    name: str = "tstr",
    *,
    n_samples: int | None = None,
    random_state: int | None = 0,
    **options: Any,
) -> SamplerScorer:
    """Make a scorer of generators for ``scoring=`` of searches and cross-validation.

    Parameters
    ----------
    name : str, default="tstr"
        A name in ``SYNTHETIC_SCORERS``: "tstr", "tstr_svc", "trts", "c2st",
        "precision", "recall", "density", "coverage", "frechet", "kid", "parzen",
        "variance_ratio" or "marginal_gap". All are turned so that higher is better.
    n_samples : int, default=None
        Number of samples; None is that of the real rows. Labels are repeated or cut to
        this number.
    random_state : int, default=0
        Seed of the samples, where ``sample`` takes one.
    **options : dict
        Options of the metric, such as ``features``.

    Returns
    -------
    SamplerScorer
        Callable as ``scorer(estimator, X, y=None)``, picklable.

    Raises
    ------
    ValueError
        If there is no such name.

    Notes
    -----
    The estimator needs a method ``sample(n, ...)`` that returns samples or a tuple of
    samples and labels, so that scikit-learn's mixtures and kernel densities can be
    compared with a GAN in one search, by metrics without labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.neighbors import KernelDensity
    >>> from mlmi_sklearn.metrics import make_sampler_scorer
    >>> X = np.random.RandomState(0).normal(size=(100, 2))
    >>> search = GridSearchCV(
    ...     KernelDensity(), {"bandwidth": [0.3, 9.0]},
    ...     scoring=make_sampler_scorer("frechet"),
    ... )
    >>> search.fit(X).best_params_
    {'bandwidth': 0.3}
    """
    if name not in SYNTHETIC_SCORERS:
        raise ValueError(
            f"name must be one of {list(SYNTHETIC_SCORERS)}, got {name!r}."
        )
    return SamplerScorer(name, n_samples, random_state, options)


def _recycled(y: Any, n: int) -> Any:
    """Return labels repeated or cut to n rows."""
    if row_count(y) == n:
        return y
    rows = np.arange(n) % row_count(y)
    return y.iloc[rows] if hasattr(y, "iloc") else np.asarray(y)[rows]
