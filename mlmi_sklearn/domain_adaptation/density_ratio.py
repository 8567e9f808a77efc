r"""How much likelier a source row is in the target: :math:`p_t(x) / p_s(x)`."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from ._mixture import mixture_shares

__all__ = ["effective_sample_size", "estimate_density_ratio"]

Array = NDArray[Any]

# Strengths of regularisation, and widths in multiples of the median distance, of which
# the one with the best likelihood out of fold is taken.
_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
_WIDTHS = (0.1, 0.2, 0.35, 0.6, 1.0, 2.0)

# Squares and products are offered only while there are so many rows for each.
_ROWS_PER_FEATURE = 10

_TINY = 1e-12


def estimate_density_ratio(
    X_source: Any,
    X_target: Any,
    *,
    method: str = "classifier",
    estimator: Any = None,
    clip: float | None = 10.0,
    cv: int = 5,
    n_centres: int = 100,
    random_state: Any = None,
) -> Array:
    r"""Estimate :math:`w(x) = p_t(x) / p_s(x)` at the source rows.

    A model trained on source rows with these weights is trained for the target, if
    only p(x) differs between the domains (covariate shift).

    ``"classifier"``: a probabilistic classifier d tells target from source, and
    :math:`w(x) = \frac{n_s}{n_t} \frac{d(t | x)}{d(s | x)}`. Each row is judged by a
    classifier that has not seen it. ``"kliep"``: w is a sum of Gaussian kernels at
    target rows, with the coefficients under which :math:`\sum_t \log w(x_t)` is largest
    and the mean of w over the source is 1; the width is chosen by the likelihood of
    target rows left out.

    Parameters
    ----------
    X_source : array-like or sparse matrix of shape (n_source, n_features)
        Source rows.
    X_target : array-like or sparse matrix of shape (n_target, n_features)
        Target rows.
    method : {"classifier", "kliep"}, default="classifier"
        How to estimate. KLIEP suits few features, in which distances mean something.
    estimator : estimator, default=None
        For ``method="classifier"``: a classifier with calibrated ``predict_proba``.
        None means logistic regression on scaled features, of several strengths of
        regularisation, with and without squares and products of features (where there
        are 10 rows for each), whichever has the lowest log loss out of fold.
    clip : float or None, default=10.0
        Largest weight, in multiples of the mean, before weights are scaled to a mean
        of 1 again; above 1. None for no limit. Few rows of large weight make for
        models of high variance.
    cv : int, default=5
        Folds, at least 2; fewer if a domain has fewer rows.
    n_centres : int, default=100
        For ``method="kliep"``: kernels, at target rows drawn at random.
    random_state : int, RandomState instance or None, default=None
        For folds and kernels.

    Returns
    -------
    ndarray of shape (n_source,)
        Weights of at least 0 and of mean 1. All are 1 if the target has one row only
        or the domains cannot be told apart.

    Raises
    ------
    ValueError
        If the rows are not finite, differ in width, or an argument is out of range.

    See Also
    --------
    ImportanceWeightedClassifier : Trains with these weights.
    effective_sample_size : How many rows are left, so to speak.

    References
    ----------
    Bickel, Brückner and Scheffer, *Discriminative learning under covariate shift*,
    JMLR 10, 2009, equation 12.

    Sugiyama, Suzuki, Nakajima, Kashima, von Bünau and Kawanabe, *Direct importance
    estimation for covariate shift adaptation*, Annals of the Institute of Statistical
    Mathematics 60, 2008, algorithms of figures 1 and 2. Scaled to the simplex, their
    problem is that of the shares of a mixture, and is solved as such.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, X_target = rng.normal(0, 1, (500, 1)), rng.normal(1, 1, (500, 1))
    >>> truth = np.exp(X[:, 0] - 0.5)
    >>> w = estimate_density_ratio(X, X_target, random_state=0)
    >>> bool(np.corrcoef(w, truth)[0, 1] > 0.9)
    True
    """
    _check_arguments(method, clip, cv, n_centres)
    source, target = _read(X_source, X_target)
    random = check_random_state(random_state)
    if target.shape[0] < 2 or source.shape[0] < 2:
        return np.ones(source.shape[0])
    if method == "classifier":
        ratio = _by_classifier(source, target, estimator, cv, random)
    else:
        ratio = _by_kernels(source, target, cv, n_centres, random)
    if not ratio.any():
        # No source row is near any target row; none is better than another.
        return np.ones(source.shape[0])
    ratio = ratio / ratio.mean()
    if clip is not None:
        ratio = np.minimum(ratio, clip)
    return ratio / ratio.mean()


def effective_sample_size(weight: Any) -> float:
    r"""Return how many equally weighted rows are worth as much as weighted ones.

    :math:`(\sum w)^2 / \sum w^2`, by Kish: between 1 and the number of rows.

    Parameters
    ----------
    weight : array-like of shape (n,)
        Weights of at least 0, not all 0.

    Returns
    -------
    float
        At least 1.

    Examples
    --------
    >>> effective_sample_size([1, 1, 1, 1]), effective_sample_size([4, 0, 0, 0])
    (4.0, 1.0)
    """
    weight = np.asarray(weight, dtype=np.float64)
    return float(weight.sum() ** 2 / np.square(weight).sum())


# -- a classifier of domains -----------------------------------------------------------


def _by_classifier(
    source: Any, target: Any, estimator: Any, cv: int, random: Any
) -> Array:
    if sparse.issparse(source):
        X = sparse.vstack([source, target], format="csr")
    else:
        X = np.concatenate([source, target])
    n, m = source.shape[0], target.shape[0]
    codes = np.repeat([0, 1], [n, m])
    split = StratifiedKFold(min(cv, n, m), shuffle=True, random_state=random)
    parts = list(split.split(np.zeros(n + m), codes))
    if estimator is not None:
        return _out_of_fold(estimator, X, codes, parts)[1][:n]
    judged = [
        _out_of_fold(
            LogisticRegression(C=strength, max_iter=500), features, codes, parts
        )
        for features in _features(X)
        for strength in _STRENGTHS
    ]
    # From simple to flexible; of equals the first is taken.
    return min(judged, key=itemgetter(0))[1][:n]


def _features(X: Any) -> list[Any]:
    """Return scaled features, and with squares and products where there are few."""
    n, d = X.shape
    few = d * (d + 3) // 2 * _ROWS_PER_FEATURE <= n
    X = X.toarray() if few and sparse.issparse(X) else X
    scaled = StandardScaler(with_mean=not sparse.issparse(X)).fit_transform(X)
    if not few:
        return [scaled]
    return [scaled, PolynomialFeatures(2, include_bias=False).fit_transform(scaled)]


def _out_of_fold(
    model: Any, X: Any, codes: Array, parts: list[Any]
) -> tuple[float, Array]:
    """Return log loss and ratios of densities, by models that have not seen the row."""
    p, ratio = np.empty((len(codes), 2)), np.empty(len(codes))
    # A search inside must not ask for requests of metadata that nobody passes.
    with config_context(enable_metadata_routing=False):
        for train, test in parts:
            fitted = clone(model).fit(X[train], codes[train])
            p[test] = fitted.predict_proba(X[test])
            n, m = np.bincount(codes[train])
            ratio[test] = n / m * p[test, 1] / np.maximum(p[test, 0], _TINY)
    return float(log_loss(codes, p)), ratio


# -- kernels ---------------------------------------------------------------------------


def _by_kernels(
    source: Any, target: Any, cv: int, n_centres: int, random: Any
) -> Array:
    chosen = random.permutation(target.shape[0])[:n_centres]
    scale = StandardScaler(with_mean=not sparse.issparse(source)).fit(source)
    source, target = scale.transform(source), scale.transform(target)
    centres = target[chosen]
    of_target = euclidean_distances(target, centres, squared=True)
    of_source = euclidean_distances(source, centres, squared=True)
    # Rounding puts rows a little away from themselves.
    apart = of_target[of_target > 1e-9 * of_target.max()]
    median = float(np.median(apart)) if len(apart) else 1.0
    folds = KFold(min(cv, len(of_target)), shuffle=True, random_state=random)
    parts = list(folds.split(of_target))
    best, kept = -np.inf, np.zeros(len(of_source))
    for factor in _WIDTHS:
        width = 2 * median * factor**2
        at_target, at_source = np.exp(-of_target / width), np.exp(-of_source / width)
        scores = [_held_out(at_target, at_source, chosen, *part) for part in parts]
        score = float(np.mean(scores))
        if score > best:
            best, kept = score, at_source @ _kliep(at_target, at_source)
    return kept


def _kliep(at_target: Array, at_source: Array) -> Array:
    """Return coefficients of kernels, so that the mean over the source is 1.

    A kernel divided by its mean over the source is a ratio of densities itself, and a
    mixture of those has mean 1 if and only if its shares have sum 1.
    """
    means = at_source.mean(axis=0)
    reached = means > _TINY
    if not reached.any():
        return np.zeros(len(means))
    densities = at_target[:, reached] / means[reached]
    alpha = np.zeros(len(means))
    shares = mixture_shares(densities + _TINY, tol=1e-4, max_iter=500)
    alpha[reached] = shares / means[reached]
    return alpha


def _held_out(
    at_target: Array, at_source: Array, chosen: Array, train: Array, test: Array
) -> float:
    """Return the mean log ratio at target rows that had no part in it."""
    # A kernel at a row left out would know where that row is.
    known = np.isin(chosen, train)
    if not known.any():
        return -np.inf
    alpha = _kliep(at_target[np.ix_(train, known)], at_source[:, known])
    return float(np.log(at_target[np.ix_(test, known)] @ alpha + _TINY).mean())


# -- reading ---------------------------------------------------------------------------


class _Reader(BaseEstimator):
    """Stands in for an estimator where a function reads rows."""


def _read(X_source: Any, X_target: Any) -> tuple[Any, Any]:
    reader = _Reader()
    options: dict[str, Any] = {"accept_sparse": "csr", "dtype": np.float64}
    source = validate_data(reader, X_source, **options)
    target = validate_data(reader, X_target, reset=False, **options)
    if sparse.issparse(source) != sparse.issparse(target):
        source, target = sparse.csr_matrix(source), sparse.csr_matrix(target)
    return source, target


def _check_arguments(method: str, clip: float | None, cv: int, n_centres: int) -> None:
    if method not in ("classifier", "kliep"):
        raise ValueError(f"method={method!r} is neither 'classifier' nor 'kliep'.")
    if clip is not None and not clip > 1:
        raise ValueError(f"clip={clip} must be above 1, the mean weight, or None.")
    if cv < 2:
        raise ValueError(f"cv={cv} must be at least 2 folds.")
    if n_centres < 1:
        raise ValueError(f"n_centres={n_centres} must be at least 1.")
