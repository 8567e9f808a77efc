"""From images to bags: tiles, tissue, and the seam for readers of slide formats."""

from __future__ import annotations

from mlmi_sklearn.preprocessing.slides import (
    ArraySlide,
    SlideReader,
    open_slide,
    read_image,
)
from mlmi_sklearn.preprocessing.tiles import TileGrid
from mlmi_sklearn.preprocessing.tissue import otsu_threshold, tissue_mask

__all__ = [
    "ArraySlide",
    "SlideReader",
    "TileGrid",
    "open_slide",
    "otsu_threshold",
    "read_image",
    "tissue_mask",
]
