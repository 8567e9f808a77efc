"""How far the distribution of synthetic data is from that of real data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, svdvals
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import check_random_state, gen_batches

from mlmi_sklearn.metrics.synthetic._features import feature_arrays

__all__ = ["c2st_auc", "frechet_distance", "kernel_inception_distance"]

Array = NDArray[Any]

# Rows of a kernel that are held at a time.
_ROWS = 1024


def c2st_auc(
    X: Any,
    X_synthetic: Any,
    *,
    estimator: Any = None,
    cv: int = 5,
    features: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    """Area under the ROC curve of a classifier that tells real from synthetic rows.

    A classifier two-sample test: every row is judged by a classifier that has not seen
    it.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data, `cv` rows at least.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data with the same columns, `cv` rows at least.
    estimator : classifier, default=None
        Tells 0, real, from 1, synthetic; a clone is fitted. None is a random forest of
        100 trees in which both samples weigh the same.
    cv : int, default=5
        Folds, 2 at least.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`.
    random_state : int, RandomState instance or None, default=0
        Draws the folds and the trees.

    Returns
    -------
    float
        0.5 where the two cannot be told apart, 1 where they always can. **Far below
        0.5** means copies: the twin of a row is in the other sample, and a classifier
        that has seen the twin is wrong about the row.

    Raises
    ------
    ValueError
        If a sample has fewer rows than folds, or columns differ.

    Notes
    -----
    Real data on a grid, such as whole grey levels, are told from synthetic data off it
    by a single cut, however alike they look.

    References
    ----------
    Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import c2st_auc
    >>> X = np.random.RandomState(0).normal(size=(60, 3))
    >>> c2st_auc(X, X + 9.0)
    1.0
    >>> c2st_auc(X, X) < 0.2  # copies
    True
    """
    real, made = feature_arrays({"X": X, "X_synthetic": X_synthetic}, features)
    if cv < 2 or min(len(real), len(made)) < cv:
        raise ValueError(
            f"cv must be 2 at least, and at most the rows of either sample, "
            f"{len(real)} and {len(made)}, got {cv!r}."
        )
    rng = check_random_state(random_state)
    seeds = rng.randint(np.iinfo(np.int32).max, size=2)
    if estimator is None:
        estimator = RandomForestClassifier(
            class_weight="balanced", random_state=int(seeds[0])
        )
    Z, label = np.concatenate([real, made]), np.repeat([0, 1], [len(real), len(made)])
    folds = StratifiedKFold(cv, shuffle=True, random_state=int(seeds[1]))
    sure = hasattr(estimator, "predict_proba")
    method = "predict_proba" if sure else "decision_function"
    judged = cross_val_predict(clone(estimator), Z, label, cv=folds, method=method)
    return float(roc_auc_score(label, judged[:, 1] if judged.ndim == 2 else judged))


def frechet_distance(X: Any, X_synthetic: Any, *, features: Any = None) -> float:
    r"""Distance of the normal distributions fitted to real and synthetic data.

    .. math:: \|\mu_1 - \mu_2\|^2 + \operatorname{tr}\bigl(C_1 + C_2 - 2 (C_1
        C_2)^{1/2}\bigr)

    On the features of an Inception net this is the FID; here it is on any features.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data, two rows at least.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data with the same columns, two rows at least.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`.

    Returns
    -------
    float
        0 for equal means and covariances, in squared units of the features. Small
        samples of one distribution are some way apart: compare with real data of the
        same size.

    Raises
    ------
    ValueError
        If a sample has fewer than two rows, or columns differ.

    Notes
    -----
    The trace of the root is the nuclear norm of :math:`A_1 A_2^T` for centred data with
    :math:`A_i^T A_i = C_i`, so no root of a matrix is taken, and covariances may be
    singular.

    References
    ----------
    Heusel et al., "GANs trained by a two time-scale update rule converge to a local
    Nash equilibrium", NeurIPS 2017, equation 6.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import frechet_distance
    >>> frechet_distance([[0.0], [2.0]], [[3.0], [5.0]], features="raw")
    9.0
    """
    real, made = feature_arrays({"X": X, "X_synthetic": X_synthetic}, features)
    _require_two(real, made)
    gap = real.mean(axis=0) - made.mean(axis=0)
    first, second = _root(real), _root(made)
    shared = svdvals(first @ second.T).sum()
    spread = (first**2).sum() + (second**2).sum() - 2 * shared
    return float(gap @ gap + max(spread, 0.0))


def kernel_inception_distance(
    X: Any,
    X_synthetic: Any,
    *,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
    features: Any = None,
) -> float:
    r"""Mean discrepancy of real and synthetic data under a polynomial kernel, unbiased.

    .. math:: k(x, x') = (\gamma\, x \cdot x' + c)^d

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data, two rows at least.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data with the same columns, two rows at least.
    degree : int, default=3
        Power d, 1 at least.
    gamma : float, default=None
        Factor; None is one divided by the number of features.
    coef0 : float, default=1.0
        Constant c.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`.

    Returns
    -------
    float
        0 on average for samples of one distribution, also for small ones; may fall a
        little below.

    Raises
    ------
    ValueError
        If a sample has fewer than two rows, columns differ, or `degree` is below 1.

    References
    ----------
    Binkowski et al., "Demystifying MMD GANs", ICLR 2018, section 4.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import kernel_inception_distance
    >>> X, X_synthetic = [[0.0], [2.0]], [[3.0], [5.0]]
    >>> kernel_inception_distance(X, X_synthetic, degree=1, features="raw")
    7.0
    """
    if degree < 1:
        raise ValueError(f"degree must be 1 at least, got {degree!r}.")
    real, made = feature_arrays({"X": X, "X_synthetic": X_synthetic}, features)
    _require_two(real, made)
    factor = 1.0 / real.shape[1] if gamma is None else gamma

    def total(A: Array, B: Array) -> float:
        blocks = (A[rows] @ B.T for rows in gen_batches(len(A), _ROWS))
        return sum(
            float(((factor * block + coef0) ** degree).sum()) for block in blocks
        )

    def within(A: Array) -> float:
        own = ((factor * (A**2).sum(axis=1) + coef0) ** degree).sum()
        return float(total(A, A) - own) / (len(A) * (len(A) - 1))

    across = total(real, made) / (len(real) * len(made))
    return float(within(real) + within(made) - 2 * across)


def _root(X: Array) -> Array:
    """Return A with A.T @ A equal to the covariance, and no more rows than columns."""
    centred = (X - X.mean(axis=0)) / np.sqrt(len(X) - 1)
    if len(X) <= X.shape[1]:
        return centred
    return qr(centred, mode="r", check_finite=False)[0][: X.shape[1]]


def _require_two(real: Array, made: Array) -> None:
    if min(len(real), len(made)) < 2:
        raise ValueError(
            "X and X_synthetic must have two rows at least, got "
            f"{len(real)} and {len(made)}."
        )
