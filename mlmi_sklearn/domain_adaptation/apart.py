"""Source and target that come apart, put one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples

from ..base.inputs import as_host_array, plain_numbers, require_no_dates
from ..base.naming import naming
from ..containers.domains import SOURCE, TARGET, Domains
from ..containers.unlabelled import unlabelled

__all__ = ["count_rows", "join", "stack_rows"]

Array = NDArray[Any]

_WORDS = {**dict.fromkeys("biuf", "numbers"), **dict.fromkeys("UT", "text")}
_NUMBERS = (bool, int, float, np.bool_, np.int64, np.float64)


def count_rows(values: Any, name: str) -> int:
    """Return how many rows an argument has.

    Parameters
    ----------
    values : array-like
        The argument.
    name : str
        What to call it.

    Raises
    ------
    TypeError
        If it has no rows.
    """
    with naming(name):
        return int(_num_samples(values))


def join(
    X: Any, y: Any, sample_domain: Any, X_target: Any, y_target: Any, integers: bool
) -> tuple[Any, Any, Domains, Array]:
    """Put source and target, which came apart, one after the other.

    Parameters
    ----------
    X, y : array-like
        The source.
    sample_domain : None
        Says the same in another way, so it must not come as well.
    X_target : array-like
        Rows of the target.
    y_target : array-like or None
        What is known of their targets.
    integers : bool
        Whether -1 is the marker of integers.

    Returns
    -------
    X, y : array-like
        Source, then target; where a target is not known, any value.
    domains : Domains
        One source and one target.
    known : ndarray of bool
        Which targets are known.

    Raises
    ------
    ValueError, TypeError
        If `sample_domain` is given too, if `X_target` holds no finite numbers, or the
        parts do not fit each other.
    """
    if sample_domain is not None:
        raise ValueError(
            "Pass either sample_domain, for rows of all domains in X, or X_target, for "
            "rows of the target apart; not both."
        )
    # A target without rows is one that is not there, of which the caller warns.
    X, X_target = _read_rows(X, X_target)
    _require_one_scale(X, X_target)
    n, m = count_rows(X, "X"), count_rows(X_target, "X_target")
    is_target = np.repeat([False, True], [n, m])
    domains = Domains(np.where(is_target, TARGET, SOURCE), is_target)
    with naming("y"):
        y = np.asarray(as_host_array(y))
    if count_rows(y, "y") != n:
        raise ValueError(f"X has {n} rows, but y has {len(y)}.")
    if y_target is None:
        known = ~is_target
        return stack_rows(X, X_target), y[np.arange(n + m) % n], domains, known
    given = _read_targets(y_target, y, m)
    both, known = _join_targets(y, given, integers)
    if y.ndim == 1:
        _require_usable(given[known[n:]], integers)
    return stack_rows(X, X_target), both, domains, known


def _read_rows(X: Any, X_target: Any) -> tuple[Any, Any]:
    """Validate either under its own name; once stacked, all is ``X``."""
    given = []
    for name, rows in (("X", X), ("X_target", X_target)):
        with naming(name):
            rows = as_host_array(rows)
        given.append(rows.tocsr() if sparse.issparse(rows) else rows)
    read = [_read(given[0], "X", 1), _read(given[1], "X_target", 0)]
    # Two frames stay, for the names of their columns.
    frames = all(isinstance(rows, pd.DataFrame) for rows in given)
    return tuple(given if frames else read)


def _read(rows: Any, name: str, least: int) -> Any:
    with naming(name):
        require_no_dates(rows, name)
        read = check_array(
            rows,
            accept_sparse="csr",
            allow_nd=True,
            dtype="numeric",
            input_name=name,
            ensure_min_samples=least,
        )
    return plain_numbers(read, name)


def _require_one_scale(X: Any, X_target: Any) -> None:
    """Raise if the target alone has numbers that are infinite in single precision."""
    limit, far = float(np.finfo(np.float32).max), _largest(X_target)
    if far > limit and _largest(X) <= limit:
        raise ValueError(
            f"X_target contains {far:.3g}, and X no number beyond {limit:.3g}. Scale "
            "X_target as X, or drop such rows."
        )


def _largest(values: Any) -> float:
    values = values.data if sparse.issparse(values) else np.asarray(values)
    if values.dtype.kind not in "bfiu":  # a frame of objects
        values = values.astype(np.float64)
    return 0.0 if not values.size else max(float(values.max()), -float(values.min()))


def _read_targets(y_target: Any, y: Array, m: int) -> Array:
    """Validate targets of the target: one for each row, of the shape of the others."""
    if count_rows(y_target, "y_target") != m:
        raise ValueError(
            f"X_target has {m} rows, but y_target has {_num_samples(y_target)}."
        )
    with naming("y_target"):
        given = np.asarray(as_host_array(y_target))
        if given.ndim == 2 and given.shape[1] == 1 and y.ndim == 1:
            given = column_or_1d(given, warn=True)
    if given.ndim != y.ndim or given.shape[1:] != y.shape[1:]:
        raise ValueError(
            f"y has shape {y.shape}, but y_target has {given.shape}. Pass targets of "
            "the same kind for rows of source and target."
        )
    if given.dtype.kind in "cSV":
        raise TypeError(
            f"y_target holds {given.dtype}; pass labels as numbers or str, and None or "
            "NaN for those that are not known."
        )
    return given


def _join_targets(y: Array, given: Array, integers: bool) -> tuple[Array, Array]:
    """Put targets one after the other; return them, and which are known.

    Markers of the target may be of another kind than the labels: NaN beside integers,
    -1 or None beside strings.
    """
    if given.dtype.kind == y.dtype.kind or y.ndim != 1:
        both = np.concatenate([y, given])
        missing = unlabelled(both, integers=integers)
        return both, np.ones(both.shape, bool) if missing is None else ~missing
    lost = np.asarray(pd.isna(given))
    if given.dtype.kind == "i" and integers:
        lost |= given == -1
    labels = np.full(len(given), None, dtype=object)
    labels[lost], labels[~lost] = y[0], given[~lost]
    with naming("y_target"):
        values = np.asarray(labels.tolist())
    _require_one_type(y, values, given[~lost])
    if y.dtype.kind in "iu" and (~lost).any() and values.dtype.kind == "f":
        whole = values.astype(y.dtype)
        values = whole if (whole == values).all() else values
    own = unlabelled(y, integers=integers)
    known = np.concatenate([np.ones(len(y), bool) if own is None else ~own, ~lost])
    return np.concatenate([y, values]), known


def _require_usable(seen: Array, classes: bool) -> None:
    """Raise unless known targets of the target would do as targets of a source."""
    if seen.dtype.kind == "f":
        assert_all_finite(seen, input_name="y_target")
    if classes and len(seen):
        with naming("y_target"):
            check_classification_targets(np.asarray(seen.tolist()))


def _require_one_type(y: Array, values: Array, seen: Array) -> None:
    """Raise if labels would be made into others beside those of the source."""
    if values.ndim != 1:
        raise ValueError("y_target holds sequences. Pass one label for each row.")
    own, other = _kinds(y), _kinds(seen)
    if own and other - own:
        raise ValueError(
            f"y holds {' and '.join(sorted(own))}, and y_target "
            f"{' and '.join(sorted(other))}. Pass labels of one type."
        )
    whole = y.dtype.kind in "iu" and values.dtype.kind in "iu"
    if whole and np.result_type(y, values).kind == "f":
        raise ValueError(
            f"y holds {y.dtype} and y_target {values.dtype}, which no type of integers "
            "holds together. Pass labels of one type."
        )


def _kinds(labels: Array) -> set[str]:
    """Return what labels are, in words; those that are not known are nothing."""
    if not len(labels):
        return set()
    if labels.dtype.kind != "O":
        return {_WORDS.get(labels.dtype.kind, str(labels.dtype))}
    types = {type(label) for label in labels[~np.asarray(pd.isna(labels))]}
    return {
        "text" if issubclass(t, str) else "numbers" if t in _NUMBERS else t.__name__
        for t in types
    }


def stack_rows(
    first: Any, second: Any, names: tuple[str, str] = ("X", "X_target")
) -> Any:
    """Put two sets of rows one after the other, in a container like theirs.

    Parameters
    ----------
    first, second : array-like of shape (n, ...) and (m, ...)
        Arrays, frames with the same columns, sparse matrices or tensors.
    names : tuple of two str
        What messages call them.

    Returns
    -------
    ndarray, DataFrame or CSR matrix
        Of n + m rows.

    Raises
    ------
    ValueError
        If samples of the two have different shapes, or columns other names.
    """
    if isinstance(first, pd.DataFrame) and isinstance(second, pd.DataFrame):
        if list(first.columns) != list(second.columns):
            raise ValueError(
                f"{names[0]} has columns {list(first.columns)}, but {names[1]} has "
                f"{list(second.columns)}. Pass the same columns in the same order."
            )
        return pd.concat([first, second], ignore_index=True)
    if sparse.issparse(first) or sparse.issparse(second):
        return sparse.vstack([_as_csr(x) for x in (first, second)], "csr")
    arrays = [np.asarray(as_host_array(x)) for x in (first, second)]
    shapes = [a.shape[1:] for a in arrays]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{names[0]} has samples of shape {shapes[0]}, but {names[1]} has "
            f"{shapes[1]}."
        )
    return np.concatenate(arrays)


def _as_csr(values: Any) -> Any:
    half = values.dtype == np.float16  # scipy has no such matrices
    return sparse.csr_matrix(values.astype(np.float32) if half else values)
