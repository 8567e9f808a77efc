import numpy as np
import pytest
from PIL import Image

from mlmi_sklearn.preprocessing import (
    ArraySlide,
    SlideReader,
    open_slide,
    read_image,
)


def test_an_array_is_a_reader():
    image = np.arange(60.0).reshape(6, 10)
    slide = ArraySlide(image)
    assert isinstance(slide, SlideReader)
    assert slide.shape == (6, 10)
    np.testing.assert_array_equal(slide.read(1, 2, 3, 4), image[1:4, 2:6])
    np.testing.assert_array_equal(slide.overview(4), image[::4, ::4])


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_channels_come_last_wherever_they_were(axis):
    image = np.random.default_rng(0).random((5, 7, 3))
    slide = ArraySlide(np.moveaxis(image, -1, axis), axis)
    np.testing.assert_array_equal(slide.read(0, 0, 5, 7), image)


def test_regions_of_a_memory_map_are_views_of_the_file(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((50, 40), np.uint8))
    mapped = read_image(tmp_path / "a.npy")
    assert isinstance(mapped, np.memmap)
    assert np.shares_memory(ArraySlide(mapped).read(3, 4, 5, 6), mapped)
    assert np.shares_memory(ArraySlide(mapped).overview(4), mapped)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_image_files_give_the_pixels_that_were_saved(tmp_path, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), pixels)


def test_tiff_is_read_without_scikit_image_too(tmp_path, monkeypatch):
    pixels = np.arange(30, dtype=np.uint8).reshape(5, 6)
    Image.fromarray(pixels).save(tmp_path / "a.tiff")
    import sys

    monkeypatch.setitem(sys.modules, "skimage.io", None)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tiff"), pixels)


def test_palettes_become_colours(tmp_path):
    image = Image.new("P", (4, 3), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, 0].tolist() == [200, 100, 50]


def test_unreadable_files_are_refused(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(ValueError, match=r"no format that Pillow can read.*reader="):
        read_image(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match="is not a file"):
        read_image(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("image", "axis", "message"),
    [
        (np.zeros(4), -1, "has two axes"),
        (np.zeros((2, 3, 4, 5)), -1, "has two axes or, with channels, three"),
        (np.zeros((2, 3, 4)), None, "has two axes"),
        (np.zeros((0, 4)), -1, "no pixels"),
        (np.array([["a"]]), -1, "real numbers"),
        (np.zeros((2, 2), complex), -1, "real numbers"),
    ],
)
def test_what_is_no_image_is_refused(image, axis, message):
    with pytest.raises(ValueError, match=message):
        open_slide(image, channel_axis=axis)


def test_a_reader_may_return_an_array_or_a_slide():
    assert open_slide("a.svs", lambda path: np.zeros((3, 4))).shape == (3, 4)
    slide = ArraySlide(np.zeros((3, 4)))
    assert open_slide("a.svs", lambda path: slide) is slide
    assert open_slide(slide) is slide
