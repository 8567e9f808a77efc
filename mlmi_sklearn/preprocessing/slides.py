"""Reading images region by region: the seam for readers of whole-slide formats.

Tiling asks an image three things only: how large it is, what it looks like from afar,
and what is in one rectangle. :class:`SlideReader` names them. Arrays and files that
NumPy, scikit-image or Pillow can read are served here; a plugin for a slide library
registers a factory of objects with the same two methods
(:func:`~mlmi_sklearn.components.hookspecs.mlmi_register_slide_readers`), and nothing
else has to change.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArraySlide", "SlideReader", "image_slide", "open_slide", "read_image"]

Array = NDArray[Any]

_TIFF = {".tif", ".tiff"}


@runtime_checkable
class SlideReader(Protocol):
    """What tiling needs to know about an image.

    Attributes
    ----------
    shape : tuple of int
        ``(height, width)`` for grey images, ``(height, width, n_channels)`` otherwise,
        in pixels.

    Notes
    -----
    A reader that holds a file open may have a method ``close()``; it is called when
    the image has been tiled. Which level of a pyramid is read is the business of the
    reader: pass ``TileGrid(reader="my-reader", reader_params={"level": 1})``, or
    ``TileGrid(reader=partial(MyReader, level=1))`` where it is not registered.

    Examples
    --------
    >>> import numpy as np
    >>> class Gradient:  # an image of any size that is never in memory
    ...     shape = (100_000, 80_000)
    ...     def read(self, row, col, height, width):
    ...         return np.add.outer(row + np.arange(height), col + np.arange(width))
    ...     def overview(self, step):
    ...         rows, cols = (np.arange(0, n, step) for n in self.shape)
    ...         return np.add.outer(rows, cols)
    >>> isinstance(Gradient(), SlideReader)
    True
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and, for colour images, channels."""
        ...

    def read(self, row: int, col: int, height: int, width: int) -> Array:
        """Return a rectangle of pixels that lies inside the image.

        Parameters
        ----------
        row, col : int
            Its first row and column.
        height, width : int
            Its size in pixels.

        Returns
        -------
        ndarray of shape (height, width) or (height, width, n_channels)
            The pixels.
        """
        ...

    def overview(self, step: int) -> Array:
        """Return the whole image at a fraction of its size.

        Parameters
        ----------
        step : int
            Factor of reduction, at least 1: one pixel for each ``step`` x ``step``
            pixels, picked or averaged.

        Returns
        -------
        ndarray of shape (ceil(height / step), ceil(width / step)[, n_channels])
            The reduced image.
        """
        ...


class ArraySlide:
    """An array as a :class:`SlideReader`; memory maps are read in part only.

    Parameters
    ----------
    image : ndarray of shape (height, width) or with one axis of channels more
        The pixels.
    channel_axis : int or None, default=-1
        Axis of the channels where there are three axes; None allows two axes only.

    Raises
    ------
    ValueError
        If the array is not an image.

    Examples
    --------
    >>> import numpy as np
    >>> slide = ArraySlide(np.zeros((3, 40, 60)), channel_axis=0)
    >>> slide.shape, slide.read(0, 0, 8, 8).shape, slide.overview(4).shape
    ((40, 60, 3), (8, 8, 3), (10, 15, 3))
    """

    def __init__(self, image: Any, channel_axis: int | None = -1) -> None:
        pixels = image if isinstance(image, np.ndarray) else np.asarray(image)
        if pixels.dtype.kind not in "biuf":
            raise ValueError(
                f"has dtype {pixels.dtype}, but pixels must be real numbers."
            )
        if pixels.ndim == 3 and channel_axis is not None:
            pixels = np.moveaxis(pixels, channel_axis, -1)
        elif pixels.ndim != 2:
            colour = "" if channel_axis is None else " or, with channels, three"
            raise ValueError(
                f"has shape {pixels.shape}, but an image has two axes{colour}."
            )
        if 0 in pixels.shape:
            raise ValueError(f"has shape {pixels.shape}, so it has no pixels.")
        self._pixels = pixels

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and, for colour images, channels."""
        return tuple(self._pixels.shape)

    def read(self, row: int, col: int, height: int, width: int) -> Array:
        """Return a view of a rectangle.

        Parameters
        ----------
        row, col : int
            Its first row and column.
        height, width : int
            Its size in pixels.

        Returns
        -------
        ndarray of shape (height, width) or (height, width, n_channels)
            The pixels, not copied.
        """
        return self._pixels[row : row + height, col : col + width]

    def overview(self, step: int) -> Array:
        """Return every ``step``-th pixel.

        Parameters
        ----------
        step : int
            Factor of reduction, at least 1.

        Returns
        -------
        ndarray of shape (ceil(height / step), ceil(width / step)[, n_channels])
            The pixels, not copied.
        """
        return self._pixels[::step, ::step]


def read_image(path: str | Path) -> Array:
    """Read an image file.

    Parameters
    ----------
    path : str or Path
        ``.npy`` files are memory-mapped. TIFF files are read by scikit-image where it
        is installed; all else is read by Pillow, which comes with matplotlib.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, n_channels)
        The pixels, of the type in the file; palettes are resolved to colours.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the format is not known, or the file is damaged.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "image.npy"
    ...     np.save(path, np.zeros((5, 4)))
    ...     read_image(path).shape
    (5, 4)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file.")
    if path.suffix == ".npy":
        return np.load(path, mmap_mode="r", allow_pickle=False)
    if path.suffix.lower() in _TIFF:
        try:
            return np.asarray(import_module("skimage.io").imread(path))
        except Exception:  # not installed, or another kind of TIFF: Pillow may know it
            pass
    return _read_with_pillow(path)


def image_slide(path: str | Path) -> ArraySlide:
    """Open an image file that the package reads by itself: the reader ``"image"``.

    Parameters
    ----------
    path : str or Path
        See :func:`read_image`.

    Returns
    -------
    ArraySlide
        The image, channels last.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no image.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "image.npy"
    ...     np.save(path, np.zeros((5, 4, 3)))
    ...     image_slide(path).shape
    (5, 4, 3)
    """
    try:
        return ArraySlide(read_image(path))
    except ValueError as error:
        text = str(error)
        raise ValueError(text if str(path) in text else f"{path} {text}") from error


def _read_with_pillow(path: Path) -> Array:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.mode == "P":
                return np.asarray(image.convert("RGB"))
            return np.asarray(image)
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{path} is in no format that Pillow can read. Pass reader=, a function "
            "from a path to an array or a SlideReader, or install a plugin that reads "
            "it, such as mlmi-sklearn-openslide for slides."
        ) from error
    except OSError as error:
        raise ValueError(f"{path} is damaged or cut short: {error}.") from error


def open_slide(
    source: Any,
    reader: Callable[[Any], Any] | None = None,
    channel_axis: int | None = -1,
) -> SlideReader:
    """Make a :class:`SlideReader` of whatever stands for an image.

    Parameters
    ----------
    source : array-like, str, Path or SlideReader
        The image, or where it is.
    reader : callable, default=None
        Turns a path into a :class:`SlideReader` or an array. None:
        :func:`read_image`.
    channel_axis : int or None, default=-1
        Axis of the channels in arrays of three axes.

    Returns
    -------
    SlideReader
        The image, ready to be read in part.

    Raises
    ------
    ValueError
        If it is no image.

    Examples
    --------
    >>> import numpy as np
    >>> open_slide(np.zeros((40, 60))).shape
    (40, 60)
    """
    if isinstance(source, str | Path):
        source = (read_image if reader is None else reader)(source)
    if isinstance(source, SlideReader):
        return source
    return ArraySlide(source, channel_axis)
