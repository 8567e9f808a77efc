"""Shifted digits: the shifts are what they say, and only the target has them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from mlmi_sklearn.datasets import make_shifted_digits

SHIFTS = ["blend", "rotate", "gain", "roll", "blur", "scale"]
DIGITS = load_digits()


def images_before(seed=0, n_source=900):
    order = np.random.RandomState(seed).permutation(len(DIGITS.target))
    return DIGITS.images[order] / 16, DIGITS.target[order]


@pytest.mark.parametrize("shift", [*SHIFTS, None])
def test_the_source_is_untouched_and_labels_follow_their_images(shift):
    X, y, sample_domain = make_shifted_digits(shift, random_state=0)
    images, labels = images_before()
    assert X.dtype == np.float32
    assert_array_equal(sample_domain, [0] * 900 + [-1] * 897)
    assert_array_equal(y, labels)
    assert_allclose(X[:900], images[:900].reshape(900, 64), rtol=1e-6)
    assert np.isfinite(X).all()
    assert X.min() >= 0
    assert X.max() <= 1
    same = np.isclose(X[900:], images[900:].reshape(897, 64)).all(axis=1)
    assert same.all() if shift is None else not same.any()


@pytest.mark.parametrize("shift", ["rotate", "roll", "blur", "scale"])
def test_shifts_without_noise_are_functions_of_one_image(shift):
    X = make_shifted_digits(shift, as_images=True, random_state=0)[0][900:]
    images = images_before()[0][900:]
    expected = {
        "rotate": lambda x: ndimage.rotate(x, 35, reshape=False, order=1),
        "roll": lambda x: x[:, [7, 0, 1, 2, 3, 4, 5, 6]],
        "blur": lambda x: ndimage.gaussian_filter(x, 1),
        "scale": lambda x: np.pad(ndimage.zoom(x, 0.75, order=1), 1),
    }[shift]
    assert_allclose(X, [expected(image) for image in images], atol=1e-6)


def test_blend_subtracts_a_background_of_six_tenths():
    X = make_shifted_digits("blend", as_images=True, random_state=0)[0][900:]
    images = images_before()[0][900:]
    blank = images == 0
    # Where the digit is blank the background shows, and it reaches from 0 to 0.6.
    assert X[blank].max() <= 0.6 + 1e-6
    assert X[blank].max() > 0.55
    full = images == 1
    assert X[full].min() >= 0.4 - 1e-6
    pairs = blank[:, :, :-1] & blank[:, :, 1:]
    left, right = X[:, :, :-1][pairs], X[:, :, 1:][pairs]
    assert np.corrcoef(left, right)[0, 1] > 0.5
    # Backgrounds differ between images.
    assert np.abs(X[0] - X[1])[blank[0] & blank[1]].max() > 0.05


def test_gain_is_a_line_with_noise():
    X = make_shifted_digits("gain", as_images=True, random_state=0)[0][900:]
    images = images_before()[0][900:]
    free = (X > 0) & (X < 1)
    slope, level = np.polyfit(images[free], X[free], 1)
    assert slope == pytest.approx(0.35, abs=0.01)
    assert level == pytest.approx(0.4, abs=0.01)
    rest = X[images == 0] - 0.4
    assert rest.std() == pytest.approx(0.08, abs=0.002)


@pytest.mark.parametrize("n_source", [1, 17, 1796])
def test_the_source_has_the_size_asked_for(n_source):
    X, y, sample_domain = make_shifted_digits("roll", n_source, random_state=1)
    assert (sample_domain == 0).sum() == n_source
    assert len(X) == len(y) == len(sample_domain) == 1797
    images, _ = images_before(1)
    assert_allclose(X[n_source:].reshape(-1, 8, 8), np.roll(images[n_source:], 1, 2))


@pytest.mark.parametrize("shift", SHIFTS)
def test_the_seed_decides_and_the_global_generator_is_left_alone(shift):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    first = make_shifted_digits(shift, random_state=1)
    assert_array_equal(np.random.get_state()[1], before)
    again = make_shifted_digits(shift, random_state=np.random.RandomState(1))
    other = make_shifted_digits(shift, random_state=2)
    for one, two in zip(first, again, strict=True):
        assert_array_equal(one, two)
    assert not np.array_equal(first[1], other[1])


def test_images_are_the_rows_in_another_shape():
    rows, _, _ = make_shifted_digits("blend", random_state=0)
    images, _, _ = make_shifted_digits("blend", as_images=True, random_state=0)
    assert images.shape == (1797, 8, 8)
    assert_array_equal(images.reshape(1797, 64), rows)


@pytest.mark.parametrize("shift", SHIFTS)
def test_shifts_hurt_a_model_of_the_source_and_leave_the_digits_readable(shift):
    X, y, sample_domain = make_shifted_digits(shift, random_state=0)
    source, target = sample_domain >= 0, sample_domain < 0
    model = LogisticRegression(max_iter=300).fit(X[source], y[source])
    assert model.score(X[target], y[target]) < 0.85
    own = LogisticRegression(max_iter=300).fit(X[target][:600], y[target][:600])
    assert own.score(X[target][600:], y[target][600:]) > 0.5


def test_what_a_call_returns_is_its_own():
    X, y, _ = make_shifted_digits(None, random_state=0)
    X[:] = 0
    y[:] = 0
    again, labels, _ = make_shifted_digits(None, random_state=0)
    assert again.max() == 1
    assert labels.max() == 9


@pytest.mark.parametrize(
    ("error", "arguments", "message"),
    [
        (ValueError, {"shift": "invert"}, "shift must be one of"),
        (ValueError, {"shift": ["roll"]}, "shift must be one of"),
        (ValueError, {"n_source": 0}, "n_source"),
        (ValueError, {"n_source": 1797}, "n_source"),
        (TypeError, {"n_source": 9.5}, "n_source"),
    ],
)
def test_errors_name_the_argument(error, arguments, message):
    with pytest.raises(error, match=message):
        make_shifted_digits(**arguments)
