"""The open file: shared by threads, never by processes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import openslide
from numpy.typing import NDArray
from PIL import Image, ImageColor

from .sampling import Window

__all__ = ["Facts", "Handle"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Facts:
    """What is known of a slide without reading pixels.

    Parameters
    ----------
    dimensions : tuple of (int, int)
        Width and height of each level, the finest first.
    downsamples : tuple of (float, float)
        Pixels of the finest level for one of this level, x and y.
    strides : tuple of float
        The same as one number, by which OpenSlide finds places.
    mpp : (float, float) or None
        Micrometres a pixel of the finest level, x and y.
    properties : mapping of str to str
        What the file says about itself.
    """

    dimensions: tuple[tuple[int, int], ...]
    downsamples: tuple[tuple[float, float], ...]
    strides: tuple[float, ...]
    mpp: tuple[float, float] | None
    properties: Mapping[str, str]

    def level_for(self, reduction: float) -> int:
        """Return the coarsest level that is at least as fine as a reduction."""
        # Levels are cut to whole pixels, so that theirs are 4.0003 where 4 is meant.
        able = [max(x, y) <= reduction * 1.001 for x, y in self.downsamples]
        return max((i for i, good in enumerate(able) if good), default=0)


class Handle:
    """A slide that is opened when it is needed, once in each process.

    Parameters
    ----------
    path : Path
        The slide.
    background : (int, int, int) or None
        Colour of what was not scanned; None: that of the file, or white.
    """

    def __init__(self, path: Path, background: tuple[int, int, int] | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._slide: Any = None
        self._owner = 0
        self.facts: Facts = self._guarded(_facts_of)
        self._colour = background or _background(self.facts.properties)

    def region(self, level: int, window: Window) -> NDArray[np.uint8]:
        """Read a rectangle of a level as (height, width, 3)."""
        # OpenSlide counts places in pixels of the finest level, at every level.
        stride = self.facts.strides[level]
        place = round(window.left * stride), round(window.top * stride)
        size = window.width, window.height
        found = self._guarded(lambda slide: slide.read_region(place, level, size))
        flat = Image.new("RGB", size, self._colour)
        flat.paste(found, mask=found.getchannel("A"))
        return np.asarray(flat)

    def close(self) -> None:
        """Close the file, if it is open."""
        with self._lock:
            slide, self._slide = self._slide, None
        # That of another process is not ours to close.
        if slide is not None and self._owner == os.getpid():
            slide.close()

    def _guarded(self, use: Callable[[Any], _T]) -> _T:
        """Use the open slide; say which file it was if that fails."""
        try:
            return use(self._opened())
        except openslide.OpenSlideUnsupportedFormatError as error:
            raise ValueError(
                f"{self.path} is no slide that OpenSlide can read: {error}."
            ) from error
        except openslide.OpenSlideError as error:
            # OpenSlide answers nothing more after its first error.
            self.close()
            raise ValueError(
                f"{self.path} is damaged or cut short: {error}. Copy it anew, or leave "
                "the slide out."
            ) from error

    def _opened(self) -> Any:
        """Return the slide, opened in this process."""
        with self._lock:
            if self._slide is None or self._owner != os.getpid():
                self._slide = openslide.OpenSlide(str(self.path))
                self._owner = os.getpid()
            return self._slide

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        del state["_lock"]
        return {**state, "_slide": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


def _facts_of(slide: Any) -> Facts:
    width, height = slide.dimensions
    dimensions = tuple(tuple(size) for size in slide.level_dimensions)
    # Along each axis by itself: OpenSlide's own number is the mean of the two.
    downsamples = tuple(
        (_near(width / w, mean), _near(height / h, mean))
        for (w, h), mean in zip(dimensions, slide.level_downsamples, strict=True)
    )
    properties = dict(slide.properties)
    strides = tuple(slide.level_downsamples)
    return Facts(dimensions, downsamples, strides, _mpp(properties), properties)


def _near(ratio: float, mean: float) -> float:
    """Return the whole number that a ratio of cut sizes stands for, if there is one."""
    whole = round(mean)
    return float(whole) if abs(ratio - whole) < 0.02 * whole else ratio


def _mpp(properties: Mapping[str, str]) -> tuple[float, float] | None:
    keys = openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y
    try:
        x, y = (float(properties[key]) for key in keys)
    except (KeyError, ValueError):
        return None
    return (x, y) if min(x, y) > 0 else None


def _background(properties: Mapping[str, str]) -> tuple[int, ...]:
    said = properties.get(openslide.PROPERTY_NAME_BACKGROUND_COLOR, "FFFFFF")
    try:
        return ImageColor.getrgb(f"#{said}")
    except ValueError:
        return 255, 255, 255
