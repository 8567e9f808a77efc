"""Spread across draws: by hand, against references, errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mlmi_sklearn.metrics import across_latent_spread


def test_by_hand():
    draws = [[[0.0, 1.0]], [[2.0, 1.0]]]
    spread = across_latent_spread(draws)
    # Standard deviations of 0 and 2, and of 1 and 1, with n - 1.
    assert_allclose(spread.spread, (np.sqrt(2) + 0) / 2)
    assert np.isnan([spread.reference, spread.ratio]).all()


def test_variety_among_conditions_does_not_count():
    """One image for each condition, however different, is a generator without noise."""
    images = np.random.RandomState(0).randn(1, 20, 1, 8, 8)
    draws = np.repeat(images, 5, axis=0)
    real = images + 0.1 * np.random.RandomState(1).randn(5, 20, 1, 8, 8)
    spread = across_latent_spread(draws, real)
    assert spread.spread < 1e-12
    assert spread.ratio < 1e-12


def test_the_ratio_to_real_repeats():
    rng = np.random.RandomState(0)
    draws, real = 0.3 * rng.randn(8, 50, 1, 6, 6), 0.6 * rng.randn(8, 40, 1, 6, 6)
    spread = across_latent_spread(draws, real)
    assert_allclose(spread.ratio, 0.5, atol=0.02)
    assert_allclose(spread.reference, 0.6, rtol=0.06)
    assert_allclose(spread.ratio, spread.spread / spread.reference)
    assert_allclose(across_latent_spread(real, real).ratio, 1)
    # A second offset or unit changes nothing that matters.
    again = across_latent_spread(9 + 100 * draws, 9 + 100 * real)
    assert_allclose(again.ratio, spread.ratio)


def test_real_images_that_do_not_vary():
    spread = across_latent_spread([[1.0], [2.0]], [[5.0], [5.0]])
    assert spread.reference == 0
    assert np.isnan(spread.ratio)


def test_few_draws_bias_as_documented():
    noise = np.random.RandomState(0).randn(10, 20000)
    assert_allclose(across_latent_spread(noise[:2]).spread, 0.80, atol=0.015)
    assert_allclose(across_latent_spread(noise).spread, 0.97, atol=0.01)


@pytest.mark.parametrize(
    ("draws", "reference", "message"),
    [
        (np.ones((1, 5, 4)), None, "draws must have shape .* at least two draws"),
        (np.ones(5), None, "draws must have shape"),
        (np.ones((3, 0, 4)), None, "draws must have shape"),
        ([[1.0], [np.nan]], None, "draws must be finite"),
        (np.ones((2, 5, 4)), np.ones((1, 5, 4)), "reference must have shape"),
        (np.ones((2, 5, 4)), np.ones((2, 5, 3)), "reference must have images of the"),
        (np.ones((2, 5)), [[np.inf], [0]], "reference must be finite"),
    ],
)
def test_errors_name_the_argument(draws, reference, message):
    with pytest.raises(ValueError, match=message):
        across_latent_spread(draws, reference)
