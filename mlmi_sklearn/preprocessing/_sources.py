"""What TileGrid accepts as X: images, or a table that passes through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ..containers import Bags
from ..exceptions import BagError
from ._readers import reader_for
from .slides import SlideReader, open_slide

__all__ = ["holds_images", "image_names", "list_images", "opened"]


def holds_images(X: Any) -> bool:
    """Tell whether X holds images, or where they are, rather than rows of a table."""
    if isinstance(X, type):  # left to the errors of tables
        return False
    if isinstance(X, Bags):
        raise BagError(
            "X holds bags, but TileGrid makes bags of images: pass a list of images or "
            "paths. Images that are instances already need no tiling."
        )
    if isinstance(X, str | Path):
        raise BagError(f"X={str(X)!r} is one path. Pass a list: [{str(X)!r}].")
    if sparse.issparse(X):
        return False
    if hasattr(X, "iloc"):
        return _one_column(X) and any(_is_image(cell) for cell in _cells(X)[:1])
    if isinstance(X, list | tuple):
        return any(_is_image(image) for image in X[:1])
    if getattr(getattr(X, "dtype", None), "kind", "") in ("O", "U", "T"):
        return _one_column(X) and any(_is_image(cell) for cell in _cells(X)[:1])
    return getattr(X, "ndim", 0) >= 3


def list_images(X: Any) -> list[Any]:
    """Return the images, or paths, one by one."""
    if isinstance(X, list | tuple):
        return list(X)
    array = np.asarray(X) if hasattr(X, "iloc") else X
    if array.dtype.kind in "OUT":
        array = array.reshape(-1)
    return list(array)


def image_names(images: list[Any]) -> list[str] | None:
    """Return names for bags: those of the files, whole paths where names repeat."""
    if not all(isinstance(image, str | Path) for image in images):
        return None
    stems = [Path(image).stem for image in images]
    names = stems if len(set(stems)) == len(stems) else [str(i) for i in images]
    return names if len(set(names)) == len(names) else None


@contextmanager
def opened(
    images: list[Any],
    number: int,
    reader: Any,
    channel_axis: int | None,
    params: Mapping[str, Any] | None = None,
) -> Iterator[SlideReader]:
    """Open an image, and close it again if it was opened here.

    An error about the image, raised in the block, tells which image it is.
    """
    source = images[number]
    is_path = isinstance(source, str | Path)
    slide = None
    try:
        function = reader_for(source, reader, params) if is_path else None
        slide = open_slide(source, function, channel_axis)
        yield slide
    except FileNotFoundError as error:
        raise FileNotFoundError(f"X: image {number}: {error}") from error
    except ValueError as error:
        name = f" ({source})" if is_path else ""
        raise BagError(f"X: image {number}{name} {error}") from error
    finally:
        close = getattr(slide, "close", None)
        if is_path and close is not None:
            close()


def _is_image(value: Any) -> bool:
    """Tell an image, or a path, from a number or a row of numbers."""
    if isinstance(value, str | Path | SlideReader):
        return True
    if hasattr(value, "ndim"):
        return int(value.ndim) >= 2
    try:
        return np.ndim(value) >= 2
    except ValueError:  # lists of different length
        return False


def _one_column(X: Any) -> bool:
    return len(X.shape) == 1 or (len(X.shape) == 2 and X.shape[1] == 1)


def _cells(X: Any) -> Any:
    return np.asarray(X).reshape(-1)
