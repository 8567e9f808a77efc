"""Rows of several domains as points in a plane, before and after a net."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..containers.domains import Domains

Array = NDArray[Any]

METHODS = ("pca", "tsne")
_NEEDED = ("transform", "history_", "lambda_path_", "adaptation_report_")


def reach_adapted(estimator: Any) -> tuple[Any, Any]:
    """Return the steps before the last one, or None, and the last, which adapts."""
    if hasattr(estimator, "best_estimator_"):
        return reach_adapted(estimator.best_estimator_)
    if isinstance(estimator, Pipeline):
        before = estimator[:-1] if len(estimator) > 1 else None
        return before, _adapted(estimator[-1])
    return None, _adapted(estimator)


def _adapted(estimator: Any) -> Any:
    """Refuse what is not fitted, or keeps no record of adapting."""
    name = type(estimator).__name__
    if not hasattr(type(estimator), "transform"):
        raise TypeError(
            f"{name} has no transform, so there are no features to look at. Pass a "
            "fitted DANNClassifier, DANNRegressor or MMEClassifier, or a Pipeline that "
            "ends with one."
        )
    check_is_fitted(estimator)
    for needed in _NEEDED:
        if not hasattr(estimator, needed):
            raise TypeError(
                f"{name} has no {needed}, so it keeps no record of adapting. Pass a "
                "fitted DANNClassifier, DANNRegressor or MMEClassifier, or a Pipeline "
                "that ends with one."
            )
    return estimator


def rows_to_show(domains: Domains, most: int, random_state: Any) -> Array:
    """Choose rows at random, about as many of each domain, in their order."""
    if len(domains) <= most:
        return np.arange(len(domains))
    rng = check_random_state(random_state)
    codes = domains.codes(domains.names)
    # Round by round one row of each domain, until there are enough.
    order = rng.permutation(len(codes))
    turn = np.empty(len(codes), dtype=int)
    for code in range(len(domains.names)):
        mine = order[codes[order] == code]
        turn[mine] = np.arange(len(mine))
    return np.sort(order[np.argsort(turn[order], kind="stable")[:most]])


def as_table(rows: Any) -> Array:
    """Return one vector a row: of images, sparse rows and frames too."""
    dense = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
    return np.asarray(dense, dtype=np.float64).reshape(len(dense), -1)


def project(
    values: Array, method: str, random_state: Any
) -> tuple[Array, tuple[str, str]]:
    """Bring vectors into a plane.

    Two columns or one are shown as they are: nothing is gained by turning them.

    Parameters
    ----------
    values : ndarray of shape (n, n_features)
        Vectors.
    method : {"pca", "tsne"}
        Principal components, or t-distributed stochastic neighbour embedding.
    random_state : int, RandomState instance or None
        For ``"tsne"``.

    Returns
    -------
    points : ndarray of shape (n, 2)
        The places.
    names : (str, str)
        Of the axes; empty where a direction means nothing.
    """
    n, width = values.shape
    if width <= 2:
        points = np.column_stack([values, np.zeros((n, 2 - width))])
        return points, ("first column", "second column" if width == 2 else "")
    if method == "tsne":
        # The default perplexity is for more rows than may be there.
        perplexity = min(30.0, max((n - 1) / 3, 1.0))
        embed = TSNE(init="pca", perplexity=perplexity, random_state=random_state)
        return embed.fit_transform(values), ("", "")
    model = PCA(2, svd_solver="full").fit(values)
    shares = 100 * np.nan_to_num(model.explained_variance_ratio_)
    names = tuple(f"PC {k + 1} ({share:.0f} %)" for k, share in enumerate(shares))
    return model.transform(values), (names[0], names[1])
