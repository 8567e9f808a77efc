"""Slides through OpenSlide: one level, or any resolution in between."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import openslide
from numpy.typing import NDArray

from .handle import Handle
from .sampling import Window, resample

__all__ = ["OpenSlideReader"]

Array = NDArray[Any]

_TIFF = (".tif", ".tiff")
# Pixels of a level held at once while an overview is made, 64 MB.
_STRIP = 2**24
# A wanted resolution may be so much finer than the slide: scanners' 0.2528 for 0.25.
_ENLARGED = 1.25


class OpenSlideReader:
    """A whole-slide image, read region by region.

    Parameters
    ----------
    path : str or Path
        The slide.
    level : int, default=None
        Level of the pyramid that is read, 0 being the finest; negative numbers count
        from the coarsest. None means 0, unless `mpp` is given.
    mpp : float, default=None
        Resolution at which the slide is read, in micrometres a pixel: 0.5 is about 20x,
        0.25 about 40x. Pixels are averaged from the nearest finer level. Not together
        with `level`.
    slide_mpp : float or (float, float), default=None
        Micrometres a pixel (x and y) of the finest level, for files that do not say or
        are wrong. None trusts the file.
    background : (int, int, int), default=None
        Colour of what was not scanned. None takes that of the file, or white.

    Attributes
    ----------
    shape : tuple of int
        (height, width, 3) at the resolution that is read.
    mpp : (float, float) or None
        Micrometres a pixel, x and y, of what is read; None if the file does not say.
    downsample : (float, float)
        Pixels of the finest level for one pixel of what is read, x and y. Coordinates
        of tiles times this are places in the finest level.
    properties : dict of str to str
        What the file says about itself.

    Raises
    ------
    ValueError
        If the file is no slide or is damaged, or a parameter does not suit it.

    Notes
    -----
    Threads may share a reader. Pickles, and processes made by forking, hold no open
    file: each opens the slide again when it first reads.

    Examples
    --------
    >>> from mlmi_sklearn import TileGrid
    >>> grid = TileGrid(256, reader="openslide", reader_params={"mpp": 0.5})
    >>> grid.reader_params
    {'mpp': 0.5}
    """

    def __init__(
        self,
        path: str | Path,
        level: int | None = None,
        mpp: float | None = None,
        slide_mpp: float | tuple[float, float] | None = None,
        background: tuple[int, int, int] | None = None,
    ) -> None:
        if level is not None and mpp is not None:
            raise ValueError(f"level={level} and mpp={mpp}: give one of the two.")
        self.path = Path(path)
        self._handle = Handle(self.path, background)
        facts = self._handle.facts
        self._base = _resolution(facts.mpp, slide_mpp)
        self._facts = facts
        if mpp is None:
            self._level = self._checked_level(0 if level is None else level)
            self.downsample = facts.downsamples[self._level]
            width, height = facts.dimensions[self._level]
        else:
            self.downsample = self._wanted(mpp)
            self._level = facts.level_for(min(self.downsample))
            width, height = (
                max(1, round(n / factor))
                for n, factor in zip(facts.dimensions[0], self.downsample, strict=True)
            )
        self.shape = height, width, 3

    @property
    def mpp(self) -> tuple[float, float] | None:
        """Micrometres a pixel, x and y, of what is read."""
        if self._base is None:
            return None
        (x, y), (fx, fy) = self._base, self.downsample
        return x * fx, y * fy

    @property
    def properties(self) -> dict[str, str]:
        """What the file says about itself."""
        return dict(self._facts.properties)

    def read(self, row: int, col: int, height: int, width: int) -> Array:
        """Return a rectangle of pixels.

        Parameters
        ----------
        row, col : int
            Its first row and column.
        height, width : int
            Its size.

        Returns
        -------
        ndarray of uint8 of shape (height, width, 3)
            Red, green and blue.

        Raises
        ------
        ValueError
            If the rectangle is not inside the slide, or the file is damaged there.
        """
        inside = (
            min(row, col) >= 0
            and 0 < height <= self.shape[0] - row
            and 0 < width <= self.shape[1] - col
        )
        if not inside:
            raise ValueError(
                f"{self.path}: a rectangle of {height} x {width} pixels at row {row}, "
                f"column {col} is not inside {self.shape[0]} x {self.shape[1]}."
            )
        return self._sampled(
            self._level, self._factor(self._level), row, col, (height, width)
        )

    def overview(self, step: int) -> Array:
        """Return the whole slide at a fraction of its size.

        Parameters
        ----------
        step : int
            Factor of reduction, at least 1.

        Returns
        -------
        ndarray of uint8 of shape (ceil(height / step), ceil(width / step), 3)
            Averages, from the level that is nearest in size.
        """
        level = self._facts.level_for(step * min(self.downsample))
        factor = tuple(step * f for f in self._factor(level))
        height, width = (math.ceil(n / step) for n in self.shape[:2])
        rows = max(1, int(_STRIP / (factor[1] * factor[0] * width)))
        return np.concatenate(
            [
                self._sampled(level, factor, r, 0, (min(rows, height - r), width))
                for r in range(0, height, rows)
            ]
        )

    def close(self) -> None:
        """Close the file; reading opens it again."""
        self._handle.close()

    @staticmethod
    def detect(path: str | Path) -> bool:
        """Tell whether a file should be read by OpenSlide.

        Parameters
        ----------
        path : str or Path
            A file with one of the suffixes.

        Returns
        -------
        bool
            True for formats that nothing else reads. TIFF files without a scanner's
            marks must be pyramids; other ones fit in memory and may be grey, which
            OpenSlide would turn into colours.
        """
        path = Path(path)
        if path.suffix.lower() not in _TIFF:
            return True
        vendor = openslide.OpenSlide.detect_format(str(path))
        if vendor != "generic-tiff":
            return vendor is not None
        try:
            with openslide.OpenSlide(str(path)) as slide:
                return bool(slide.level_count > 1)
        except openslide.OpenSlideError:
            return False

    def _checked_level(self, level: int) -> int:
        count = len(self._facts.dimensions)
        if not -count <= level < count:
            raise ValueError(
                f"{self.path} has no level {level}; its {count} levels are 0 to "
                f"{count - 1}, with reductions of "
                f"{', '.join(f'{x:.4g}' for x, _ in self._facts.downsamples)}."
            )
        return level % count

    def _wanted(self, mpp: float) -> tuple[float, float]:
        """Return the reduction that gives a resolution."""
        if not (np.isfinite(mpp) and mpp > 0):
            raise ValueError(f"mpp={mpp} must be a positive number of micrometres.")
        if self._base is None:
            raise ValueError(
                f"{self.path} does not say how many micrometres a pixel is, which mpp="
                f"{mpp} needs. Pass slide_mpp=, that of the finest level, or level= "
                "instead of mpp=."
            )
        x, y = (mpp / base for base in self._base)
        if min(x, y) * _ENLARGED < 1:
            raise ValueError(
                f"mpp={mpp} is finer than {self.path}, of which a pixel is "
                f"{max(self._base):.4g} micrometres. Ask for that or more."
            )
        return x, y

    def _factor(self, level: int) -> tuple[float, float]:
        """Return the pixels of a level for one pixel of what is read, x and y."""
        (x, y), (lx, ly) = self.downsample, self._facts.downsamples[level]
        return x / lx, y / ly

    def _sampled(
        self,
        level: int,
        factor: tuple[float, ...],
        row: int,
        col: int,
        size: tuple[int, int],
    ) -> Array:
        """Return pixels of which each is an average of `factor` pixels of a level."""
        window = Window.around(factor, row, col, size, self._facts.dimensions[level])
        return resample(self._handle.region(level, window), window, size)


def _resolution(
    said: tuple[float, float] | None, given: float | tuple[float, float] | None
) -> tuple[float, float] | None:
    """Return micrometres a pixel: those given, or those of the file."""
    if given is None:
        return said
    x, y = np.broadcast_to(np.asarray(given, dtype=float), (2,)).tolist()
    if not (np.isfinite([x, y]).all() and min(x, y) > 0):
        raise ValueError(f"slide_mpp={given} must be positive: one number, or x and y.")
    return x, y
