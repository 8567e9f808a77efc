"""Small pictures embedded in the package, and their storage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_images", "decode"]


def decode(differences: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pictures (n, H, W) stored as differences down, then to the right.

    Neighbours are alike, so differences take a quarter less room than grey values.
    They count modulo 256, and nothing is lost.
    """
    rows = differences.cumsum(axis=1, dtype=np.uint8)
    return np.asarray(rows.cumsum(axis=2, dtype=np.uint8))


def as_images(grey: NDArray[Any]) -> NDArray[np.float32]:
    """Return bytes (n, H, W) as one channel in [0, 1], shape (n, 1, H, W)."""
    return grey[:, np.newaxis].astype(np.float32) / np.float32(255)
