"""Hypothesis strategies for data of the four families.

Every example is small, and shrinks to the smallest shape; the numbers themselves come
from a seed, so that they have no ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..containers import Bags

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import DrawFn, SearchStrategy
except ImportError as error:
    raise ImportError(
        "the strategies of mlmi_sklearn.testing need hypothesis: pip install "
        "hypothesis. The checks of the kit work without it."
    ) from error

__all__ = ["bags", "domain_data", "labelled_bags", "labelled_data", "tasks"]

Array = NDArray[Any]

_DTYPES = (np.float32, np.float64)
_KINDS = ("binary", "multiclass", "multilabel", "regression")


def bags(
    *,
    min_bags: int = 1,
    max_bags: int = 8,
    max_length: int = 12,
    n_features: int | None = None,
    dtypes: Sequence[Any] = _DTYPES,
    fields: bool = True,
) -> SearchStrategy[Bags]:
    """Draw bags of instances.

    Parameters
    ----------
    min_bags, max_bags : int, default=1, 8
        Number of bags.
    max_length : int, default=12
        Most instances in a bag; the fewest are 1.
    n_features : int, default=None
        Features of an instance; None draws 1 to 4.
    dtypes : sequence of dtype, default=(float32, float64)
        Types of the numbers.
    fields : bool, default=True
        Whether some examples have ids, groups, coordinates and instance labels.

    Returns
    -------
    SearchStrategy
        Of :class:`~mlmi_sklearn.Bags`.

    Examples
    --------
    >>> from hypothesis import given
    >>> from mlmi_sklearn.testing import bags
    >>> @given(bags(max_bags=3))
    ... def test_lengths(drawn):
    ...     assert drawn.lengths.sum() == drawn.n_instances
    >>> test_lengths()
    """
    return _bags(min_bags, max_bags, max_length, n_features, dtypes, fields)


def labelled_bags(
    *,
    kinds: Sequence[str] = _KINDS[:3],
    min_bags: int = 6,
    max_bags: int = 12,
    **options: Any,
) -> SearchStrategy[tuple[Bags, Array]]:
    """Draw bags and targets of bags.

    Parameters
    ----------
    kinds : sequence of {"binary", "multiclass", "multilabel", "regression"}
        Kinds of target. Every class occurs.
    min_bags, max_bags : int, default=6, 12
        Number of bags.
    **options
        As for :func:`bags`.

    Returns
    -------
    SearchStrategy
        Of (Bags, y), with one row of y for each bag.

    Examples
    --------
    >>> from hypothesis import given
    >>> from mlmi_sklearn.testing import labelled_bags
    >>> @given(labelled_bags(kinds=["binary"]))
    ... def test_classes(drawn):
    ...     X, y = drawn
    ...     assert len(X) == len(y) and set(y) == {0, 1}
    >>> test_classes()
    """
    drawn = bags(min_bags=min_bags, max_bags=max_bags, **options)
    return _with_targets(drawn, kinds)


def labelled_data(
    *,
    kinds: Sequence[str] = _KINDS[:2],
    min_rows: int = 6,
    max_rows: int = 20,
    n_features: int | None = None,
    dtypes: Sequence[Any] = _DTYPES,
) -> SearchStrategy[tuple[Array, Array]]:
    """Draw a table and targets.

    Parameters
    ----------
    kinds : sequence of {"binary", "multiclass", "multilabel", "regression"}
        Kinds of target. Every class occurs.
    min_rows, max_rows : int, default=6, 20
        Number of rows.
    n_features : int, default=None
        Columns; None draws 1 to 4.
    dtypes : sequence of dtype, default=(float32, float64)
        Types of the numbers.

    Returns
    -------
    SearchStrategy
        Of (X, y).

    Examples
    --------
    >>> from hypothesis import given
    >>> from mlmi_sklearn.testing import labelled_data
    >>> @given(labelled_data())
    ... def test_lengths(drawn):
    ...     X, y = drawn
    ...     assert len(X) == len(y)
    >>> test_lengths()
    """
    return _with_targets(_tables(min_rows, max_rows, n_features, dtypes), kinds)


@st.composite
def domain_data(
    draw: DrawFn,
    *,
    n_classes: int = 2,
    max_domains: int = 2,
    labelled_target: bool | None = None,
    n_features: int | None = None,
    dtypes: Sequence[Any] = _DTYPES,
) -> tuple[Array, Array, Array]:
    """Draw data of several domains, stacked and shuffled.

    Parameters
    ----------
    draw : callable
        Given by hypothesis.
    n_classes : int, default=2
        Classes, all of which occur in every domain.
    max_domains : int, default=2
        Most source domains, and most target domains.
    labelled_target : bool, default=None
        Whether rows of target domains have labels; without they have the unlabelled
        marker -1. None draws it.
    n_features : int, default=None
        Columns; None draws 1 to 4.
    dtypes : sequence of dtype, default=(float32, float64)
        Types of the numbers.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Rows; target domains are shifted.
    y : ndarray of int of shape (n_samples,)
        Class codes, or -1.
    sample_domain : ndarray of int of shape (n_samples,)
        Domains: 0 and above for source, below 0 for target.

    Examples
    --------
    >>> from hypothesis import given
    >>> from mlmi_sklearn.testing import domain_data
    >>> @given(domain_data(labelled_target=False))
    ... def test_markers(drawn):
    ...     X, y, sample_domain = drawn
    ...     assert set(y[sample_domain < 0]) == {-1}
    >>> test_markers()
    """
    n_source, n_target = (draw(st.integers(1, max_domains)) for _ in range(2))
    domains = [*range(n_source), *(-1 - i for i in range(n_target))]
    sizes = [draw(st.integers(2 * n_classes, 4 * n_classes)) for _ in domains]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    y = np.concatenate([np.arange(size) % n_classes for size in sizes])
    sample_domain = np.repeat(domains, sizes)
    shift = 2.0 * y[:, None] + (sample_domain < 0)[:, None]
    X = _numbers(draw, rng, len(y), n_features, dtypes, shift)
    if not (draw(st.booleans()) if labelled_target is None else labelled_target):
        y[sample_domain < 0] = -1
    order = rng.permutation(len(y))
    return X[order], y[order], sample_domain[order]


@st.composite
def tasks(
    draw: DrawFn,
    *,
    kind: str = "classification",
    min_tasks: int = 2,
    max_tasks: int = 4,
    n_way: int = 2,
    min_shots: int = 2,
    n_features: int | None = None,
    dtypes: Sequence[Any] = _DTYPES,
) -> tuple[Array, Array, Array]:
    """Draw several learning tasks, as rows with the task in `groups`.

    Parameters
    ----------
    draw : callable
        Given by hypothesis.
    kind : {"classification", "regression"}, default="classification"
        Kind of target.
    min_tasks, max_tasks : int, default=2, 4
        Number of tasks.
    n_way : int, default=2
        Classes of a task, the same in all of them.
    min_shots : int, default=2
        Fewest rows of each class in each task.
    n_features : int, default=None
        Columns; None draws 1 to 4.
    dtypes : sequence of dtype, default=(float32, float64)
        Types of the numbers.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    y : ndarray of shape (n_samples,)
        Class codes, or numbers.
    groups : ndarray of int of shape (n_samples,)
        Task of each row.

    Examples
    --------
    >>> from hypothesis import given
    >>> from mlmi_sklearn.testing import tasks
    >>> @given(tasks(n_way=3))
    ... def test_every_task_has_all_classes(drawn):
    ...     X, y, groups = drawn
    ...     for task in set(groups):
    ...         assert set(y[groups == task]) == {0, 1, 2}
    >>> test_every_task_has_all_classes()
    """
    n_tasks = draw(st.integers(min_tasks, max_tasks))
    shots = [draw(st.integers(min_shots, min_shots + 3)) for _ in range(n_tasks)]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    groups = np.repeat(np.arange(n_tasks), [n_way * shot for shot in shots])
    y = np.concatenate([np.repeat(np.arange(n_way), shot) for shot in shots])
    slopes = rng.normal(size=n_tasks)[groups, None]
    X = _numbers(draw, rng, len(y), n_features, dtypes, slopes * y[:, None])
    if kind == "regression":
        y = (slopes * X).sum(axis=1).astype(X.dtype)
    order = rng.permutation(len(y))
    return X[order], y[order], groups[order]


@st.composite
def _bags(
    draw: DrawFn,
    min_bags: int,
    max_bags: int,
    max_length: int,
    n_features: int | None,
    dtypes: Sequence[Any],
    fields: bool,
) -> Bags:
    sizes = st.integers(1, max_length)
    lengths = draw(st.lists(sizes, min_size=min_bags, max_size=max_bags))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    n, n_bags = sum(lengths), len(lengths)
    values = _numbers(draw, rng, n, n_features, dtypes, np.zeros((n, 1)))
    offered: dict[str, Any] = {
        "bag_ids": [f"bag{i}" for i in range(n_bags)],
        "groups": np.arange(n_bags) // 2,
        "coords": rng.integers(0, 100, (n, 2)),
        "y_instances": rng.integers(-1, 2, n),
    }
    chosen = {name: offered[name] for name in offered if fields and draw(st.booleans())}
    return Bags(values, lengths, **chosen)


@st.composite
def _tables(
    draw: DrawFn,
    min_rows: int,
    max_rows: int,
    n_features: int | None,
    dtypes: Sequence[Any],
) -> Array:
    n = draw(st.integers(min_rows, max_rows))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return _numbers(draw, rng, n, n_features, dtypes, np.zeros((n, 1)))


@st.composite
def _with_targets(
    draw: DrawFn, data: SearchStrategy[Any], kinds: Sequence[str]
) -> tuple[Any, Array]:
    X = draw(data)
    return X, _targets(draw(st.sampled_from(list(kinds))), len(X))


def _targets(kind: str, n: int) -> Array:
    """Return targets of one kind."""
    index = np.arange(n)
    if kind == "binary":
        return index % 2
    if kind == "multiclass":
        return index % 3
    if kind == "multilabel":
        return np.column_stack([index % 2, index // 2 % 2])
    if kind == "regression":
        return np.sin(index)
    raise ValueError(f"kinds must be among {list(_KINDS)}, got {kind!r}.")


def _numbers(
    draw: DrawFn,
    rng: np.random.Generator,
    n: int,
    n_features: int | None,
    dtypes: Sequence[Any],
    shift: Array,
) -> Array:
    """Return n rows of numbers around `shift`."""
    width = draw(st.integers(1, 4)) if n_features is None else n_features
    dtype = draw(st.sampled_from(list(dtypes)))
    return (rng.normal(size=(n, width)) + shift).astype(dtype)
