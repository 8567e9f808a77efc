"""Classes brought into balance with synthetic samples."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.multiclass import type_of_target

from ..base.naming import check_classes
from .drawing import seeds_of
from .joining import copied, densified, joined, rows_like
from .sampling import Sampling

__all__ = ["Resampling", "samples_to_add"]

Array = NDArray[Any]

_STRATEGIES = ("auto", "not majority", "minority", "not minority", "all")


def samples_to_add(strategy: Any, y: Array) -> dict[Any, int]:
    """Return how many samples each class gets, by imbalanced-learn's rules.

    Parameters
    ----------
    strategy : str, float, dict or callable
        "auto" and "not majority" (as many as the largest class), "minority", "not
        minority", "all"; the wanted ratio of minority to majority, for two classes;
        wanted numbers by class; or a callable from ``y`` to such a dict.
    y : ndarray of shape (n_samples,)
        Classes.

    Returns
    -------
    dict
        Class to number of samples to add.

    Raises
    ------
    ValueError
        If a class is not there, or would have to shrink.

    Examples
    --------
    >>> samples_to_add("auto", np.array([0, 0, 0, 1]))
    {1: 2}
    >>> samples_to_add(2 / 3, np.array([0, 0, 0, 1]))
    {1: 1}
    """
    classes, sizes = np.unique(y, return_counts=True)
    counts = dict(zip(classes.tolist(), sizes.tolist(), strict=True))
    if callable(strategy):
        strategy = strategy(y)
    if isinstance(strategy, str):
        return _by_name(strategy, counts)
    if isinstance(strategy, Mapping):
        return _by_numbers(strategy, counts)
    if isinstance(strategy, Real) and not isinstance(strategy, bool):
        return _by_ratio(float(strategy), counts)
    raise ValueError(
        f"sampling_strategy={strategy!r} must be one of {list(_STRATEGIES)}, a number "
        "above 0 and at most 1, a dict from classes to numbers of samples, or a "
        "callable."
    )


def _by_name(name: str, counts: dict[Any, int]) -> dict[Any, int]:
    if name not in _STRATEGIES:
        raise ValueError(
            f"sampling_strategy={name!r} is not known. Known names are "
            f"{list(_STRATEGIES)}."
        )
    largest = max(counts, key=counts.__getitem__)
    smallest = min(counts, key=counts.__getitem__)
    chosen = {
        "minority": lambda c: c == smallest,
        "not minority": lambda c: c != smallest,
        "all": lambda c: True,
    }.get(name, lambda c: c != largest)
    return {c: counts[largest] - k for c, k in counts.items() if chosen(c)}


def _by_numbers(wanted: Mapping[Any, Any], counts: dict[Any, int]) -> dict[Any, int]:
    unknown = [c for c in wanted if c not in counts]
    if unknown:
        raise ValueError(
            f"sampling_strategy names the classes {unknown}, which are not present in "
            f"y. Its classes are {list(counts)}."
        )
    for c, k in wanted.items():
        if k < counts[c]:
            raise ValueError(
                f"sampling_strategy wants {k} samples of class {c!r}, but y has "
                f"{counts[c]}: with over-sampling methods, the number of samples in a "
                "class should be greater or equal to the original number of samples."
            )
    return {c: int(k) - counts[c] for c, k in wanted.items()}


def _by_ratio(ratio: float, counts: dict[Any, int]) -> dict[Any, int]:
    if not 0 < ratio <= 1:
        raise ValueError(
            f"sampling_strategy={ratio} must be above 0 and at most 1: the wanted "
            "ratio of the smaller class to the larger."
        )
    if len(counts) != 2:
        raise ValueError(
            f"sampling_strategy={ratio} is a ratio of two classes, but y has "
            f"{len(counts)}. Pass a name or a dict."
        )
    largest, smallest = max(counts.values()), min(counts.values())
    minority = min(counts, key=counts.__getitem__)
    missing = int(largest * ratio) - smallest
    if missing < 0:
        raise ValueError(
            f"sampling_strategy={ratio} would remove samples from the minority class: "
            f"the ratio is {smallest / largest:.3g} already. Pass a larger ratio."
        )
    return {minority: missing}


class Resampling(Sampling):
    """Mixin: ``fit_resample``, as imbalanced-learn's samplers have it."""

    sampling_strategy_: dict[Any, int] | None

    def fit_resample(self, X: Any, y: Any, *, condition: Any = None) -> tuple[Any, Any]:
        """Fit, and return the data with synthetic samples of the smaller classes.

        Parameters
        ----------
        X : DataFrame, sparse matrix or array-like of shape (n_samples, ...)
            The samples.
        y : array-like of shape (n_samples,), (n_samples, 1) or (n_samples, n_classes)
            Classes; of several columns exactly one must be 1 in each row.
        condition : array-like, default=None
            As in ``fit``; a synthetic sample gets that of a real one of its class.

        Returns
        -------
        X_resampled, y_resampled
            The data as passed, followed by synthetic samples; of the same types.

        Raises
        ------
        ValueError
            If ``y`` is not one column of classes, is ignored (``condition="none"``), or
            ``sampling_strategy`` does not fit it.
        """
        self._validate_params()
        check_classes(y)
        labels = _labels_of(y)
        if len(np.unique(labels)) < 2:
            raise ValueError(
                "y has one class, so there is nothing to balance. Pass samples of at "
                "least two classes."
            )
        if self.condition == "none":
            raise ValueError(
                "condition='none' ignores y, but fit_resample draws samples of given "
                "classes. Use condition='auto'."
            )
        # Before training, which may take long.
        added = samples_to_add(self.sampling_strategy, labels)
        self.fit(densified(X), labels, condition=condition)
        self.sampling_strategy_ = added
        wanted = np.repeat(list(added), list(added.values()))
        if not len(wanted):
            return copied(X), copied(y)
        which, latent = seeds_of([self._seed, 4], 2)
        rows = _rows_of_classes(labels, wanted, which)
        beside = None if condition is None else np.asarray(condition)[rows]
        drawn = self._draw(labels[rows], beside, len(rows), latent)
        return joined(X, drawn), joined(y, rows_like(y, rows))


def _labels_of(y: Any) -> Array:
    """Return class labels of (n,) targets, or of columns of which one is 1."""
    if type_of_target(y, input_name="y") != "multilabel-indicator":
        return np.asarray(y).ravel()
    indicators = y.toarray() if sparse.issparse(y) else np.asarray(y)
    if (indicators.sum(1) != 1).any():
        raise ValueError(
            "y has several columns, and in some rows not exactly one of them is 1. "
            "Multilabel and multioutput targets are not supported: pass one class for "
            "each sample."
        )
    return indicators.argmax(1)


def _rows_of_classes(labels: Array, wanted: Array, source: Any) -> Array:
    """Return a row of each wanted class, drawn at random."""
    found = np.empty(len(wanted), np.intp)
    for c in np.unique(wanted):
        rows = np.flatnonzero(labels == c)
        here = wanted == c
        found[here] = rows[source.integers(len(rows), size=here.sum())]
    return found
