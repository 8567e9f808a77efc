"""Rules by which columns are told apart, each with what nearly fulfils it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from mlmi_sklearn.generation.encoding import TableCodec
from mlmi_sklearn.generation.encoding.grids import Levels, Range, Steps, decimals_of
from mlmi_sklearn.generation.encoding.scaling import Affine, Arsinh, fit_scale

RNG = np.random.default_rng(0)


def column(values):
    """Return what a column of values is taken for."""
    return TableCodec().fit(pd.DataFrame({"x": values})).columns_[0]


def kind(values):
    return column(values).kind


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5] * 10, "constant"),
        ([0.5, 2.5] * 5, "binary"),
        ([1, 2, 3] * 5, "quantised"),
        # Too few rows to say that they repeat.
        ([1.5, 2.5], "continuous"),
        ([1, 2, 3], "integer"),
        (list(range(10)) * 2, "quantised"),
        (list(range(11)) * 2, "integer"),
        (np.arange(30) * 0.1, "continuous"),
        (np.tile(np.arange(30) * 0.1, 2), "quantised"),
        (RNG.normal(size=90), "continuous"),
        (RNG.poisson(30, 90).astype(float), "integer"),
        (1e20 * np.arange(1, 30), "continuous"),
    ],
)
def test_kinds(values, expected):
    assert kind(values) == expected


def test_grids_of_numeric_columns():
    assert column(np.arange(0, 300, 5)).grid == Steps(0, 5, 59)
    assert isinstance(column(RNG.integers(0, 20, 200)).grid, Levels)
    assert column([0.25, 1.5, 3.125]).grid == Range(0.25, 3.125, 3)
    assert column([0.1, 1 / 3, 0.5]).grid == Range(0.1, 0.5, None)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.02, "continuous"), (0.2, "bounded")]
)
@pytest.mark.parametrize("end", [-10.0, 10.0])
def test_mass_at_an_end(share, expected, end):
    values = RNG.normal(size=1000)
    values[: int(share * 1000)] = end
    assert kind(values) == expected


def test_counts_have_a_zero_like_any_other_number():
    found = column(RNG.poisson(8, 4000))
    assert found.n_states == 0
    inflated = column(np.where(RNG.random(4000) < 0.5, 0, RNG.poisson(8, 4000)))
    assert inflated.frequent.tolist() == [0]
    assert inflated.kind == "bounded"


def test_two_frequent_numbers_and_gaps():
    values = RNG.normal(size=1000)
    values[:200], values[200:350], values[350:400] = 0, 9, np.nan
    found = column(values)
    assert found.frequent.tolist() == [0, 9]
    assert found.n_states == 4


def test_frequent_numbers_never_leave_less_than_two_others():
    values = np.repeat([1.0, 2.0, 3.0], [500, 2, 1])
    assert kind(values) == "quantised"
    X = np.r_[np.zeros(500), np.arange(1, 12)]
    found = column(X)
    assert found.frequent.tolist() == [0]
    assert found.has_value


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_decimals_to_the_precision_of_the_type(dtype):
    values = np.array([0.1, 2.37, 1234.56], dtype=dtype)
    assert decimals_of(values.astype(float), dtype) == 2
    out = TableCodec().fit(values[:, None]).decode(RNG.normal(size=(50, 1)))
    np.testing.assert_array_equal(out.round(2).astype(dtype), out)


def test_the_nearest_of_uneven_levels():
    levels = np.array([-5.0, 0.0, 1.0, 1.1, 100.0])
    values = RNG.uniform(-20, 120, 500)
    nearest = levels[np.abs(values[:, None] - levels).argmin(1)]
    np.testing.assert_array_equal(Levels(levels).cells(values), nearest)


def test_the_nearest_of_even_levels():
    levels = np.arange(7) * 0.3 - 1
    values = RNG.uniform(-2, 3, 500)
    nearest = levels[np.abs(values[:, None] - levels).argmin(1)]
    np.testing.assert_array_equal(Levels(levels).cells(values), nearest)


# -- one scale for all, or one each ---------------------------------------------------


def shared(X):
    return TableCodec().fit(X).shared_range_


def pixels(n=400, p=12, levels=17):
    """Return grey levels with many zeros, and two pixels that hardly ever change."""
    X = RNG.integers(0, levels, (n, p)) * (RNG.random((n, p)) < 0.6)
    X[:, :2] = 0
    X[0, 0], X[1, 1] = 1, levels - 1
    return X


def test_pixels_share_a_scale():
    assert shared(pixels()) == (0, 16)
    assert shared(pixels(levels=256) / 255) == (0, 1)
    # Smooth intensities with a black background
    smooth = RNG.random((400, 12)) * (pixels() > 0)
    assert shared(smooth) == (0, smooth.max())


def test_others_do_not():
    assert shared(pixels(p=8)[:, :7]) is None
    scores = RNG.binomial(100, RNG.uniform(0.3, 0.7, 12), (400, 12))
    assert shared(scores) is None
    assert shared(pixels() * np.logspace(0, 3, 12)) is None
    assert shared(RNG.integers(0, 2, (400, 12))) is None
    survey = RNG.integers(1, 6, (400, 12))
    assert shared(survey) is None
    assert {c.kind for c in TableCodec().fit(survey).columns_} == {"quantised"}
    data = load_breast_cancer().data
    assert shared(data) is None
    assert shared((data - data.min(0)) / np.ptp(data, 0)) is None
    assert shared(RNG.normal(size=(400, 12))) is None


def test_only_auto_shares():
    assert TableCodec(preprocess="standard").fit(pixels()).shared_range_ is None


# -- scales ----------------------------------------------------------------------------


def test_heavy_tails_are_bent_and_come_back():
    for values in (RNG.lognormal(sigma=2, size=2000), RNG.standard_cauchy(2000)):
        scale = fit_scale(values)
        assert isinstance(scale, Arsinh)
        scaled = scale.encode(values)
        assert np.abs(scaled).max() < 10
        np.testing.assert_allclose(scale.decode(scaled), values, rtol=1e-9, atol=1e-9)
        # The bulk is not squeezed to a point.
        assert np.subtract(*np.percentile(scaled, [75, 25])) > 0.4
    assert isinstance(fit_scale(RNG.normal(size=2000)), Affine)
    assert isinstance(fit_scale(RNG.random(2000)), Affine)


def test_a_column_that_is_one_number_nearly_always_has_a_finite_scale():
    values = np.r_[np.zeros(996), 1, 2, 1e9, -4]
    for preprocess in ("auto", "standard", "minmax", "none"):
        scale = fit_scale(values, preprocess)
        scaled = scale.encode(values)
        assert np.isfinite(scaled).all()
        np.testing.assert_allclose(scale.decode(scaled), values, atol=1e-4)
    assert np.abs(fit_scale(values, "standard").encode(values)).max() <= 12


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e150, 1e300])
def test_sizes_near_the_limits_of_floats(size):
    X = size * RNG.normal(size=(50, 2))
    codec = TableCodec().fit(X)
    Z = codec.encode(X)
    np.testing.assert_allclose(Z.std(0), 1, rtol=1e-6)
    np.testing.assert_allclose(codec.decode(Z), X, rtol=1e-9)


def test_samples_of_positive_columns_are_positive():
    X = RNG.lognormal(sigma=1.5, size=(300, 4))
    out = TableCodec().fit(X).decode(3 * RNG.normal(size=(500, 4)))
    assert (out > 0).all()
