"""Checks of readers of slides."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray

from ..exceptions import PluginError
from ._core import fail, require
from ._subjects import Subject

__all__ = ["SLIDE_READER_CHECKS", "SlideReaderSubject", "write_tiff"]

Array = NDArray[Any]

# Neither square nor a multiple of a tile of the file.
_SHAPE = 150, 214
# How far lossy formats may be off, of 255, on average.
_LOSS = 8.0


class SlideReaderSubject(Subject):
    """A reader of slides, and a file for it: of its example, or a tiled TIFF."""

    @cached_property
    def pixels(self) -> Array:
        """The image in the file: smooth, so that formats that lose a little may."""
        rows, columns = np.mgrid[: _SHAPE[0], : _SHAPE[1]]
        channels = rows + 20, columns + 10, 250 - rows // 2 - columns // 2
        return np.stack(channels, axis=2).astype(np.uint8)

    @property
    def params(self) -> dict[str, Any]:
        """Keyword arguments of the factory, apart from what makes a file."""
        return {k: v for k, v in self.part.example.items() if k != "write"}

    @property
    def suffix(self) -> str:
        """Suffix of files that the checks write themselves."""
        suffixes = tuple(self.part.tags.get("suffixes", ()))
        return next((s for s in suffixes if s in (".tif", ".tiff")), ".tiff")

    @property
    def lossless(self) -> bool:
        """Whether pixels come back as they were."""
        return bool(self.part.tags.get("lossless", True))

    @contextmanager
    def file(self) -> Iterator[Path]:
        """Write the image to a file that is gone afterwards."""
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            write = self.part.example.get("write")
            if write is None:
                yield write_tiff(Path(folder) / f"slide{self.suffix}", self.pixels)
            else:
                yield Path(write(Path(folder), self.pixels))

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Open the file, and close it."""
        with self.file() as path:
            slide = self.build(path)
            try:
                yield slide
            finally:
                getattr(slide, "close", lambda: None)()


def write_tiff(path: Path, pixels: Array) -> Path:
    """Write a tiled TIFF with one smaller level below the whole image."""
    try:
        writer = import_module("tifffile").TiffWriter
    except ImportError as error:
        raise SkipTest(
            "the checks write a tiled TIFF, which needs tifffile: pip install "
            "tifffile, or give register(...) an example with write=."
        ) from error
    tiles = {"tile": (64, 64), "photometric": "rgb", "metadata": None}
    with writer(path) as file:
        for level, step in enumerate((1, 2)):
            part = np.ascontiguousarray(pixels[::step, ::step])
            file.write(part, subfiletype=int(level > 0), **tiles)
    return path


def check_suffixes(subject: SlideReaderSubject) -> None:
    """The tag `suffixes` says which files it is for."""
    found = subject.part.tags.get("suffixes")
    several = list(found) if isinstance(found, tuple | list | set | frozenset) else []
    require(
        several and all(str(s) == s == s.lower() and s[:1] == "." for s in several),
        f"its tag suffixes is {found!r}.",
        "Register it with tags={'suffixes': ('.svs', ...)}: lower case, with the dot.",
    )


def check_shape(subject: SlideReaderSubject) -> None:
    """It says its shape: height, width and, if there are any, channels."""
    with subject.opened() as slide:
        found = getattr(slide, "shape", None)
        expected = subject.pixels.shape
        require(
            isinstance(found, tuple) and found[:2] == expected[:2],
            f"its shape is {found!r} for an image of {expected[:2]} pixels.",
            "Make shape a tuple (height, width, channels) of the finest level, or of "
            "the level that the parameters choose; most libraries give width first.",
        )
        for name in ("read", "overview"):
            remedy = "See mlmi_sklearn.preprocessing.SlideReader."
            require(callable(getattr(slide, name, None)), f"it has no {name}.", remedy)


def check_pixels(subject: SlideReaderSubject) -> None:
    """`read(row, col, height, width)` gives the pixels of that rectangle."""
    with subject.opened() as slide:
        for rectangle in ((0, 0, *_SHAPE), (30, 70, 64, 80)):
            row, col, height, width = rectangle
            found = _read(slide, *rectangle)
            expected = subject.pixels[row : row + height, col : col + width]
            require(
                found.shape == (height, width, *slide.shape[2:]),
                f"read{rectangle} returned shape {found.shape}.",
                "Return (height, width, channels), without an alpha channel that "
                "shape does not name.",
            )
            if found.shape[2:] != expected.shape[2:]:  # grey, or more channels
                continue
            gap = float(np.abs(found.astype(float) - expected).mean())
            require(
                gap <= (0 if subject.lossless else _LOSS),
                f"pixels of read{rectangle} are off by {gap:.3g} of 255 on average.",
                "Mind the order of row and column, and of height and width; for a "
                "format that loses a little, set the tag lossless=False.",
            )


def check_rectangles_agree(subject: SlideReaderSubject) -> None:
    """A part of the image is the same whichever rectangle it is read in."""
    height, width = _SHAPE
    with subject.opened() as slide:
        whole = _read(slide, 0, 0, height, width)
        for row, col, h, w in (
            (0, 0, 1, 1),
            (height - 1, width - 1, 1, 1),
            (height - 40, width - 33, 40, 33),
            (63, 63, 2, 2),
            (17, 0, 5, width),
        ):
            found, expected = _read(slide, row, col, h, w), whole[row:, col:][:h, :w]
            gap = np.abs(found.astype(float) - expected).max()
            require(
                gap <= 1,
                f"read{row, col, h, w} differs from the same part of the whole image "
                f"by {gap:.3g}.",
                "Read every rectangle from the same level, and with a margin where "
                "pixels are interpolated.",
            )


def check_overview(subject: SlideReaderSubject) -> None:
    """`overview(step)` is the whole image, one pixel for each step x step."""
    with subject.opened() as slide:
        for step in (1, 2, 7, 500):
            found = np.asarray(slide.overview(step))
            expected = tuple(ceil(n / step) for n in _SHAPE) + tuple(slide.shape[2:])
            require(
                found.shape == expected,
                f"overview({step}) has shape {found.shape}, not {expected}.",
                "Round the size up.",
            )
            if found.shape[2:] != (3,) or step > 7:
                continue
            gap = np.abs(found.astype(float) - subject.pixels[::step, ::step]).mean()
            require(
                gap <= step + _LOSS,
                f"overview({step}) is off by {gap:.3g} of 255 on average.",
                "Pick or average pixels; keep rows and columns in their order.",
            )


def check_pickle(subject: SlideReaderSubject) -> None:
    """A copy made by pickling reads the same, as other processes need."""
    with subject.opened() as slide:
        expected = _read(slide, 10, 20, 30, 40)
        twin = pickle.loads(pickle.dumps(slide))
        found = _read(twin, 10, 20, 30, 40)
        getattr(twin, "close", lambda: None)()
        remedy = "Leave the open handle out of __getstate__ and open it when needed."
        same = bool(np.array_equal(found, expected))
        require(same, "a pickled copy reads other pixels.", remedy)


def check_threads(subject: SlideReaderSubject) -> None:
    """Several threads may read at once."""
    places = [(5 * i, 7 * i, 40, 30) for i in range(16)]
    with subject.opened() as slide:
        expected = [_read(slide, *place) for place in places]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda place: _read(slide, *place), places))
        same = all(map(np.array_equal, found, expected))
        remedy = "Guard a seek and the read after it by a lock."
        require(same, "four threads read other pixels than one.", remedy)


def check_close(subject: SlideReaderSubject) -> None:
    """`close`, if there is one, may be called twice."""
    with subject.opened() as slide:
        close = getattr(slide, "close", None)
        if close is not None:
            close()
            close()


def check_damaged_files(subject: SlideReaderSubject) -> None:
    """A file that cannot be read is a ValueError that names it."""
    with subject.file() as path:
        path.unlink() if path.is_file() else None
        path = path.with_name(f"damaged{path.suffix}")
        path.write_bytes(b"no image " * 100)
        remedy = 'Raise ValueError(f"{path} ...: {error}.") from the library\'s error.'
        try:
            slide = subject.build(path)
            _read(slide, 0, 0, 1, 1)
        except (ValueError, PluginError) as error:
            require(path.name in str(error), f"the error does not name {path}.", remedy)
            spoken = isinstance(error, ValueError)
            require(spoken, f"a damaged file ended in {error}", remedy)
        else:
            fail("a file of 900 bytes that is no image was read.", remedy)


def check_detect(subject: SlideReaderSubject) -> None:
    """`detect`, if the factory has one, knows its files from others."""
    detect = getattr(subject.part.load(), "detect", None)
    if detect is None:
        return
    with subject.file() as path:
        remedy = "Return True for files that this reader should be given."
        require(detect(path), f"detect says no to {path.name}, its own file.", remedy)
        other = path.with_name(f"other{path.suffix}")
        other.write_bytes(b"no image " * 100)
        remedy = "Look into the file; an error in that means no."
        require(not detect(other), "detect says yes to a file of rubbish.", remedy)


def _read(slide: Any, row: int, col: int, height: int, width: int) -> Array:
    return np.asarray(slide.read(row, col, height, width))


SLIDE_READER_CHECKS = [
    check_suffixes,
    check_shape,
    check_pixels,
    check_rectangles_agree,
    check_overview,
    check_pickle,
    check_threads,
    check_close,
    check_damaged_files,
    check_detect,
]
