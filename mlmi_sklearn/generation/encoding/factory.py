"""Choosing the codec for what was passed."""

from __future__ import annotations

from typing import Any

from .images import ImageCodec
from .table import TableCodec

__all__ = ["make_codec"]

_IMAGE_SCALES = {"auto": "auto", "minmax": "full"}


def make_codec(
    X: Any, categorical_features: Any = "from_dtype", preprocess: Any = "auto"
) -> TableCodec | ImageCodec:
    """Return a codec for data, not yet fitted.

    Parameters
    ----------
    X : DataFrame or array-like
        A table (n, n_features), or images of three to five dimensions.
    categorical_features : str, None, sequence or callable, default="from_dtype"
        As in :class:`TableCodec`; images have none.
    preprocess : str, tuple of (low, high) or transformer, default="auto"
        As in :class:`TableCodec`. Images take "auto", "full" (or "minmax"), "robust"
        or a range of intensities, as ``scale`` of :class:`ImageCodec`.

    Returns
    -------
    TableCodec or ImageCodec
        Which one, the number of dimensions decides.

    Raises
    ------
    ValueError
        If images are passed with categories.

    Examples
    --------
    >>> import numpy as np
    >>> type(make_codec(np.zeros((2, 8, 8)))).__name__
    'ImageCodec'
    """
    ndim = getattr(X, "ndim", None)
    if ndim is None or ndim <= 2:
        return TableCodec(categorical_features, preprocess)
    by_default = categorical_features is None or isinstance(categorical_features, str)
    if not by_default and (callable(categorical_features) or len(categorical_features)):
        raise ValueError(
            "categorical_features names columns of a table, but X holds images. Leave "
            "it at 'from_dtype'."
        )
    if isinstance(preprocess, str):
        preprocess = _IMAGE_SCALES.get(preprocess, preprocess)
    return ImageCodec(preprocess)
