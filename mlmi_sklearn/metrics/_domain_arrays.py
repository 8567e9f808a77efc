"""Two samples as arrays that can be compared, and halves of them that share no row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import _check_sample_weight

__all__ = [
    "Sample",
    "check_pair",
    "check_weights",
    "halves",
    "in_order",
    "of_ordinary_size",
]

# Squares of smaller numbers have few digits, or none.
_SMALL = 1e-100


@dataclass(frozen=True)
class Sample:
    """Rows of one domain, their weights, and bytes that are equal where rows are."""

    X: Any
    weight: NDArray[np.float64]
    keys: list[bytes]

    @property
    def sort_key(self) -> tuple[Any, ...]:
        """What samples are sorted by."""
        return len(self.keys), self.keys, self.weight.tolist()

    def take(self, positions: NDArray[np.intp]) -> Sample:
        """Return some of the rows."""
        keys = [self.keys[i] for i in positions]
        return Sample(self.X[positions], self.weight[positions], keys)


def check_pair(Xs: Any, Xt: Any, *, min_rows: int = 1) -> tuple[Any, Any]:
    """Return two samples as float matrices, dense or CSR, with the same columns.

    Parameters
    ----------
    Xs, Xt : array-like or sparse matrix of shape (n, ...) and (m, ...)
        Samples; further axes, such as those of images, are flattened.
    min_rows : int, default=1
        Fewest rows of either.

    Returns
    -------
    Xs, Xt : ndarray or csr_matrix of shape (n, n_features) and (m, n_features)
        Both sparse if one was.

    Raises
    ------
    ValueError
        If a sample is too small, not finite, or the columns differ.
    """
    pair = []
    for name, X in (("Xs", Xs), ("Xt", Xt)):
        checked = check_array(
            X,
            accept_sparse="csr",
            allow_nd=True,
            dtype=np.float64,
            order="C",
            input_name=name,
            ensure_min_samples=min_rows,
        )
        pair.append(
            checked if sparse.issparse(checked) else checked.reshape(len(checked), -1)
        )
    if pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(
            "Xs and Xt must have the same features, got "
            f"{pair[0].shape[1]} and {pair[1].shape[1]}."
        )
    if any(sparse.issparse(X) for X in pair):
        pair = [_canonical(sparse.csr_matrix(X)) for X in pair]
    return pair[0], pair[1]


def of_ordinary_size(Xs: Any, Xt: Any) -> tuple[Any, Any]:
    """Double features that are all but zero until they are not, which rounds nothing.

    Their variance would be zero, and liblinear does not return from subnormal numbers.

    Parameters
    ----------
    Xs, Xt : ndarray or csr_matrix of shape (n, n_features) and (m, n_features)
        As :func:`check_pair` returns them.

    Returns
    -------
    Xs, Xt : ndarray or csr_matrix
        The same, or copies.
    """
    size = np.maximum(_sizes(Xs), _sizes(Xt))
    times = np.where((size > 0) & (size < _SMALL), -np.frexp(size)[1], 0)
    if not times.any():
        return Xs, Xt
    return _doubled(Xs, times), _doubled(Xt, times)


def _sizes(X: Any) -> NDArray[np.float64]:
    largest = abs(X).max(axis=0)
    return np.ravel(largest.toarray() if sparse.issparse(largest) else largest)


def _doubled(X: Any, times: NDArray[np.intp]) -> Any:
    if not sparse.issparse(X):
        return np.ldexp(X, times)
    X = X.copy()
    X.data = np.ldexp(X.data, times[X.indices])
    return X


def check_weights(
    sample_weight: Any, Xs: Any, Xt: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights of both samples; ones where none are given.

    Parameters
    ----------
    sample_weight : tuple of two array-like or None
        ``(weights of Xs, weights of Xt)``, each of shape (n,) or None.
    Xs, Xt : array or sparse matrix
        Samples.

    Returns
    -------
    ws, wt : ndarray of float64

    Raises
    ------
    ValueError
        If it is no pair, a length is wrong, or weights are negative or all zero.
    """
    if sample_weight is None:
        sample_weight = (None, None)
    if not isinstance(sample_weight, tuple) or len(sample_weight) != 2:
        raise ValueError(
            "sample_weight must be a pair (weights of Xs, weights of Xt); either may "
            "be None."
        )
    pair = [
        _check_sample_weight(w, X, dtype=np.float64, ensure_non_negative=True)
        for w, X in zip(sample_weight, (Xs, Xt), strict=True)
    ]
    if any(w.sum() == 0 for w in pair):
        raise ValueError("sample_weight must not be zero for every row of a domain.")
    return pair[0], pair[1]


def in_order(
    Xs: Any,
    Xt: Any,
    ws: NDArray[np.float64] | None = None,
    wt: NDArray[np.float64] | None = None,
) -> tuple[Sample, Sample]:
    """Sort the rows of either sample, then the two samples.

    What is computed, or drawn with a seed, from here on depends neither on the order of
    rows nor on which of the samples is called the source.

    Parameters
    ----------
    Xs, Xt : array or sparse matrix
        Samples.
    ws, wt : ndarray, default=None
        Weights of their rows; ones with None.

    Returns
    -------
    tuple of two Sample
    """
    pair = []
    for X, w in ((Xs, ws), (Xt, wt)):
        weight = np.ones(X.shape[0]) if w is None else w
        keys = _row_keys(X)
        order = sorted(range(len(keys)), key=lambda i: (keys[i], weight[i]))
        pair.append(Sample(X[order], weight[order], [keys[i] for i in order]))
    if pair[1].sort_key < pair[0].sort_key:
        pair.reverse()
    return pair[0], pair[1]


def halves(
    first: Sample, second: Sample, rng: np.random.RandomState
) -> tuple[tuple[Sample, Sample], tuple[Sample, Sample]]:
    """Draw the rows to learn from; the others are for testing.

    Equal rows fall into the same half, also across the samples. Otherwise a classifier
    that remembers a row as source would be wrong about its twin in the target, and
    equal samples would seem far apart.

    Parameters
    ----------
    first, second : Sample
        From :func:`in_order`, two rows at least each.
    rng : RandomState
        Draws.

    Returns
    -------
    train, test : tuple of two Sample
        Neither sample is empty.
    """
    one, two = set(first.keys), set(second.keys)
    chosen: set[bytes] = set()
    for group in (one & two, one - two, two - one):
        # Of an odd number, a coin decides which half gets the one left over.
        n_train = (len(group) + rng.randint(2)) // 2
        ordered = sorted(group)
        chosen.update(ordered[i] for i in rng.permutation(len(ordered))[:n_train])
    train, test = [], []
    for sample in (first, second):
        learn = np.array([key in chosen for key in sample.keys])
        if learn.all() or not learn.any():  # copies of a single row, or next to it
            learn = rng.permutation(len(learn)) < (len(learn) + 1) // 2
        train.append(sample.take(np.flatnonzero(learn)))
        test.append(sample.take(np.flatnonzero(~learn)))
    return (train[0], train[1]), (test[0], test[1])


def _row_keys(X: Any) -> list[bytes]:
    """Return bytes for each row that compare as the numbers in the row do."""
    if sparse.issparse(X):
        places, values = X.indices.astype(">i8"), _sortable(X.data)
        bounds = zip(X.indptr[:-1], X.indptr[1:], strict=True)
        return [places[a:b].tobytes() + values[a:b].tobytes() for a, b in bounds]
    return [row.tobytes() for row in _sortable(X)]


def _sortable(X: NDArray[np.float64]) -> NDArray[Any]:
    """Return whole numbers whose bytes sort as the floats they stand for.

    So a rounding error, such as between two ways of computing features, hardly ever
    changes the order of rows, nor what is drawn after it.
    """
    bits = (X + 0.0).view(np.int64)  # adding zero turns -0.0 into 0.0
    sign = np.int64(np.iinfo(np.int64).min)
    return np.where(bits < 0, ~bits, bits ^ sign).astype(">i8")


def _canonical(X: Any) -> Any:
    """Return a CSR matrix with sorted, unique, non-zero entries."""
    X = X.copy()
    X.sum_duplicates()
    X.eliminate_zeros()
    return X
