import numpy as np
import pytest

from mlmi_sklearn.preprocessing import otsu_threshold, tissue_mask

GLASS, PINK, VIOLET = (242, 240, 243), (225, 160, 200), (110, 60, 140)


def noisy(colour, shape=(40, 40), noise=4, seed=0):
    rng = np.random.default_rng(seed)
    return (np.array(colour) + rng.integers(-noise, noise + 1, (*shape, 3))).astype(
        np.uint8
    )


@pytest.fixture
def slide():
    image = noisy(GLASS)
    image[10:30, 5:25] = noisy(PINK, (20, 20))
    image[15:20, 10:15] = noisy(VIOLET, (5, 5))
    truth = np.zeros((40, 40), bool)
    truth[10:30, 5:25] = True
    return image, truth


def test_tissue_is_found(slide):
    image, truth = slide
    np.testing.assert_array_equal(tissue_mask(image), truth)
    np.testing.assert_array_equal(tissue_mask(image / 255.0), truth)
    alpha = np.full((40, 40, 1), 255, np.uint8)
    np.testing.assert_array_equal(tissue_mask(np.dstack([image, alpha])), truth)


def test_pure_glass_has_no_tissue_and_pure_tissue_no_glass():
    assert not tissue_mask(noisy(GLASS, noise=2)).any()
    both = noisy(PINK)
    both[:20] = noisy(VIOLET, (20, 40))
    assert tissue_mask(both).all()


@pytest.mark.parametrize("colour", [GLASS, PINK])
def test_one_single_colour(colour):
    image = np.full((6, 6, 3), colour, np.uint8)
    assert tissue_mask(image).all() == (colour == PINK)


def test_dark_and_bright_are_opposites_in_grey_images():
    image = np.full((10, 10), 0.9)
    image[2:5, 2:5] = 0.2
    assert tissue_mask(image).sum() == 9
    np.testing.assert_array_equal(tissue_mask(image), tissue_mask(image, "dark"))
    np.testing.assert_array_equal(tissue_mask(image, "bright"), ~tissue_mask(image))
    assert not tissue_mask(np.full((4, 4), 0.5)).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_number_is_the_threshold_itself(dtype):
    top = np.iinfo(dtype).max
    image = (np.array([[0.1, 0.4, 0.6, 0.9]]) * top).astype(dtype)
    assert tissue_mask(image, 0.5).tolist() == [[True, True, False, False]]


def test_a_function_decides(slide):
    image, truth = slide
    found = tissue_mask(image, lambda pixels: pixels[..., 1] < 200)
    np.testing.assert_array_equal(found, truth)
    with pytest.raises(ValueError, match="must return a mask of shape"):
        tissue_mask(image, lambda pixels: pixels)


@pytest.mark.parametrize("method", ["hsv", None, ("otsu",)])
def test_unknown_methods_are_refused(method):
    with pytest.raises(ValueError, match="method="):
        tissue_mask(np.zeros((3, 3)), method)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 2, 2, 2)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(ValueError, match="image has shape"):
        tissue_mask(np.zeros(shape))


@pytest.mark.parametrize("seed", range(5))
def test_otsu_divides_as_scikit_image_does(seed):
    filters = pytest.importorskip("skimage.filters")
    rng = np.random.default_rng(seed)
    low, high = rng.normal(0.2, 0.06, 3000), rng.normal(0.7, 0.08, 500 * (seed + 1))
    values = np.concatenate([low, high])
    ours, theirs = otsu_threshold(values), filters.threshold_otsu(values)
    # Hardly a value lies between the two classes, so any threshold there will do.
    assert ((values > ours) == (values > theirs)).mean() > 0.998
    assert 0.35 < ours < 0.55


def test_otsu_in_a_gap_takes_the_middle():
    assert otsu_threshold([0.0] * 5 + [1.0] * 3) == pytest.approx(0.5, abs=0.01)
    assert otsu_threshold([2.0, 2.0]) == 2.0
