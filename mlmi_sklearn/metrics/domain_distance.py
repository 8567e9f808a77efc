"""How well source and target can be told apart by a classifier.

If no classifier of a class can tell two domains, what is learnt on one carries over to
the other as far as that class is concerned (Ben-David et al. 2010). Both functions here
learn to tell rows of the source from rows of the target on one half of either and look
at the errors on the other half.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import check_random_state

from mlmi_sklearn.metrics._domain_arrays import (
    Sample,
    check_pair,
    check_weights,
    halves,
    in_order,
    of_ordinary_size,
)

__all__ = ["h_divergence", "proxy_a_distance"]

DEFAULT_C = (1e-5, 1e-3, 1e-1, 1e1, 1e3)


def proxy_a_distance(
    Xs: Any,
    Xt: Any,
    *,
    C: float | Sequence[float] = DEFAULT_C,
    sample_weight: tuple[Any, Any] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    r"""Proxy A-distance: how well a linear machine tells two samples apart.

    .. math:: 2\,(1 - 2\,\varepsilon)

    where :math:`\varepsilon` is the error of a linear support vector machine on rows
    it has not seen: 0 where the domains cannot be told apart, 2 where they always can.

    Parameters
    ----------
    Xs : array-like or sparse matrix of shape (n, ...)
        Source, two rows at least. Images and the like are flattened.
    Xt : array-like or sparse matrix of shape (m, ...)
        Target, with the same features.
    C : float or sequence of float, default=(1e-5, 1e-3, 0.1, 10, 1000)
        Strengths of the machine to choose from. Of several, the one with the smallest
        error in a cross-validation inside the learning half is taken, the smallest of
        equals: choosing on the testing half would make equal domains look apart.
    sample_weight : tuple of two array-like or None, default=None
        Weights ``(of Xs, of Xt)``, each of shape (n,) or None.
    random_state : int, RandomState instance or None, default=0
        Draws the halves.

    Returns
    -------
    float
        In [0, 2]. The error is the mean of the errors on source and on target, so
        unequal sizes do not matter; errors above one half count as their distance
        below it.

    Raises
    ------
    ValueError
        If a sample has fewer than two rows, features differ, or C is not positive.

    Notes
    -----
    Features are scaled to unit variance as the learning half has it. Equal rows are
    kept in the same half, so the distance of a sample to itself is exactly 0, and the
    value does not depend on the order of rows or of the two samples. Two different
    samples of one distribution lie apart by chance: with `k` rows in each testing half,
    by about ``1.1 / sqrt(k)``. The paper of Ganin et al. chose among ten values of C
    from 1e-5 to 1e4, ``C=numpy.logspace(-5, 4, 10)``; with scaled features five of
    them do as well in half the time.

    References
    ----------
    Ben-David et al., "Analysis of representations for domain adaptation", NIPS 2006.
    Ganin et al., "Domain-adversarial training of neural networks", JMLR 17, 2016,
    sections 3.2 and 5.1.5.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import proxy_a_distance
    >>> X = np.random.RandomState(0).normal(size=(100, 3))
    >>> proxy_a_distance(X, X)
    0.0
    >>> proxy_a_distance(X, X + 100.0)
    2.0
    """
    strengths = _check_strengths(C)
    Xs, Xt = of_ordinary_size(*check_pair(Xs, Xt, min_rows=2))
    ws, wt = check_weights(sample_weight, Xs, Xt)
    rng = check_random_state(random_state)
    train, test = halves(*in_order(Xs, Xt, ws, wt), rng)
    Z, domain, weight = _stacked(train)
    scaler = StandardScaler(with_mean=not sparse.issparse(Z)).fit(Z)
    Z = scaler.transform(Z)
    best = _best_strength(Z, domain, weight, strengths, rng)
    machine = _fit_machine(best, Z, domain, weight)
    return _divergence(machine.predict, test, scaler.transform)


def h_divergence(
    Xs: Any,
    Xt: Any,
    estimator: Any = None,
    *,
    held_out: bool = True,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    r"""Empirical H-divergence of two samples under any classifier of domains.

    .. math::

        2\,\Bigl(1 - \Bigl[\frac{1}{n} \sum_{x \in S} I[\eta(x) = t] +
        \frac{1}{m} \sum_{x \in T} I[\eta(x) = s]\Bigr]\Bigr)

    where the classifier :math:`\eta` has learnt to tell source s from target t; the
    smallest sum a class of classifiers H can reach gives the divergence under H.

    Parameters
    ----------
    Xs : array-like or sparse matrix of shape (n, ...)
        Source, two rows at least. Images and the like are flattened.
    Xt : array-like or sparse matrix of shape (m, ...)
        Target, with the same features.
    estimator : classifier, default=None
        Tells 0, the source, from 1, the target; a clone is fitted. None is a logistic
        regression on scaled features with balanced domains.
    held_out : bool, default=True
        Whether one half of the rows is learnt from and the other half looked at. With
        False all rows are both, as in the definition, and a classifier that can
        remember its rows finds any two samples apart.
    random_state : int, RandomState instance or None, default=0
        Draws the halves.

    Returns
    -------
    float
        In [0, 2]; as H may turn a classifier round, a negative value counts as
        positive.

    Raises
    ------
    ValueError
        If a sample has fewer than two rows, or features differ.
    TypeError
        If `estimator` is not a classifier.

    References
    ----------
    Ben-David et al., "A theory of learning from different domains", Machine Learning
    79, 2010. Ganin et al., JMLR 17, 2016, equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from mlmi_sklearn.metrics import h_divergence
    >>> X = np.random.RandomState(0).normal(size=(100, 3))
    >>> h_divergence(X, X + [9.0, 0.0, 0.0])
    2.0
    >>> h_divergence(X, X, KNeighborsClassifier())
    0.0
    """
    if estimator is not None and not is_classifier(estimator):
        raise TypeError(
            f"estimator must be a classifier to tell domains apart, got {estimator!r}."
        )
    pair = in_order(*of_ordinary_size(*check_pair(Xs, Xt, min_rows=2)))
    if estimator is None:
        estimator = make_pipeline(
            StandardScaler(with_mean=not sparse.issparse(pair[0].X)),
            LogisticRegression(class_weight="balanced", max_iter=1000),
        )
    train, test = pair, pair
    if held_out:
        train, test = halves(*pair, check_random_state(random_state))
    Z, domain, _ = _stacked(train)
    return _divergence(clone(estimator).fit(Z, domain).predict, test)


def _check_strengths(C: Any) -> NDArray[np.float64]:
    """Return the values of C to choose from, the smallest first."""
    strengths = np.sort(np.atleast_1d(np.asarray(C, dtype=float)))
    if strengths.ndim != 1 or not len(strengths) or not np.all(strengths > 0):
        raise ValueError(f"C must be positive, a number or several, got {C!r}.")
    return strengths


def _stacked(
    pair: tuple[Sample, Sample],
) -> tuple[Any, NDArray[np.intp], NDArray[np.float64]]:
    """Return the rows of both, 0 and 1 for their domain, and weights in balance."""
    parts: list[Any] = [sample.X for sample in pair]
    Z: Any = (
        sparse.vstack(parts).tocsr()
        if sparse.issparse(parts[0])
        else np.concatenate(parts)
    )
    domain = np.repeat([0, 1], [len(sample.keys) for sample in pair])
    # A domain whose learning half holds only rows of no weight still has to be seen.
    shares = [_share(sample.weight) for sample in pair]
    return Z, domain, np.concatenate(shares)


def _share(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights of mean one; equal ones where all are zero."""
    total = weight.sum()
    return weight * (len(weight) / total) if total > 0 else np.ones(len(weight))


def _fit_machine(
    C: float, Z: Any, domain: NDArray[np.intp], weight: NDArray[np.float64]
) -> Any:
    """Fit a linear support vector machine on domains in balance."""
    counts = np.bincount(domain)
    machine = LinearSVC(C=C, dual="auto", random_state=0)
    with warnings.catch_warnings():
        # Where C is too large to converge, a smaller one is no worse.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return machine.fit(Z, domain, weight * (len(domain) / (2 * counts[domain])))


def _best_strength(
    Z: Any,
    domain: NDArray[np.intp],
    weight: NDArray[np.float64],
    strengths: NDArray[np.float64],
    rng: np.random.RandomState,
) -> float:
    """Return the C with the smallest cross-validated error, the smallest of equals."""
    n_folds = min(3, int(np.bincount(domain).min()))
    if len(strengths) == 1 or n_folds < 2:
        return float(strengths[(len(strengths) - 1) // 2])
    seed = rng.randint(np.iinfo(np.int32).max)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    splits = list(folds.split(domain, domain))
    best, smallest = strengths[0], np.inf
    for C in strengths:
        wrong = np.empty(len(domain))
        for train, test in splits:
            machine = _fit_machine(C, Z[train], domain[train], weight[train])
            wrong[test] = machine.predict(Z[test]) != domain[test]
        error = _balanced(wrong, domain, weight)
        if error < smallest - 1e-12:
            best, smallest = C, error
        if smallest == 0:
            break
    return float(best)


def _divergence(
    predict: Callable[[Any], NDArray[Any]],
    test: tuple[Sample, Sample],
    transform: Callable[[Any], Any] | None = None,
) -> float:
    """Return twice the distance of the balanced error from one half, times two."""
    Z, domain, weight = _stacked(test)
    wrong = predict(Z if transform is None else transform(Z)) != domain
    return 2.0 * abs(1.0 - 2.0 * _balanced(wrong, domain, weight))


def _balanced(
    wrong: NDArray[Any], domain: NDArray[np.intp], weight: NDArray[np.float64]
) -> float:
    """Return the mean over both domains of their weighted share of errors."""
    errors = [
        np.average(wrong[domain == d], weights=weight[domain == d]) for d in (0, 1)
    ]
    return float(np.mean(errors))
