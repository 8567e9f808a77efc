"""Sinusoid tasks: shapes, the protocol of the article, errors."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mlmi_sklearn.datasets import make_sinusoid_tasks


def test_shapes_and_types():
    X, y, groups = make_sinusoid_tasks(random_state=0)
    assert X.shape == (2000, 1)
    assert y.shape == groups.shape == (2000,)
    assert (X.dtype, y.dtype, groups.dtype) == (np.float64, np.float64, np.int64)
    assert_array_equal(groups, np.repeat(np.arange(100), 20))


def test_parameters_are_returned_when_asked_for():
    plain = make_sinusoid_tasks(7, 3, random_state=0)
    *rows, amplitude, phase = make_sinusoid_tasks(
        7, 3, random_state=0, return_params=True
    )
    assert amplitude.shape == phase.shape == (7,)
    for one, two in zip(plain, rows, strict=True):
        assert_array_equal(one, two)


def test_the_distribution_of_tasks_is_that_of_the_article():
    X, _, _, amplitude, phase = make_sinusoid_tasks(
        20000, 5, random_state=0, return_params=True
    )
    drawn = {"amplitude": (amplitude, 0.1, 5), "phase": (phase, 0, np.pi)}
    for values, low, high in [*drawn.values(), (X[:, 0], -5, 5)]:
        width = high - low
        assert low <= values.min() < low + width / 1000
        assert high - width / 1000 < values.max() <= high
        shares = np.histogram(values, 10, (low, high))[0] / len(values)
        assert_allclose(shares, 0.1, atol=0.01)
    assert abs(np.corrcoef(amplitude, phase)[0, 1]) < 0.03
    first = X.reshape(20000, 5)
    assert abs(np.corrcoef(first[:, 0], first[:, 1])[0, 1]) < 0.03
    assert abs(np.corrcoef(first[:, 0], amplitude)[0, 1]) < 0.03
    assert abs(np.corrcoef(first[:, 0], phase)[0, 1]) < 0.03


def test_the_sign_of_the_phase_is_minus():
    X, y, groups, amplitude, phase = make_sinusoid_tasks(
        50, 20, random_state=1, return_params=True
    )
    minus, plus = (
        amplitude[groups] * np.sin(X[:, 0] + sign * phase[groups]) for sign in (-1, 1)
    )
    assert_allclose(y, minus)
    assert np.abs(y - plus).max() > 1


def test_one_model_for_all_tasks_is_left_with_an_error_of_three():
    """The mean curve and its error, in closed form, as the documentation says."""
    X, y, _ = make_sinusoid_tasks(20000, 20, random_state=0)
    mean = -2 * 2.55 / np.pi * np.cos(X[:, 0])
    assert_allclose(2 * 2.55 / np.pi, 1.62, atol=0.005)
    assert_allclose(np.mean((y - mean) ** 2), 3.0, atol=0.1)
    basis = np.c_[np.cos(X[:, 0]), np.sin(X[:, 0]), np.ones_like(y)]
    best = np.linalg.lstsq(basis, y, rcond=None)[0]
    assert_allclose(best, [-1.62, 0, 0], atol=0.05)


def test_noise_has_the_deviation_asked_for():
    *_, clean, _ = make_sinusoid_tasks(500, 40, random_state=0)
    _, noisy, _ = make_sinusoid_tasks(500, 40, noise=0.3, random_state=0)
    residual = noisy - clean
    assert_allclose([residual.mean(), residual.std()], [0, 0.3], atol=0.01)
    assert abs(np.corrcoef(residual[:-1], residual[1:])[0, 1]) < 0.03


def test_the_global_generator_is_left_alone_unless_it_is_asked_for():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    make_sinusoid_tasks(5, 5, noise=0.1, random_state=1)
    assert_array_equal(np.random.get_state()[1], before)
    one = make_sinusoid_tasks(5, 5)
    two = make_sinusoid_tasks(5, 5)
    assert not np.array_equal(one[1], two[1])


def test_a_generator_that_is_passed_goes_on():
    rng = np.random.RandomState(4)
    one, two = (make_sinusoid_tasks(5, 5, random_state=rng) for _ in range(2))
    assert not np.array_equal(one[0], two[0])
    again = make_sinusoid_tasks(5, 5, random_state=4)
    assert_array_equal(one[0], again[0])


def test_options_are_keywords():
    kinds = {
        name: parameter.kind.name
        for name, parameter in inspect.signature(make_sinusoid_tasks).parameters.items()
    }
    assert kinds.pop("n_tasks") == kinds.pop("n_samples") == "POSITIONAL_OR_KEYWORD"
    assert set(kinds.values()) == {"KEYWORD_ONLY"}


@pytest.mark.parametrize(
    ("error", "arguments", "message"),
    [
        (ValueError, {"n_tasks": 0}, "n_tasks"),
        (TypeError, {"n_tasks": 2.5}, "n_tasks"),
        (ValueError, {"n_samples": 0}, "n_samples"),
        (TypeError, {"n_samples": "10"}, "n_samples"),
        (ValueError, {"noise": -0.1}, "noise"),
        (TypeError, {"noise": None}, "noise"),
        (ValueError, {"noise": np.nan}, "noise must be finite"),
        (ValueError, {"noise": np.inf}, "noise must be finite"),
        (ValueError, {"random_state": "seed"}, "seed"),
    ],
)
def test_errors_name_the_argument(error, arguments, message):
    with pytest.raises(error, match=message):
        make_sinusoid_tasks(**arguments)
