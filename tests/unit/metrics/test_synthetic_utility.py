"""Training on synthetic data and testing on real data, and the reverse."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from mlmi_sklearn.metrics import trts_score, tstr_score

RNG = np.random.RandomState(0)
X = np.concatenate([RNG.normal(size=(40, 2)), RNG.normal(size=(40, 2)) + 4])
Y = np.repeat(["healthy", "ill"], 40)
S, T = X + RNG.normal(scale=0.3, size=X.shape), Y.copy()


@pytest.fixture(scope="module")
def digits():
    data, y = load_digits(return_X_y=True)
    return train_test_split(data / 16, y, test_size=0.3, stratify=y, random_state=0)


def test_digits_in_raw_space(digits):
    train, test, y_train, y_test = digits
    plain = LogisticRegression(max_iter=1000).fit(train, y_train).score(test, y_test)
    found = tstr_score(test, y_test, train, y_train, features="raw")
    assert found == plain
    svc = tstr_score(test, y_test, train, y_train, estimator="svc", features="raw")
    assert svc == SVC().fit(train, y_train).score(test, y_test)
    assert tstr_score(test, y_test, train, y_train) == pytest.approx(plain, abs=0.01)


def test_near_constant_pixels_do_not_ruin_it(digits):
    # By StandardScaler, a trace of noise in a pixel that is dark outweighs all else.
    train, test, y_train, y_test = digits
    noisy = train + np.random.RandomState(0).normal(scale=0.05, size=train.shape)
    assert tstr_score(test, y_test, noisy, y_train) > 0.95
    robust = trts_score(test, y_test, noisy, y_train)
    assert robust > 0.94
    scaled = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    assert trts_score(test, y_test, noisy, y_train, estimator=scaled) < robust - 0.03


@pytest.mark.parametrize("name", [None, "logistic", "svc", "forest"])
@pytest.mark.parametrize("score", [tstr_score, trts_score])
def test_wrong_labels_cost(score, name):
    assert score(X, Y, S, T, estimator=name) > 0.95
    assert score(X, Y, S, T[::-1], estimator=name) < 0.05


def test_which_data_are_trained_on():
    few = S[[0, 1, 2, 40, 41, 42]], T[[0, 1, 2, 40, 41, 42]]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    given = tstr_score(X, Y, *few, estimator=model)
    assert given == model.fit(*few).score(X, Y)
    assert trts_score(X, Y, *few, estimator=model) == model.fit(X, Y).score(*few)


def test_an_estimator_of_ones_own_gets_the_data_as_they_are():
    frame = pd.DataFrame({"x": X[:, 0], "sex": ["f", "m"] * 40})
    columns = make_column_transformer(
        (StandardScaler(), ["x"]), (OneHotEncoder(), ["sex"])
    )
    model = make_pipeline(columns, LogisticRegression())
    assert tstr_score(frame, Y, frame, Y, estimator=model) > 0.9

    class Shape(Ridge):
        def fit(self, X, y):
            assert X.shape[1:] == (1, 2, 1)
            return super().fit(X.reshape(len(X), -1), y)

        def predict(self, X):
            return super().predict(X.reshape(len(X), -1))

    images = X.reshape(80, 1, 2, 1)
    numbers = X.sum(axis=1)
    assert tstr_score(images, numbers, images, numbers, estimator=Shape()) > 0.99


def test_numbers():
    data, y = load_diabetes(return_X_y=True)
    train, test, y_train, y_test = train_test_split(data, y, random_state=0)
    found = tstr_score(test, y_test, train, y_train)
    assert 0.3 < found < 0.6
    assert tstr_score(test, y_test, train, y_train[::-1]) < 0.1
    forest = tstr_score(test, y_test, train, y_train, estimator="forest")
    assert 0.1 < forest < 0.6
    absolute = tstr_score(
        test, y_test, train, y_train, scoring="neg_mean_absolute_error"
    )
    assert -60 < absolute < -30


def test_whole_numbers_can_be_either():
    y = np.arange(80) % 4
    wide = np.eye(4)[y] + np.random.RandomState(0).normal(scale=0.01, size=(80, 4))
    assert tstr_score(wide, y, wide, y) == 1.0
    assert tstr_score(wide, y, wide, y, task="regression") == pytest.approx(1, abs=0.02)
    balanced = tstr_score(wide, y, wide, y, scoring="balanced_accuracy")
    assert balanced == 1.0


def test_several_columns_of_labels_are_averaged():
    both = pd.DataFrame({"ill": Y, "x": X[:, 0]})
    mean = (tstr_score(X, Y, S, T) + tstr_score(X, X[:, 0], S, X[:, 0])) / 2
    assert tstr_score(X, both, S, both) == pytest.approx(mean)
    assert tstr_score(X, np.c_[Y, Y], S, np.c_[T, T]) == tstr_score(X, Y, S, T)


def test_one_class_alone():
    assert tstr_score(X, Y, S[:40], T[:40]) == 0.5
    assert tstr_score(X, Y, S[:1], T[:1], estimator="svc") == 0.5


def test_classes_of_any_type_agree():
    mixed = np.array([0, "ill"], dtype=object)[(Y == "ill").astype(int)]
    assert tstr_score(X, mixed, S, mixed) == tstr_score(X, Y, S, T)
    labels = pd.Series(pd.Categorical(Y))
    assert tstr_score(X, labels, S, list(T)) == tstr_score(X, Y, S, T)
    assert tstr_score(X, Y == "ill", S, (T == "ill").astype(float)) > 0.95


@pytest.mark.parametrize(
    ("y", "t", "options", "message"),
    [
        (None, T, {}, "y must be given"),
        (Y, None, {}, "y_synthetic must be given"),
        (
            Y,
            T[:5],
            {},
            "y_synthetic must have as many rows as X_synthetic, got 5 and 80",
        ),
        (Y, np.zeros(80), {}, "no class in common"),
        (Y, T, {"estimator": "ridge"}, "for classes, one of .'forest', 'logistic', 's"),
        (Y, T, {"estimator": "mlp"}, "for classes, one of"),
        (X[:, 0], X[:, 0], {"estimator": "svc"}, "for numbers, one of .'forest', 'rid"),
        (X[:, 0], T, {}, "y_synthetic must hold numbers"),
        (Y, np.c_[T, T], {}, "same columns, got 1 and 2"),
        (Y, T, {"task": "clustering"}, "task must be one of"),
        (np.where(Y == "ill", np.nan, 1), T, {}, "y contains missing labels"),
    ],
)
def test_bad_arguments(y, t, options, message):
    with pytest.raises(ValueError, match=message):
        tstr_score(X, y, S, t, **options)
