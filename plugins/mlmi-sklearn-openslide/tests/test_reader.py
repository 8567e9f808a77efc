"""Levels, resolutions, seams, damaged files, threads and processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, delayed
from mlmi_sklearn_openslide import OpenSlideReader

from mlmi_sklearn.preprocessing import SlideReader

HEIGHT, WIDTH = 300, 421


def test_the_finest_level_is_exact(pyramid, pixels):
    slide = OpenSlideReader(pyramid)
    assert isinstance(slide, SlideReader)
    assert slide.shape == (HEIGHT, WIDTH, 3)
    assert slide.mpp == pytest.approx((0.5, 0.5))
    assert slide.downsample == (1, 1)
    assert slide.properties["openslide.vendor"] == "generic-tiff"
    assert np.array_equal(slide.read(30, 70, 64, 80), pixels[30:94, 70:150])
    assert np.array_equal(slide.read(0, 0, HEIGHT, WIDTH), pixels)
    assert np.array_equal(slide.read(299, 420, 1, 1), pixels[299:, 420:])


@pytest.mark.parametrize(("level", "times"), [(1, 1), (-2, 1), (2, 2), (-1, 2)])
def test_coarser_levels_are_exact(pyramid, pixels, halved, level, times):
    for _ in range(times):
        pixels = halved(pixels)
    slide = OpenSlideReader(pyramid, level=level)
    assert slide.shape == pixels.shape
    assert slide.mpp == pytest.approx((0.5 * 2**times,) * 2)
    assert slide.downsample == (2**times, 2**times)
    height, width = pixels.shape[:2]
    found = slide.read(5, 7, height - 5, width - 7).astype(int)
    # An odd width cuts the level by half a pixel, which OpenSlide spreads over it.
    assert np.abs(found - pixels[5:, 7:])[:, : width // 2].mean() < 3


def test_a_resolution_of_a_level_is_that_level(pyramid):
    wanted, level = OpenSlideReader(pyramid, mpp=1.0), OpenSlideReader(pyramid, level=1)
    assert wanted.shape == (150, 210, 3)
    assert np.array_equal(wanted.read(3, 5, 60, 70), level.read(3, 5, 60, 70))


def test_a_resolution_in_between_is_averaged(pyramid, pixels):
    slide = OpenSlideReader(pyramid, mpp=0.75)
    assert slide.shape == (200, 281, 3)
    assert slide.mpp == pytest.approx((0.75, 0.75))
    found = slide.read(0, 0, 200, 130).astype(float)
    rows, columns = (np.arange(n) * 1.5 + 0.75 for n in (200, 130))
    exact = pixels[np.ix_(rows.astype(int), columns.astype(int))].astype(float)
    noise = [image.std(axis=(0, 1)).mean() for image in (found, exact)]
    assert noise[0] < 0.8 * noise[1]  # it is averaged out
    assert found.mean() == pytest.approx(exact.mean(), abs=1)


@pytest.mark.parametrize("mpp", [0.5, 0.61, 0.75, 1.0, 1.3, 3.7])
def test_tiles_meet_without_a_seam(pixels, write, tmp_path, mpp):
    # Of even size: OpenSlide itself cannot place half a pixel of a coarser level.
    path = write(tmp_path / "even.tiff", np.ascontiguousarray(pixels[:, :420]))
    slide = OpenSlideReader(path, mpp=mpp)
    height, width, _ = slide.shape
    whole = slide.read(0, 0, height, width).astype(int)
    for row in range(0, height, 37):
        for col in range(0, width, 41):
            h, w = min(37, height - row), min(41, width - col)
            tile = slide.read(row, col, h, w)
            part = whole[row : row + h, col : col + w]
            assert np.abs(tile - part).max() <= 1


def test_other_slides_become_alike(write, tmp_path):
    rows, columns = np.mgrid[:300, :400]
    smooth = np.stack([rows // 2, columns // 2, (rows + columns) // 4], 2)
    fine = write(tmp_path / "fine.tiff", smooth.astype(np.uint8), mpp=0.25)
    coarse = write(tmp_path / "coarse.tiff", smooth[::2, ::2].astype(np.uint8), mpp=0.5)
    one, other = (OpenSlideReader(path, mpp=0.8) for path in (fine, coarse))
    assert one.shape == other.shape
    gap = one.read(5, 5, 60, 60).astype(int) - other.read(5, 5, 60, 60)
    assert np.abs(gap).mean() < 1.5


@pytest.mark.parametrize("options", [{}, {"level": 1}, {"mpp": 0.7}, {"mpp": 9.0}])
@pytest.mark.parametrize("step", [1, 3, 8, 1000])
def test_overviews_show_the_whole_slide(pyramid, pixels, options, step):
    slide = OpenSlideReader(pyramid, **options)
    found = slide.overview(step)
    height, width = (-(-n // step) for n in slide.shape[:2])
    assert found.shape == (height, width, 3)
    if width > 4:
        glass = found[:, -width // 3 :].mean()
        tissue = found[:, : width // 3].mean()
        assert glass == pytest.approx(244, abs=2)
        assert tissue == pytest.approx(pixels[:, :140].mean(), abs=3)


def test_an_overview_is_made_in_strips(pyramid, monkeypatch):
    whole = OpenSlideReader(pyramid, level=0).overview(1)
    monkeypatch.setattr("mlmi_sklearn_openslide.reader._STRIP", 5000)
    strips = OpenSlideReader(pyramid, level=0).overview(1)
    assert np.array_equal(whole, strips)
    assert np.array_equal(
        OpenSlideReader(pyramid).overview(3), OpenSlideReader(pyramid).overview(3)
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": 3}, r"no level 3; its 3 levels are 0 to 2.*1, 2, 4"),
        ({"level": -4}, "no level -4"),
        ({"level": 0, "mpp": 0.5}, "one of the two"),
        ({"mpp": 0}, "positive"),
        ({"mpp": float("nan")}, "positive"),
        ({"mpp": 0.2}, r"mpp=0.2 is finer than .*0\.5 micrometres"),
        ({"slide_mpp": -1}, "slide_mpp=-1 must be positive"),
    ],
)
def test_impossible_resolutions(pyramid, options, words):
    with pytest.raises(ValueError, match=words):
        OpenSlideReader(pyramid, **options)


def test_slides_that_do_not_say_their_resolution(pixels, write, tmp_path):
    path = write(tmp_path / "silent.tiff", pixels, mpp=None)
    assert OpenSlideReader(path).mpp is None
    with pytest.raises(ValueError, match=r"silent\.tiff does not say.*slide_mpp="):
        OpenSlideReader(path, mpp=1.0)
    assert OpenSlideReader(path, mpp=1.0, slide_mpp=0.5).shape == (150, 210, 3)
    uneven = OpenSlideReader(path, mpp=1.0, slide_mpp=(0.5, 0.25))
    assert uneven.shape == (75, 210, 3)
    assert uneven.mpp == pytest.approx((1, 1))


@pytest.mark.parametrize(
    "rectangle", [(-1, 0, 2, 2), (0, 0, 0, 2), (299, 0, 2, 2), (0, 420, 1, 2)]
)
def test_rectangles_outside_are_refused(pyramid, rectangle):
    with pytest.raises(ValueError, match=r"pyramid\.tiff.*not inside 300 x 421"):
        OpenSlideReader(pyramid).read(*rectangle)


def test_damaged_files_are_named(pyramid, tmp_path):
    for name in ("rubbish.svs", "rubbish.tiff", "empty.ndpi"):
        path = tmp_path / name
        path.write_bytes(b"" if name == "empty.ndpi" else b"rubbish" * 99)
        with pytest.raises(ValueError, match=rf"{name} is no slide that OpenSlide"):
            OpenSlideReader(path)
    with pytest.raises(ValueError, match="absent"):
        OpenSlideReader(tmp_path / "absent.svs")


def test_a_damaged_tile_is_found_when_it_is_read(pixels, write, tmp_path):
    path = write(tmp_path / "hurt.tiff", pixels, compression="zlib")
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 20000] = b"\xff" * 20000
    path.write_bytes(content)
    slide = OpenSlideReader(path)
    with pytest.raises(ValueError, match=r"hurt\.tiff is damaged or cut short"):
        slide.read(0, 0, HEIGHT, WIDTH)
    with pytest.raises(ValueError, match=r"hurt\.tiff"):  # and again, not a crash
        slide.read(0, 0, HEIGHT, WIDTH)


def test_a_closed_slide_opens_again(pyramid, pixels):
    slide = OpenSlideReader(pyramid)
    slide.close()
    slide.close()
    assert np.array_equal(slide.read(0, 0, 9, 9), pixels[:9, :9])


def test_files_are_released(pixels, write, tmp_path):
    path = write(tmp_path / "moved.tiff", pixels)
    slide = OpenSlideReader(path)
    slide.close()
    path.unlink()
    with pytest.raises(ValueError, match=r"moved\.tiff"):
        slide.read(0, 0, 9, 9)


def test_copies_hold_no_open_file(pyramid, pixels):
    slide = OpenSlideReader(pyramid, mpp=1.0)
    stored = pickle.dumps(slide)
    assert len(stored) < 5000
    slide.close()
    for twin in (pickle.loads(stored), copy.deepcopy(slide)):
        assert twin._handle._slide is None
        assert twin.shape == slide.shape
        assert np.array_equal(twin.read(9, 9, 30, 30), slide.read(9, 9, 30, 30))


def test_a_fork_opens_the_file_for_itself(pyramid):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no fork on this system")
    slide = OpenSlideReader(pyramid)
    rows = range(0, 80, 8)
    expected = [float(slide.read(row, 0, 8, 200).mean()) for row in rows]
    inherited = slide._handle._slide

    def child(pipe):
        found = [float(slide.read(row, 0, 8, 200).mean()) for row in rows]
        pipe.send((found, slide._handle._slide is inherited))

    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=child, args=(there,))
    process.start()
    assert here.poll(60)
    assert here.recv() == (expected, False)
    process.join(60)
    assert slide._handle._slide is inherited


def test_other_processes_read_for_themselves(pyramid):
    slide = OpenSlideReader(pyramid)
    places = [(row, 0, 8, 200) for row in range(0, 80, 8)]
    found = Parallel(n_jobs=2)(delayed(slide.read)(*place) for place in places)
    assert all(
        np.array_equal(one, slide.read(*place))
        for one, place in zip(found, places, strict=True)
    )


def test_threads_share_a_slide(pyramid):
    slide = OpenSlideReader(pyramid, mpp=0.7)
    places = [(3 * i, 2 * i, 40, 50) for i in range(40)]
    expected = [slide.read(*place) for place in places]
    slide.close()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda place: slide.read(*place), places))
    assert all(map(np.array_equal, found, expected))


def test_what_was_not_scanned_has_the_background(pyramid, monkeypatch):
    from PIL import Image

    slide = OpenSlideReader(pyramid, background=(1, 2, 3))
    empty = Image.new("RGBA", (4, 5), (0, 0, 0, 0))
    opened = slide._handle._opened()
    monkeypatch.setattr(opened, "read_region", lambda *args: empty)
    assert (slide.read(0, 0, 5, 4) == (1, 2, 3)).all()


def test_detection(pyramid, pixels, write, tmp_path):
    flat = write(tmp_path / "flat.tif", pixels, levels=1)
    rubbish = tmp_path / "rubbish.tif"
    rubbish.write_bytes(b"rubbish" * 99)
    assert OpenSlideReader.detect(pyramid)
    assert not OpenSlideReader.detect(flat)
    assert not OpenSlideReader.detect(rubbish)
    assert OpenSlideReader.detect("whatever.svs")
