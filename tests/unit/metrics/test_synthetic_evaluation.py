"""All metrics in one table, and scorers by name."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neighbors import KernelDensity

from mlmi_sklearn.metrics import (
    SYNTHETIC_SCORERS,
    distance_to_closest_record,
    evaluate_synthetic,
    make_sampler_scorer,
    tstr_score,
)

X, Y = load_iris(return_X_y=True)
TRAIN, TEST, Y_TRAIN, Y_TEST = train_test_split(X, Y, stratify=Y, random_state=0)
NOISE = np.random.RandomState(0).normal(scale=0.1, size=TRAIN.shape)
CASE = (TRAIN, Y_TRAIN, TEST, Y_TEST, TRAIN + NOISE, Y_TRAIN)
WITHOUT_LABELS = sorted(set(SYNTHETIC_SCORERS) - {"tstr", "tstr_svc", "trts"})


class Copier:
    """A generator that returns rows of its training data for the labels asked."""

    def fit(self, X, y):
        self.X, self.y = X, y
        return self

    def sample(self, n_samples=1, y=None, *, condition=None, random_state=None):
        self.asked = y, condition, random_state
        rows = [np.flatnonzero(self.y == label)[0] for label in y]
        return self.X[rows], y


def test_the_table():
    table = evaluate_synthetic(*CASE)
    assert list(table.columns) == ["synthetic", "real", "ideal"]
    assert table.notna().all(axis=None)
    assert table.loc["tstr", "synthetic"] == tstr_score(TEST, Y_TEST, *CASE[4:])
    assert table.loc["tstr", "real"] == tstr_score(TEST, Y_TEST, TRAIN, Y_TRAIN)
    dcr = distance_to_closest_record(TRAIN, TEST, TRAIN)
    assert table.loc["dcr", "real"] == pytest.approx(dcr, abs=0.05)
    assert table.loc["exact_copies"].tolist() == [0.0, 1.0, 0.0]
    assert table.loc["c2st", "ideal"] == 0.5


def test_the_digits_of_the_design():
    data, y = load_digits(return_X_y=True)
    split = train_test_split(data / 16, y, test_size=0.3, stratify=y, random_state=0)
    train, test, y_train, y_test = split
    metrics = ["precision", "recall", "density", "coverage", "dcr", "parzen"]
    found = evaluate_synthetic(train, y_train, test, y_test, train, y_train, metrics)
    expected = [0.96, 0.96, 1.0, 0.98, 0.73, 28.0]
    np.testing.assert_allclose(found["real"], expected, rtol=0.03)
    raw = evaluate_synthetic(
        train, y_train, test, y_test, train, y_train, "frechet", features="raw"
    )
    assert raw.loc["frechet", "real"] == pytest.approx(0.07, abs=0.005)


def test_equal_numbers_of_rows_are_compared():
    many = np.repeat(TRAIN, 30, axis=0)
    noise = np.random.RandomState(1).normal(scale=0.1, size=many.shape)
    made, y = many + noise, np.repeat(Y_TRAIN, 30)
    metrics = ["precision", "recall", "coverage", "frechet"]
    few = evaluate_synthetic(*CASE, metrics)
    lots = evaluate_synthetic(*CASE[:4], made, y, metrics)
    np.testing.assert_allclose(lots["synthetic"], few["synthetic"], atol=0.15)


def test_subsets_are_drawn_at_random_also_from_sorted_data():
    order = np.argsort(Y_TRAIN)
    made, y = TRAIN[order].repeat(2, axis=0), Y_TRAIN[order].repeat(2)
    sorted_test = np.argsort(Y_TEST)
    table = evaluate_synthetic(
        TRAIN, Y_TRAIN, TEST[sorted_test], Y_TEST[sorted_test], made, y, "coverage"
    )
    assert table.loc["coverage", "synthetic"] > 0.8


def test_labels_stay_with_their_rows():
    for wrap in (list, pd.Series, np.array):
        table = evaluate_synthetic(
            TRAIN, wrap(Y_TRAIN), TEST, wrap(Y_TEST), TRAIN, wrap(Y_TRAIN), "tstr"
        )
        assert table.loc["tstr", "synthetic"] > 0.9
    frames = [pd.DataFrame(part) for part in (TRAIN, TEST)]
    case = (frames[0], Y_TRAIN, frames[1], Y_TEST, frames[0], Y_TRAIN)
    table = evaluate_synthetic(*case, "tstr")
    assert table.loc["tstr", "synthetic"] > 0.9


def test_without_training_data_or_labels():
    full = evaluate_synthetic(*CASE)
    halves = evaluate_synthetic(None, None, *CASE[2:])
    assert set(full.index) - set(halves.index) == {
        "dcr",
        "exact_copies",
        "membership_auc",
    }
    bare = evaluate_synthetic(None, None, TEST, None, TRAIN, None)
    assert set(halves.index) - set(bare.index) == {"tstr", "tstr_svc", "trts"}
    numbers = evaluate_synthetic(
        TRAIN[:, 1:], TRAIN[:, 0], TEST[:, 1:], TEST[:, 0], TRAIN[:, 1:], TRAIN[:, 0]
    )
    assert "tstr_svc" not in numbers.index
    assert numbers.loc["tstr", "real"] > 0.7


def test_the_same_twice_and_nothing_else_is_drawn_from():
    before = np.random.get_state()[1].copy()
    metrics = ["c2st", "recall", "parzen", "dcr"]
    first = evaluate_synthetic(*CASE, metrics)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    pd.testing.assert_frame_equal(evaluate_synthetic(*CASE, metrics), first)


@pytest.mark.parametrize(
    ("case", "metrics", "message"),
    [
        (CASE, "fid", 'metrics must be "all" or some of'),
        (CASE, ["tstr", "fid"], "got 'fid'"),
        ((None, None, *CASE[2:]), "dcr", "metric 'dcr' needs X_train"),
        ((*CASE[:5], None), "tstr", "'tstr' needs y_train, y_test and y_synthetic"),
        (
            (*CASE[:5], Y_TRAIN[:4]),
            "tstr",
            "rows as X_synthetic, got 4 and 112",
        ),
        ((*CASE[:4], TRAIN[:, :3], Y_TRAIN), "all", "X_synthetic must have the same"),
    ],
)
def test_bad_evaluations(case, metrics, message):
    with pytest.raises(ValueError, match=message):
        evaluate_synthetic(*case, metrics)


@pytest.mark.parametrize("name", SYNTHETIC_SCORERS)
def test_scorers_prefer_good_samples(name):
    score = SYNTHETIC_SCORERS[name]
    rng = np.random.RandomState(0)
    made, y = TRAIN + NOISE, Y_TRAIN
    good = score(TEST, Y_TEST, made, y)
    off = made[:, ::-1] + rng.normal(scale=3, size=made.shape)
    if name == "recall":  # wide balls recall everything: it sees what is alike
        off = np.repeat(made[:3], 30, axis=0)
        y = np.repeat(y[:3], 30)
    poor = score(TEST, Y_TEST, off, y)
    assert type(good) is type(poor) is float
    assert good > poor


@pytest.mark.parametrize("name", WITHOUT_LABELS)
def test_scorers_without_labels(name):
    assert np.isfinite(SYNTHETIC_SCORERS[name](TEST, None, TRAIN, None))
    few = SYNTHETIC_SCORERS["coverage"](TEST[:3], None, TRAIN[:2], None)
    assert 0 <= few <= 1


def test_sampler_scorer_asks_for_the_labels():
    copier = Copier().fit(TRAIN, Y_TRAIN)
    scorer = make_sampler_scorer("tstr", random_state=5)
    maps = np.zeros(3)
    assert scorer(copier, TEST, Y_TEST, condition=maps) > 0.5
    assert copier.asked[0] is Y_TEST
    assert copier.asked[1] is maps
    assert copier.asked[2] == 5
    assert make_sampler_scorer("tstr", n_samples=90)(copier, TEST, Y_TEST) > 0.5
    np.testing.assert_array_equal(copier.asked[0], np.resize(Y_TEST, 90))
    assert make_sampler_scorer("recall", n_neighbors=3)(copier, TEST, Y_TEST) < 0.3


@pytest.mark.parametrize("model", [GaussianMixture(3), KernelDensity(bandwidth=0.1)])
def test_samplers_of_scikit_learn(model):
    scorer = pickle.loads(pickle.dumps(make_sampler_scorer("frechet")))
    scores = cross_val_score(clone(model), X[::2], scoring=scorer, cv=3)
    assert (scores < 0).all()
    assert np.isfinite(scores).all()


def test_a_search_over_generators():
    search = GridSearchCV(
        KernelDensity(), {"bandwidth": [0.1, 5.0]}, scoring=make_sampler_scorer("kid")
    )
    assert search.fit(X).best_params_ == {"bandwidth": 0.1}


def test_names_of_scorers():
    with pytest.raises(ValueError, match="name must be one of"):
        make_sampler_scorer("fid")
    assert repr(make_sampler_scorer("kid", degree=2)) == (
        "make_sampler_scorer('kid', degree=2)"
    )
