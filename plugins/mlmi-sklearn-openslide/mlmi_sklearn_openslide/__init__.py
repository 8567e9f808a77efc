"""A slide reader for mlmi_sklearn: whole-slide images through OpenSlide.

Importing this module imports neither OpenSlide nor Pillow; both come with the first
slide that is opened.
"""

from __future__ import annotations

from typing import Any

from mlmi_sklearn import hookimpl

__all__ = ["SUFFIXES", "OpenSlideReader", "mlmi_register_slide_readers"]

#: Formats of OpenSlide. Of TIFF files it takes those of scanners, and pyramids.
SUFFIXES = (
    ".svs",
    ".ndpi",
    ".vms",
    ".vmu",
    ".scn",
    ".mrxs",
    ".bif",
    ".svslide",
    ".czi",
    ".dcm",
    ".tif",
    ".tiff",
)


@hookimpl
def mlmi_register_slide_readers(register: Any) -> None:
    """Register the reader under the name ``"openslide"``."""
    register(
        "openslide",
        "mlmi_sklearn_openslide.reader:OpenSlideReader",
        summary="Whole-slide images of all formats that OpenSlide knows.",
        tags={"suffixes": SUFFIXES},
    )


def __getattr__(name: str) -> Any:
    if name != "OpenSlideReader":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .reader import OpenSlideReader

    return OpenSlideReader
