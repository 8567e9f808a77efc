"""Preparing images: tiles, tissue, readers of slide formats, pixels in space."""

from __future__ import annotations

from mlmi_sklearn.preprocessing.coordinates import coordinate_map
from mlmi_sklearn.preprocessing.slides import (
    ArraySlide,
    SlideReader,
    image_slide,
    open_slide,
    read_image,
)
from mlmi_sklearn.preprocessing.tiles import TileGrid
from mlmi_sklearn.preprocessing.tissue import otsu_threshold, tissue_mask

__all__ = [
    "ArraySlide",
    "SlideReader",
    "TileGrid",
    "coordinate_map",
    "image_slide",
    "open_slide",
    "otsu_threshold",
    "read_image",
    "tissue_mask",
]
