"""Samples on demand, with conditions exactly as asked."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..base.inputs import as_tensor
from .drawing import draw_samples, seeds_of
from .reading import Reading, joined_vector

__all__ = ["Sampling", "pick_rows"]

Array = NDArray[Any]


class Sampling(Reading):
    """Mixin: ``sample``."""

    def sample(
        self,
        n_samples: int = 1,
        y: Any = None,
        *,
        condition: Any = None,
        random_state: Any = None,
    ) -> tuple[Any, Any]:
        """Draw samples.

        Parameters
        ----------
        n_samples : int, default=1
            How many; may be left away where ``y`` or ``condition`` has rows.
        y : scalar or array-like of shape (n_samples,) or (n_samples, k), default=None
            What is asked of each sample, or of all. None draws conditions as they
            were in training.
        condition : array-like of shape (n_samples, k) or (n_samples, channels, ...), \
default=None
            As in ``fit``, where one was given there. One row serves all samples.
        random_state : int, RandomState instance or None, default=None
            With a seed, the same samples come again, and the first rows do not depend
            on how many are drawn. Without, every call gives new ones, the same series
            for the same ``random_state`` of the estimator.

        Returns
        -------
        X : DataFrame or ndarray of shape (n_samples, ...)
            Samples in the units, types and columns of the training data.
        y : ndarray, Series, DataFrame or None
            Exactly what was asked for; None where training had no conditions.

        Raises
        ------
        ValueError
            If a class was not there in training, or numbers of rows do not agree.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from mlmi_sklearn import CGANSampler
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> sampler = CGANSampler(max_iter=50, random_state=0).fit(X, y)
        >>> samples, labels = sampler.sample(3, y=[0, 2, 2], random_state=0)
        >>> samples.shape, labels.tolist()
        ((3, 4), [0, 2, 2])
        """
        check_is_fitted(self)
        n = self._how_many(n_samples, y, condition)
        seed = self._next_seed(random_state)
        which, latent = seeds_of(seed, 2)
        y = self._asked(y, n, which)
        return self._draw(y, _spread(condition, n), n, latent), y

    def _how_many(self, n_samples: Any, y: Any, condition: Any) -> int:
        if not isinstance(n_samples, Integral) or isinstance(n_samples, bool):
            raise TypeError(
                f"n_samples must be a whole number, got {type(n_samples).__name__}."
            )
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
        lengths = {"y": self._rows_of_y(y), "condition": _rows(condition)}
        # One row serves all samples.
        told = {name: k for name, k in lengths.items() if k is not None and k > 1}
        for name, k in told.items():
            if n_samples not in (1, k):
                raise ValueError(
                    f"n_samples={n_samples}, but {name} has {k} rows. Pass one row for "
                    "each sample, or leave n_samples away."
                )
        if len(set(told.values())) > 1:
            raise ValueError(
                f"y has {told['y']} rows and condition has {told['condition']}. Pass "
                "as many of both."
            )
        return next(iter(told.values()), int(n_samples))

    def _rows_of_y(self, y: Any) -> int | None:
        """Return the rows of conditions; None for one that serves all samples."""
        one_row = np.ndim(y) == 1 and self._encoder.ndim_ == 2
        return None if one_row and not hasattr(y, "columns") else _rows(y)

    def _next_seed(self, random_state: Any) -> Any:
        """Return what seeds one call; without a seed, the next of a series."""
        if random_state is not None:
            if isinstance(random_state, Integral):
                return int(random_state)
            return int(check_random_state(random_state).randint(2**31 - 1))
        # A new attribute value, never a change in place: copies stay apart.
        self._calls = getattr(self, "_calls", 0) + 1
        return [self._seed, self._calls]

    def _asked(self, y: Any, n: int, source: np.random.Generator) -> Any:
        """Return one condition a row, those of training where none are asked."""
        encoder = self._encoder
        if y is None:
            if encoder.ndim_ == 0:
                return None
            known = self._known_y
            rows = (source.random(n) * len(known)).astype(np.intp)
            return pick_rows(known, rows)
        self._require_alike(y, encoder)
        if np.ndim(y) == 0 and encoder.ndim_ == 1:
            return np.full(n, y, dtype=None if not isinstance(y, str) else object)
        if np.ndim(y) == 1 and encoder.ndim_ == 2 and not hasattr(y, "columns"):
            return np.repeat(np.asarray(y)[None], n, axis=0)
        kept = y if hasattr(y, "iloc") else np.asarray(y)
        return kept if len(kept) == n else pick_rows(kept, np.zeros(n, np.intp))

    def _draw(self, y: Any, condition: Any, n: int, source: np.random.Generator) -> Any:
        """Return decoded samples for conditions, one a row."""
        encoded, maps, _ = self._read_condition(
            condition, n, self._recipe.input_shape[1:], reset=False
        )
        vector = joined_vector(self._encoder, y, encoded)
        return self._decoded(self.net_.module_, self._codec, n, source, vector, maps)

    def _decoded(
        self,
        module: Any,
        codec: Any,
        n: int,
        source: np.random.Generator,
        vector: Array | None,
        maps: Array | None,
    ) -> Any:
        tensors = [
            None if a is None else as_tensor(a, torch.float32) for a in (vector, maps)
        ]
        return codec.decode(draw_samples(module, n, source, *tensors))


def pick_rows(values: Any, rows: Array) -> Any:
    """Gather rows of an array or table, numbered anew."""
    if hasattr(values, "iloc"):
        return values.iloc[rows].reset_index(drop=True)
    return np.asarray(values)[rows]


def _rows(values: Any) -> int | None:
    """Return the rows of a condition; None for a scalar."""
    if values is None or np.ndim(values) == 0:
        return None
    return len(values)


def _spread(condition: Any, n: int) -> Any:
    if condition is None or len(condition) == n:
        return condition
    if len(condition) == 1:
        return np.repeat(np.asarray(condition), n, axis=0)
    return condition
