"""The space that real and synthetic rows are compared in, and what may enter it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import FunctionTransformer

from mlmi_sklearn.metrics import marginal_gaps, prdc, robust_features
from mlmi_sklearn.metrics.synthetic._features import feature_arrays, scaled_features
from mlmi_sklearn.metrics.synthetic._labels import is_continuous, strata
from mlmi_sklearn.metrics.synthetic._tables import aligned_tables


def mixed(n, seed=0):
    rng = np.random.RandomState(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(50, 10, n),
            "sex": rng.choice(["f", "m"], n),
            "stage": pd.Categorical(rng.choice(list("abc"), n)),
            "flag": rng.rand(n) > 0.5,
            "visit": pd.Timestamp("2020")
            + pd.to_timedelta(rng.randint(9, size=n), "D"),
            "count": pd.array(rng.choice([1, 2, None], n), dtype="Int64"),
            "note": pd.array(rng.choice(["x", None], n), dtype="string"),
            7: rng.rand(n),
        }
    )


def test_columns_of_different_units_count_about_the_same():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 3)) * [1e-3, 1.0, 1e6] + [5.0, 0.0, -1e7]
    (found,) = robust_features(X)
    np.testing.assert_allclose(found.std(axis=0), 1.0, rtol=0.1)
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=1e-9)


def test_a_near_constant_column_does_not_explode():
    X = np.random.RandomState(0).normal(size=(400, 3))
    X[:, 1] = 0.0
    X[7, 1] = 1e-3
    (found,) = robust_features(X)
    assert np.abs(found[:, 1]).max() <= 8.0


def test_digits_are_in_one_unit_and_noise_in_dark_pixels_stays_small():
    X = load_digits().data
    noisy = X + np.random.RandomState(0).normal(scale=0.5, size=X.shape)
    real, made = robust_features(X, noisy)
    ratio = (made - real) / (noisy - X)
    assert np.ptp(ratio) < 1e-6 * ratio.mean()  # one number divides all pixels
    dark = X.std(axis=0) < 0.1
    assert dark.sum() > 3
    assert np.abs(made[:, dark]).max() < 1.0


def test_constant_columns_keep_a_difference_in_sight():
    X = np.ones((9, 2)) * [0.0, 1e6]
    made = X + np.array([0.5, 1e5])
    np.testing.assert_allclose(robust_features(X, made)[1][0], [0.5, 0.1])


def test_images_are_scaled_channel_by_channel():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(50, 2, 4, 3)) * np.array([1.0, 1e4]).reshape(1, 2, 1, 1)
    (found,) = robust_features(X)
    by_channel = found.reshape(50, 2, -1)
    np.testing.assert_allclose(by_channel.std(axis=(0, 2)), 1.0, rtol=0.05)
    grey = robust_features(X[:, 0])[0]
    assert grey.shape == (50, 12)


def test_blank_images_are_no_division_by_zero():
    blank, other = robust_features(np.zeros((5, 1, 2, 2)), np.ones((3, 1, 2, 2)))
    assert not blank.any()
    assert (other == 1).all()


def test_mixed_frames():
    real, made = mixed(60), mixed(40, seed=1)
    made.loc[0, "age"] = np.nan
    made["sex"] = made["sex"].replace("m", "d")
    before = real.copy(deep=True), made.copy(deep=True)
    found = robust_features(real, made)
    assert np.isfinite(np.concatenate(found)).all()
    assert found[0].shape[1] == found[1].shape[1]
    for kept, X in zip(before, (real, made), strict=True):
        pd.testing.assert_frame_equal(kept, X)
    reordered = robust_features(real, made[made.columns[::-1]])
    np.testing.assert_array_equal(found[1], reordered[1])


def test_the_same_rows_are_equal_in_every_container():
    X = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": ["x", None, "y"]})
    expected = robust_features(X)[0]
    for same in (
        pl.DataFrame({"a": [1.0, 2.0, 4.0], "b": ["x", None, "y"]}),
        np.array(X.astype(object)),
        X.astype({"b": "category"}),
        X.set_index(pd.Index([5, 5, 5])),
    ):
        np.testing.assert_array_equal(robust_features(same)[0], expected)
        np.testing.assert_array_equal(robust_features(X, same)[1], expected)
    numbers = [[1.0, 2.0], [3.0, 5.0]]
    for same in (
        np.array(numbers),
        torch.tensor(numbers, requires_grad=True),
        torch.tensor(numbers, dtype=torch.bfloat16),
        np.array(numbers, dtype=object),
        np.ma.masked_array(numbers),
    ):
        np.testing.assert_array_equal(
            robust_features(same)[0], robust_features(numbers)[0]
        )


def test_masked_values_are_missing():
    X = np.ma.masked_array([[1.0, 2.0], [3.0, 9e9]], mask=[[0, 0], [0, 1]])
    np.testing.assert_array_equal(
        robust_features(X)[0], robust_features([[1.0, 2.0], [3.0, np.nan]])[0]
    )


def test_numbers_written_as_categories_are_read_as_the_real_column_is():
    real = pd.DataFrame({"a": [1.0, 2.0]})
    made = pd.DataFrame({"a": ["1", "2"]})
    np.testing.assert_array_equal(*robust_features(real, made))
    real = pd.DataFrame({"a": [True, False]})
    np.testing.assert_array_equal(*robust_features(real, np.array([[1.0], [0.0]])))


def test_what_is_missing_only_in_synthetic_data_is_seen():
    real, made = robust_features([[1.0], [3.0]], [[np.nan], [2.0]])
    np.testing.assert_array_equal(real, [[-1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(made, [[0.0, 1.0], [0.0, 0.0]])


def test_a_column_that_is_always_missing_says_nothing():
    X = np.full((4, 1), np.nan)
    np.testing.assert_array_equal(robust_features(X)[0], [[0.0, 1.0]] * 4)


def test_what_diverged_stays_finite():
    X = np.random.RandomState(0).normal(size=(20, 3))
    found = prdc(X, X * 1e300)
    assert np.isfinite(list(found.values())).all()
    assert found["precision"] < 0.2


def test_own_features():
    X = np.random.RandomState(0).normal(size=(30, 2, 4, 4))
    named = {"X": X, "X_synthetic": X[:5]}
    means = feature_arrays(named, lambda images: images.mean(axis=(2, 3)))
    assert means[1].shape == (5, 2)
    tensors = feature_arrays(
        named, lambda images: torch.tensor(images, requires_grad=True)
    )
    np.testing.assert_array_equal(tensors[0], X.reshape(30, -1))
    flat = {name: part.reshape(len(part), -1) for name, part in named.items()}
    pca = PCA(2)
    found = feature_arrays(flat, pca)
    assert not hasattr(pca, "components_")  # a copy was fitted
    np.testing.assert_allclose(found[0], PCA(2).fit_transform(flat["X"]))
    fitted = PCA(2).fit(flat["X"][:9])
    np.testing.assert_array_equal(
        feature_arrays(flat, fitted)[1], fitted.transform(flat["X_synthetic"])
    )
    stateless = FunctionTransformer(np.abs)
    np.testing.assert_array_equal(feature_arrays(flat, stateless)[0], abs(flat["X"]))


def test_the_volume_turns_densities_into_those_of_the_data():
    X = np.random.RandomState(0).normal(size=(50, 2)) * [2.0, 30.0]
    (found,), volume = scaled_features({"X": X})
    assert volume == pytest.approx(np.log(X.std(axis=0) / found.std(axis=0)).sum())


@pytest.mark.parametrize(
    ("made", "error", "message"),
    [
        (mixed(9).drop(columns="age"), ValueError, "missing are .'age'."),
        (mixed(9).rename(columns={"age": "Age"}), ValueError, "not known are .'Age'."),
        (mixed(9).assign(age="old"), ValueError, "'age' of X_synthetic must hold numb"),
        (mixed(9).assign(age=np.inf), ValueError, "'age' of X_synthetic contains inf"),
        (mixed(0), ValueError, "at least one row"),
        (np.zeros((9, 3)), ValueError, "numbers of columns must agree"),
        (csr_array(np.eye(9)), TypeError, "X_synthetic is sparse.*toarray"),
        (np.zeros(9), ValueError, "reshape"),
        (np.zeros((9, 8), dtype=complex), TypeError, "real numbers"),
    ],
)
def test_bad_tables(made, error, message):
    with pytest.raises(error, match=message):
        prdc(mixed(20), made)


def test_bad_arrays():
    X = np.zeros((9, 1, 4, 4))
    with pytest.raises(ValueError, match="X_synthetic must have the same features"):
        prdc(X, X[..., 1:])
    with pytest.raises(ValueError, match="images with NaN"):
        prdc(X, X + np.nan)
    with pytest.raises(ValueError, match="contains infinity"):
        prdc(X + np.inf, X)
    double = pd.DataFrame(np.zeros((9, 2)), columns=["a", "a"])
    with pytest.raises(ValueError, match="different names"):
        prdc(double, double)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("raw", "columns .* hold categories"),
        ("standard", 'features must be None, "robust"'),
        (lambda X: np.zeros((3, 2)), "one row for each row of X"),
        (lambda X: np.zeros((len(X), len(X))), "equally many columns"),
        (lambda X: np.full((len(X), 1), np.nan), "NaN or infinity"),
    ],
)
def test_bad_features(features, message):
    with pytest.raises(ValueError, match=message):
        prdc(mixed(20), mixed(15), features=features)


def test_raw_features_must_be_finite():
    with pytest.raises(ValueError, match="X_synthetic contains NaN"):
        prdc(np.zeros((9, 1)), np.full((9, 1), np.nan), features="raw")


def test_tables_keep_the_form_of_the_real_one():
    real, made = aligned_tables({"X": mixed(5), "Y": mixed(3, 1).iloc[:, ::-1]})
    assert list(made.columns) == list(real.columns)
    assert marginal_gaps(mixed(5), mixed(5)).eq(0).all()


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.arange(10), False),
        (np.arange(100), True),
        (np.repeat(np.arange(30), 10), False),
        (np.repeat([0.0, 1.0], 50), False),
        (np.arange(30.0), True),
        (np.array([0.5, 1.0]), True),
        (np.array(["a", "b"], dtype=object), False),
        (np.array([True, False]), False),
    ],
)
def test_which_labels_are_numbers(y, expected):
    assert is_continuous(y) is expected
    assert is_continuous(y, "regression")
    assert not is_continuous(y, "classification")


def test_groups_of_rows():
    X, S = np.zeros((6, 1)), np.zeros((3, 1))
    real, made, names = strata(X, list("aabbcc"), S, list("cad"))
    assert names == ["a", "b", "c"]
    assert real.tolist() == [0, 0, 1, 1, 2, 2]
    assert made.tolist() == [2, 0, -1]
    assert strata(X, None, S, None)[2] == [None]
    two = pd.DataFrame({"sex": list("fmfmfm"), "old": [0, 0, 1, 1, 0, 1]})
    real, made, names = strata(X, two, S, two.iloc[[0, 3, 1]])
    assert names[0] == ("f", 0)
    assert made.tolist() == [0, 3, 1]
    numbers = np.linspace(0, 1, 50)
    real, made, names = strata(numbers[:, None], numbers, S, [-9.0, 0.5, 9.0])
    assert np.bincount(real).tolist() == [10] * 5
    assert made.tolist() == [0, 2, 4]
