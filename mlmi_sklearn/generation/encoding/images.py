"""From images of any intensities to -1 to 1, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.inputs import as_host_array
from ...nn.generation.blocks import Block
from .grids import Levels

__all__ = ["ImageCodec"]

Array = NDArray[Any]

_SCALES = ("auto", "full", "robust")
_TAIL = 0.001
# A range this many times that of all but the tails is made by a few bright pixels.
_LONG = 2.0
# Channels whose ranges differ by this factor, or do not overlap, get one each.
_UNLIKE = 2.0
_FEW_LEVELS = 256
# So many pixels show whether there are few levels, and where the tails begin.
_GLANCE = 100_000


class ImageCodec:
    """Turn images into arrays between -1 and 1, and back into images like the first.

    Parameters
    ----------
    scale : {"auto", "full", "robust"} or tuple of (low, high), default="auto"
        Intensities that become -1 and 1: the smallest and largest, or those below and
        above which 0.1 % of the pixels lie, or these two. ``"auto"`` takes the full
        range unless the tails are longer than the rest. What lies outside is cut off.
    per_channel : "auto" or bool, default="auto"
        Whether each channel has a range of its own; ``"auto"`` if theirs differ by a
        factor of two or do not overlap.

    Attributes
    ----------
    blocks_ : list of Block
        One of kind "tanh" with all channels.
    shape_ : tuple of int
        (C, H, W) or (C, D, H, W) of an encoded image.
    low_, high_ : ndarray of shape (C,)
        What becomes -1 and 1 in each channel.
    levels_ : ndarray or None
        All intensities, where they are few and the type is not an integer; decoded
        images hold only these.

    Raises
    ------
    ValueError
        In ``fit``, if an argument is wrong, or the images have too few or too many
        dimensions, or hold NaN, infinity or no numbers.

    Examples
    --------
    >>> X = np.array([[[-1000, 40], [60, 3000]]], dtype=np.int16)
    >>> codec = ImageCodec().fit(X)
    >>> codec.encode(X).round(2)
    array([[[[-1.  , -0.48],
             [-0.47,  1.  ]]]], dtype=float32)
    >>> codec.decode(codec.encode(X))
    array([[[-1000,    40],
            [   60,  3000]]], dtype=int16)
    """

    def __init__(self, scale: Any = "auto", per_channel: Any = "auto") -> None:
        self.scale = scale
        self.per_channel = per_channel

    def fit(self, X: Any) -> ImageCodec:
        """Find the range of intensities.

        Parameters
        ----------
        X : array-like of shape (n, H, W), (n, C, H, W) or (n, C, D, H, W)
            Training images; those of three dimensions have one channel.

        Returns
        -------
        ImageCodec
            The codec itself.
        """
        self._check_arguments()
        X = _read(X)
        self.image_type_ = str(X.dtype)
        self.has_channels_ = X.ndim > 3
        self.dtype_ = "float64" if X.dtype == np.float64 else "float32"
        images = X if self.has_channels_ else X[:, None]
        self.shape_: tuple[int, ...] = images.shape[1:]
        self.blocks_ = [Block("tanh", 0, self.shape_[0])]
        self.width_ = int(np.prod(self.shape_))
        channels = [images[:, c] for c in range(self.shape_[0])]
        # bool - bool is an error, and 255 - 0 too large for int8.
        ranges = np.array([self._range(channel) for channel in channels], dtype=float)
        if not self._has_own_ranges(ranges):
            ranges[:] = ranges[:, 0].min(), ranges[:, 1].max()
        self.low_, self.high_ = ranges.T.copy()
        self.bounds_ = (float(images.min()), float(images.max()))
        self.levels_ = _few_levels(images)
        return self

    def encode(self, X: Any) -> Array:
        """Return images between -1 and 1.

        Parameters
        ----------
        X : array-like of the shape of ``fit``
            Images.

        Returns
        -------
        ndarray of shape (n, C, H, W) or (n, C, D, H, W)
            Of float64 if the training images were, otherwise float32.

        Raises
        ------
        ValueError
            If images have another shape, or hold NaN or infinity.
        """
        X = _read(X)
        wanted = self.shape_ if self.has_channels_ else self.shape_[1:]
        if X.shape[1:] != wanted:
            raise ValueError(
                f"X must hold images of shape {wanted}, as in training, got "
                f"{X.shape[1:]}."
            )
        images = X if self.has_channels_ else X[:, None]
        centre, half = self._affine(np.dtype(self.dtype_))
        Z = images.astype(self.dtype_)
        Z -= centre
        Z /= half
        return np.clip(Z, -1, 1, out=Z)

    def decode(self, Z: Any) -> Array:
        """Return images.

        Parameters
        ----------
        Z : array-like of shape (n, C, H, W) or (n, C, D, H, W)
            Encoded or generated images; what lies outside of -1 to 1 is cut off.

        Returns
        -------
        ndarray
            Of the type and number of dimensions of the training images.

        Raises
        ------
        ValueError
            If the shape is wrong or numbers are not finite.
        """
        Z = np.asarray(as_host_array(Z))
        if Z.shape[1:] != self.shape_:
            raise ValueError(
                f"Z must have shape (n, {', '.join(map(str, self.shape_))}), as encode "
                f"returns it, got {Z.shape}."
            )
        if not np.isfinite(Z).all():
            raise ValueError("Z must be finite, got NaN or infinity.")
        # float32 has no room for 32-bit intensities.
        centre, half = self._affine(np.dtype(np.float64))
        images = np.clip(Z, -1, 1) * half + centre
        images = self._snapped(images)
        return images if self.has_channels_ else images[:, 0]

    def _snapped(self, images: Array) -> Array:
        """Return intensities that training images could have, in their type."""
        dtype = np.dtype(self.image_type_)
        np.clip(images, *self.bounds_, out=images)
        if self.levels_ is not None:
            return Levels(self.levels_).cells(images)
        if dtype.kind in "iu":
            np.rint(images, out=images)
            # The largest of 64 bits would round up beyond its type.
            top = float(np.iinfo(dtype).max)
            if top > np.iinfo(dtype).max:
                np.minimum(images, np.nextafter(top, 0), out=images)
        return images.astype(dtype)

    def _affine(self, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        """Return centre and half width for each channel, ready to broadcast."""
        shape = (-1, *(1,) * (len(self.shape_) - 1))
        half = (self.high_ - self.low_) / 2
        half = np.where(half > 0, half, 1.0)
        centre = (self.high_ + self.low_) / 2
        return centre.reshape(shape).astype(dtype), half.reshape(shape).astype(dtype)

    def _range(self, channel: Array) -> tuple[float, float]:
        """Return what becomes -1 and 1 in a channel."""
        if not isinstance(self.scale, str):
            return float(self.scale[0]), float(self.scale[1])
        low, high = float(channel.min()), float(channel.max())
        if self.scale == "full" or channel.dtype == bool:
            return low, high
        inner = np.quantile(_glance(channel), [_TAIL, 1 - _TAIL]).tolist()
        width = inner[1] - inner[0]
        long = 0 < width * _LONG < high - low
        robust = width > 0 and (self.scale == "robust" or long)
        return (inner[0], inner[1]) if robust else (low, high)

    def _has_own_ranges(self, ranges: Array) -> bool:
        """Whether channels are scaled apart."""
        if self.per_channel != "auto":
            return bool(self.per_channel)
        low, high = ranges.T
        widths = high - low
        apart = low.max() >= high.min() and widths.min() > 0
        return bool(apart or widths.max() > _UNLIKE * widths.min() > 0)

    def _check_arguments(self) -> None:
        if isinstance(self.scale, str):
            known = self.scale in _SCALES
        else:
            pair = np.asarray(self.scale)
            known = pair.shape == (2,) and pair.dtype.kind in "iuf"
            known = known and bool(np.isfinite(pair).all() and pair[0] < pair[1])
        if not known:
            raise ValueError(
                f"scale must be one of {', '.join(map(repr, _SCALES))} or a pair (low, "
                f"high) with low < high, got {self.scale!r}."
            )
        if self.per_channel != "auto" and not isinstance(self.per_channel, bool):
            raise ValueError(
                f"per_channel must be 'auto', True or False, got {self.per_channel!r}."
            )


def _read(X: Any) -> Array:
    """Return images as an array of finite numbers."""
    X = np.asarray(as_host_array(X))
    if X.ndim not in (3, 4, 5) or not X.size:
        raise ValueError(
            "X must hold images of shape (n, H, W), (n, C, H, W) or (n, C, D, H, W) "
            f"and at least one pixel, got shape {X.shape}."
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X must hold real numbers, got type {X.dtype}.")
    if X.dtype.kind == "f" and not np.isfinite(X).all():
        raise ValueError("X must be finite, but images hold NaN or infinity.")
    return X


def _glance(X: Array) -> Array:
    """Return pixels in even distances, so many that a look at them is quick."""
    flat = X.ravel()
    return flat[:: max(1, len(flat) // _GLANCE)]


def _few_levels(X: Array) -> Array | None:
    """Return all intensities of images that are no integers, if they are few."""
    if X.dtype.kind in "iu":
        return None
    if len(np.unique(_glance(X))) > _FEW_LEVELS or X.size < 2 * _FEW_LEVELS:
        return np.unique(X) if X.dtype == bool else None
    levels = np.unique(X)
    return levels if len(levels) <= _FEW_LEVELS else None
