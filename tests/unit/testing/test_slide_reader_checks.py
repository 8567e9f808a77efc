"""Readers of slides, sound and faulty."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from mlmi_sklearn.preprocessing import ArraySlide


def write(folder, pixels):
    np.save(folder / "slide.npy", pixels)
    return folder / "slide.npy"


class Sound(ArraySlide):
    def __init__(self, path):
        self.path = path
        try:
            super().__init__(np.load(path))
        except Exception as error:
            raise ValueError(f"{path} is no slide.") from error


class Turned(Sound):
    def read(self, row, col, height, width):
        return super().read(col, row, height, width)


class WidthFirst(Sound):
    @property
    def shape(self):
        height, width, channels = super().shape
        return width, height, channels


class Alpha(Sound):
    def read(self, row, col, height, width):
        found = super().read(row, col, height, width)
        return np.concatenate([found, found[..., :1]], axis=2)


class RoundedDown(Sound):
    def overview(self, step):
        height, width = self.shape[0] // step, self.shape[1] // step
        return super().overview(step)[:height, :width]


class Blurred(Sound):
    def read(self, row, col, height, width):
        found = super().read(row, col, height, width)
        return (0.9 * found + 0.1 * found.mean((0, 1))).astype(np.uint8)


class Handle(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.lock = threading.Lock()


class Seeking(Sound):
    def read(self, row, col, height, width):
        self.row = row
        time.sleep(0.002)
        return super().read(self.row, col, height, width)


class Silent(Sound):
    def __init__(self, path):
        try:
            super().__init__(path)
        except ValueError:
            ArraySlide.__init__(self, np.zeros((150, 214, 3), np.uint8))


class Nameless(Sound):
    def __init__(self, path):
        try:
            super().__init__(path)
        except ValueError:
            raise ValueError("no slide.") from None


class ClosedOnce(Sound):
    def close(self):
        del self.path


class Credulous(Sound):
    @staticmethod
    def detect(path):
        return True


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (Turned, "check_pixels", "order of row and column"),
        (WidthFirst, "check_shape", "width first"),
        (Alpha, "check_pixels", "alpha channel"),
        (RoundedDown, "check_overview", "Round the size up"),
        (Blurred, "check_rectangles_agree", "whole image"),
        (Handle, "check_pickle", "pickle"),
        (Seeking, "check_threads", "lock"),
        (Silent, "check_damaged_files", "that is no image was read"),
        (Nameless, "check_damaged_files", "does not name"),
        (ClosedOnce, "check_close", "raised AttributeError"),
        (Credulous, "check_detect", "rubbish"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_faulty_readers(failures, factory, check, words):
    tags = {"suffixes": (".npy",)}
    found = failures("slide-reader", factory, tags=tags, example={"write": write})
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize("suffixes", [None, "npy", (), ("npy",), (".NPY",)])
def test_suffixes_are_checked(failures, suffixes):
    tags = {} if suffixes is None else {"suffixes": suffixes}
    found = failures("slide-reader", Sound, tags=tags, example={"write": write})
    assert set(found) == {"check_suffixes"}


def test_a_sound_reader(failures):
    tags = {"suffixes": (".npy",)}
    example = {"write": write}
    assert failures("slide-reader", Sound, tags=tags, example=example) == {}
    shift = type("Shifted", (Sound,), {"read": lambda s, *a: Sound.read(s, *a) + 3})
    tags |= {"lossless": False}
    found = failures("slide-reader", shift, tags=tags, example=example)
    assert "check_pixels" not in found


def test_a_tiff_is_written_where_no_file_is_given(failures):
    pytest.importorskip("tifffile")
    from mlmi_sklearn.preprocessing import image_slide

    tags = {"suffixes": (".svs", ".tif")}
    assert failures("slide-reader", image_slide, tags=tags) == {}
