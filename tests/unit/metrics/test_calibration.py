"""The expected calibration error."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import cross_val_score
from sklearn.naive_bayes import GaussianNB

from mlmi_sklearn.metrics import expected_calibration_error as ece

RNG = np.random.default_rng(0)
P = RNG.uniform(size=400)
Y = (RNG.uniform(size=400) < P**2).astype(int)


def by_hand(y, p, edges, norm):
    share, gap = [], []
    for low, high in itertools.pairwise(edges):
        inside = (p >= low) & (p < high)
        if inside.any():
            share.append(inside.mean())
            gap.append(abs(y[inside].mean() - p[inside].mean()))
    share, gap = np.array(share), np.array(gap)
    powers = {"l1": (share * gap).sum(), "max": gap.max()}
    return powers.get(norm, np.sqrt((share * gap**2).sum()))


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("n_bins", [1, 7, 15])
def test_against_bins_written_out(norm, n_bins):
    edges = np.linspace(0, 1, n_bins + 1)
    expected = by_hand(Y, P, edges, norm)
    assert_allclose(ece(Y, P, n_bins=n_bins, norm=norm), expected)
    assert expected > 0.05


def test_agrees_with_the_calibration_curve():
    frequency, mean = calibration_curve(Y, P, n_bins=10)
    share = np.histogram(P, bins=10, range=(0, 1))[0] / len(P)
    expected = (share * np.abs(frequency - mean)).sum()
    assert_allclose(ece(Y, P, n_bins=10), expected)


def test_bins_of_equal_weight():
    edges = [*np.sort(P)[::100], 1.1]
    assert_allclose(
        ece(Y, P, n_bins=4, strategy="quantile"), by_hand(Y, P, edges, "l1")
    )


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_extremes(strategy):
    assert ece([0, 1], [0.0, 1.0], strategy=strategy) == 0
    assert ece([1, 0], [0.0, 1.0], strategy=strategy) == 1
    # Constant probabilities share a bin, whatever the strategy.
    assert ece([0, 1, 1, 1], [0.75] * 4, strategy=strategy) == 0
    assert ece([1], [0.25], strategy=strategy) == 0.75


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_weights(strategy, norm):
    options = {"strategy": strategy, "norm": norm, "n_bins": 6}
    p = np.round(P, 1)
    weight = RNG.integers(0, 4, 400)
    repeated = ece(np.repeat(Y, weight), np.repeat(p, weight), **options)
    assert_allclose(ece(Y, p, sample_weight=weight, **options), repeated)
    assert repeated != ece(Y, p, **options)
    order = RNG.permutation(400)
    assert_allclose(ece(Y[order], p[order], **options), ece(Y, p, **options))


def test_the_largest_of_several_probabilities_counts():
    proba = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    y = np.array(["a", "b", "b"])
    labels = ["a", "b", "c"]
    expected = ((1 - 0.7) + (1 - 0.8) + 0.6) / 3
    assert_allclose(ece(y, proba, labels=labels), expected)
    with pytest.raises(ValueError, match=r"3 columns, but there are 2 classes.*labels"):
        ece(y, proba)
    with pytest.raises(ValueError, match=r"\['b'\] not in labels"):
        ece(y, proba, labels=["a", "x", "c"])


def test_two_columns_are_about_the_predicted_class():
    proba = np.column_stack([1 - P, P])
    top = np.maximum(P, 1 - P)
    right = ((P > 0.5) == Y).astype(int)
    assert_allclose(ece(Y, proba), ece(right, top))


def test_names_of_classes():
    named = np.where(Y == 1, "ill", "well")
    assert ece(named, P, pos_label="ill") == ece(Y, P)
    assert_allclose(ece(named, 1 - P, pos_label="well"), ece(1 - Y, 1 - P))
    with pytest.raises(ValueError, match="pos_label"):
        ece(named, P)
    with pytest.raises(ValueError, match="pos_label goes with one column"):
        ece(Y, np.column_stack([1 - P, P]), pos_label=1)


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [0.1, 1.5], "above 1; pass probabilities"),
        ([0, 1], [0.1, -0.5], "between 0 and 1"),
        ([0, 1], [0.1, np.nan], "between 0 and 1"),
        ([0, 1], [0.1], "inconsistent"),
        ([0, 1], [[0.1], [0.2]], "at least two classes"),
        ([0, 1], np.zeros((2, 2, 2)), "y_prob must have shape"),
    ],
)
def test_bad_input(y, p, message):
    with pytest.raises(ValueError, match=message):
        ece(y, p)


@pytest.mark.parametrize(
    "options",
    [{"n_bins": 0}, {"strategy": "x"}, {"norm": 2}, {"sample_weight": [-1, 1]}],
)
def test_bad_parameters(options):
    with pytest.raises(ValueError):  # noqa: PT011
        ece([0, 1], [0.2, 0.8], **options)


@pytest.mark.parametrize(
    "data", [make_classification(400, random_state=0), load_digits(return_X_y=True)]
)
def test_calibration_lowers_it(data):
    X, y = data
    scorer = make_scorer(ece, response_method="predict_proba", greater_is_better=False)
    raw = cross_val_score(GaussianNB(), X, y, scoring=scorer, error_score="raise")
    better = CalibratedClassifierCV(GaussianNB(), method="isotonic")
    assert cross_val_score(better, X, y, scoring=scorer).mean() > raw.mean()
    assert cross_val_score(LogisticRegression(), X[:, :2], y, scoring=scorer).max() <= 0
