"""Pictures of a blind test: nothing but what an image shows may tell where it is from.

Real and synthetic images get one range of grey values and one depth, and are written by
the same call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_bytes", "side_by_side", "write_png"]

Pictures = NDArray[np.uint8]

# Shorter side of a picture on the screen, in pixels.
_SHORT_SIDE = 256


def as_bytes(real: Any, synthetic: Any) -> tuple[Pictures, Pictures]:
    """Return both kinds as bytes (n, H, W, 1 or 3), in the range of the real ones."""
    a, b = _pictures(real, "real"), _pictures(synthetic, "synthetic")
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(
            "real and synthetic must have images of one shape, got "
            f"{a.shape[1:]} and {b.shape[1:]} (height, width, channels)."
        )
    low, high = a.min(), a.max()
    scale = 255 / (high - low) if high > low else 0.0
    first, second = (
        np.round((np.clip(x, low, high) - low) * scale).astype(np.uint8) for x in (a, b)
    )
    return first, second


def side_by_side(left: Pictures, right: Pictures) -> Pictures:
    """Join pictures, with a grey bar in between."""
    bar = max(1, left.shape[2] // 12)
    between = np.full((*left.shape[:2], bar, left.shape[3]), 128, dtype=np.uint8)
    return np.concatenate([left, between, right], axis=2)


def write_png(path: Path, picture: Pictures, zoom: int | None) -> None:
    """Write one picture (H, W, C), each pixel as a square of `zoom`."""
    # Matplotlib is slow to import, and nothing else here needs it.
    from matplotlib.image import imsave

    if zoom is None:
        zoom = max(1, _SHORT_SIDE // min(picture.shape[:2]))
    large = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    colour = np.repeat(large, 3 // large.shape[2], axis=2)
    imsave(path, np.ascontiguousarray(colour), format="png")


def _pictures(images: Any, name: str) -> NDArray[np.float64]:
    """Return images with the channel last, as float64."""
    array = np.asarray(images, dtype=np.float64)
    if array.ndim == 3:
        array = array[:, np.newaxis]
    if array.ndim != 4 or array.shape[1] not in (1, 3) or not array.size:
        raise ValueError(
            f"{name} must have shape (n, H, W), (n, 1, H, W) or (n, 3, H, W), got "
            f"{np.shape(images)}. Of volumes, pass slices."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite.")
    return np.moveaxis(array, 1, -1)
