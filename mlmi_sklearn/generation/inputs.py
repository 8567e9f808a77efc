"""What the user passes, read: samples, conditions and maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data
from torch import Tensor
from torch.nn import functional

from ..base.inputs import as_host_array
from ..base.naming import naming

__all__ = ["GANInputs", "MapScale", "Passed", "read_maps", "read_samples", "resized"]

Array = NDArray[Any]


class Passed(NamedTuple):
    """Arguments of ``fit`` on their way through its stages."""

    X: Any
    y: Any
    condition: Any
    classes: Any = None


@dataclass
class GANInputs:
    """Rows of a fit in model space, and what was learned on the way.

    Parameters
    ----------
    values : ndarray of shape (n, ...)
        Samples in model space.
    vector, maps : ndarray or None
        Encoded conditions.
    labels, strata : ndarray of int or None
        Classes, and groups from which batches are drawn alike.
    original : tuple
        Samples and conditions as passed: X, y, condition.
    attributes : dict
        Fitted attributes.
    """

    values: Array
    vector: Array | None
    maps: Array | None
    labels: Array | None
    strata: Array | None
    original: tuple[Any, Any, Any]
    attributes: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Array) -> GANInputs:
        """Gather rows."""

        def pick(values: Any) -> Any:
            if values is None:
                return None
            if hasattr(values, "iloc"):
                return values.iloc[rows]
            return np.asarray(values)[rows]

        X, y, condition = (pick(values) for values in self.original)
        return GANInputs(
            pick(self.values),
            pick(self.vector),
            pick(self.maps),
            pick(self.labels),
            pick(self.strata),
            (X, y, condition),
            self.attributes,
        )


def read_samples(
    estimator: Any, X: Any, *, reset: bool, categorical: bool, min_samples: int = 1
) -> Any:
    """Validate samples; tables keep their types.

    Parameters
    ----------
    estimator : BaseEstimator
        Receives ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    X : DataFrame or array-like of shape (n_samples, ...)
        The samples. NaN means missing; infinity is an error.
    reset : bool
        Whether this is training data.
    categorical : bool
        Whether columns of an array are named as categories, so that it may hold
        strings.
    min_samples : int, default=1
        Fewest rows.

    Returns
    -------
    DataFrame or ndarray
        The samples.
    """
    with naming("X"):
        if hasattr(X, "columns") and hasattr(X, "shape"):
            return _read_frame(estimator, X, reset, min_samples)
        return _read_array(estimator, as_host_array(X), reset, categorical, min_samples)


def _read_array(
    estimator: Any, X: Any, reset: bool, categorical: bool, min_samples: int
) -> Any:
    kind = getattr(X, "dtype", np.dtype(float)).kind
    if kind in "US" and not categorical:
        raise ValueError(
            "X is an array of strings. Pass a DataFrame, whose columns of strings are "
            "categories, or name such columns by categorical_features."
        )
    if categorical and kind in "OUS" and X.ndim == 2:
        frame = pd.DataFrame(X).infer_objects()
        validate_data(estimator, X=X, reset=reset, skip_check_array=True)
        return _read_frame(estimator, frame, False, min_samples, check=False)
    return validate_data(
        estimator,
        X=X,
        reset=reset,
        dtype="numeric",
        allow_nd=True,
        ensure_all_finite="allow-nan",
        ensure_min_samples=min_samples,
    )


def _read_frame(
    estimator: Any, X: Any, reset: bool, min_samples: int, check: bool = True
) -> pd.DataFrame:
    if check:
        validate_data(estimator, X=X, reset=reset, skip_check_array=True)
    frame = X if isinstance(X, pd.DataFrame) else _as_pandas(X)
    name = type(estimator).__name__
    if frame.shape[1] == 0:
        raise ValueError(
            f"0 feature(s) (shape={frame.shape}) while a minimum of 1 is required."
        )
    if len(frame) < min_samples:
        raise ValueError(
            f"Found array with {len(frame)} sample(s) (shape={frame.shape}) while a "
            f"minimum of {min_samples} is required by {name}."
        )
    numbers = frame.select_dtypes("number")
    for column in numbers.columns:
        values = numbers[column].to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(values).any():
            raise ValueError(
                f"Input X contains infinity or a value too large, in column "
                f"{column!r}. Replace it; NaN means missing."
            )
    return frame


def _as_pandas(X: Any) -> pd.DataFrame:
    """Copy the columns of another library's table."""
    return pd.DataFrame({name: X[name].to_numpy() for name in X.columns})


@dataclass
class MapScale:
    """Mean and deviation of each channel of a map.

    Parameters
    ----------
    mean, deviation : ndarray of shape (channels,)
        Over training rows and pixels.
    spatial : tuple of int
        Size of the images that maps are brought to.
    """

    mean: Array
    deviation: Array
    spatial: tuple[int, ...]

    @classmethod
    def of(cls, maps: Array, spatial: tuple[int, ...]) -> MapScale:
        """Measure maps of shape (n, channels, ...)."""
        axes = (0, *range(2, maps.ndim))
        deviation = maps.std(axes, dtype=np.float64)
        mean = maps.mean(axes, dtype=np.float64)
        return cls(mean, np.where(deviation > 0, deviation, 1.0), spatial)

    def encode(self, maps: Array) -> Array:
        """Standardise maps and bring them to the size of the images."""
        if maps.shape[1] != len(self.mean):
            raise ValueError(
                f"condition has {maps.shape[1]} channels, but in fit it had "
                f"{len(self.mean)}."
            )
        shape = (1, -1, *[1] * (maps.ndim - 2))
        scaled = (maps - self.mean.reshape(shape)) / self.deviation.reshape(shape)
        return resized(scaled.astype(np.float32), self.spatial)


def read_maps(condition: Any, n: int, axes: int) -> Array:
    """Validate maps of shape (n, channels, ...) or (n, ...).

    Parameters
    ----------
    condition : array-like
        The maps.
    n : int
        Rows there must be.
    axes : int
        Spatial axes of the images.

    Returns
    -------
    ndarray of shape (n, channels, ...)
        The maps.
    """
    with naming("condition"):
        maps = check_array(
            as_host_array(condition),
            dtype=[np.float64, np.float32],
            allow_nd=True,
            ensure_2d=False,
            input_name="condition",
        )
    if maps.ndim == axes + 1:
        maps = maps[:, None]
    if maps.ndim != axes + 2:
        raise ValueError(
            f"condition has shape {maps.shape}. Maps for images with {axes} axes have "
            f"shape (n_samples, channels, {'H, W' if axes == 2 else 'D, H, W'})."
        )
    if len(maps) != n:
        raise ValueError(
            f"condition has {len(maps)} rows, but there are {n} samples. Pass one map "
            "for each."
        )
    return maps


def resized(maps: Array, spatial: tuple[int, ...]) -> Array:
    """Interpolate maps to a size; those that have it are returned as they are."""
    if maps.shape[2:] == tuple(spatial):
        return maps
    mode = "bilinear" if len(spatial) == 2 else "trilinear"
    tensor: Tensor = torch.from_numpy(np.ascontiguousarray(maps))
    return functional.interpolate(tensor, spatial, mode=mode, antialias=False).numpy()
