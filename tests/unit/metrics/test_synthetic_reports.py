"""Reports of collapse and memorisation: what they flag and what they let pass."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mlmi_sklearn.metrics import (
    distance_to_closest_record,
    memorisation_report,
    mode_collapse_report,
)
from mlmi_sklearn.metrics.synthetic.collapse import ModeCollapseReport, _reasons

REAL = {"recall": 0.96, "coverage": 0.98, "variance_ratio": 1.0, "twins": 0.0}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, test_size=0.3, stratify=y, random_state=0)


def drawn_by_class(X, y, shrink=1.0, seed=0):
    """Return normal samples of each class, whose deviations are shrunk."""
    rng = np.random.RandomState(seed)
    made = np.empty_like(X)
    for label in np.unique(y):
        own = X[y == label]
        spread = shrink**2 * np.cov(own.T)
        made[y == label] = rng.multivariate_normal(own.mean(0), spread, size=len(own))
    return made


def rows_of_the_table(**values):
    """Return the reasons for figures measured with full training runs on digits."""
    known = {"precision": 0.98, "twins": 0.0, "support": np.inf, **values}
    return _reasons(known, REAL)


def test_the_collapsed_run_is_flagged_and_good_ones_pass():
    hinge = rows_of_the_table(recall=0.15, coverage=0.88, variance_ratio=0.46)
    assert len(hinge) == 2
    for recall, coverage, ratio in (
        (0.76, 0.96, 0.77),
        (0.72, 0.97, 0.85),
        (0.81, 0.99, 0.8),
    ):
        found = {"recall": recall, "coverage": coverage, "variance_ratio": ratio}
        assert not rows_of_the_table(**found)


def test_real_data_and_a_wide_generator_pass(digits):
    train, test, y_train, y_test = digits
    real = mode_collapse_report(test, train, y_test, y_train, train)
    assert not real.collapsed
    assert real["coverage"] == pytest.approx(0.98, abs=0.02)
    assert real["recall"] == pytest.approx(0.96, abs=0.02)
    assert real["twins"] == 0
    assert real["support"] == np.inf
    made = drawn_by_class(train, y_train)
    normal = mode_collapse_report(test, made, y_test, y_train, train)
    assert not normal.collapsed
    assert normal["coverage"] == pytest.approx(0.82, abs=0.05)
    assert normal["variance_ratio"] == pytest.approx(0.97, abs=0.02)


def test_alike_samples_are_flagged(digits):
    train, test, y_train, y_test = digits
    made = drawn_by_class(train, y_train, shrink=0.5)
    report = mode_collapse_report(test, made, y_test, y_train, train)
    assert report.collapsed
    assert report["recall"] < 0.2
    assert any("recall" in reason for reason in report.reasons)
    assert any("variance" in reason for reason in report.reasons)


def test_a_lost_class_is_flagged(digits):
    train, test, y_train, y_test = digits
    kept = y_train != 3
    free = mode_collapse_report(test, train[kept], y_test)
    assert free["class_coverage"] == pytest.approx(0.9)
    assert free.collapsed
    # Asked for a 3, the generator gives an 8.
    wrong = train.copy()
    wrong[y_train == 3] = train[y_train == 8][:1]
    asked = mode_collapse_report(test, wrong, y_test, y_train)
    assert asked["class_coverage"] == pytest.approx(0.9)
    # Nobody asked for one.
    fair = mode_collapse_report(test, train[kept], y_test, y_train[kept])
    assert fair["class_coverage"] == 1.0


def test_few_different_samples_are_flagged():
    rng = np.random.RandomState(0)
    real, made = rng.normal(size=(2, 300, 5))
    report = mode_collapse_report(real, made[rng.randint(40, size=300)])
    assert any("twin" in reason for reason in report.reasons)
    assert report["support"] == pytest.approx(40, rel=0.2)
    assert not mode_collapse_report(real, made).collapsed


def test_twins_that_real_data_have_as_well_are_none():
    rng = np.random.RandomState(0)
    tables = [pd.DataFrame(rng.choice(list("abc"), size=(200, 2))) for _ in range(2)]
    report = mode_collapse_report(*tables)
    assert report["twins"] > 0.9
    assert not report.collapsed


def test_a_poor_generator_is_not_called_collapsed():
    real, made = np.random.RandomState(0).normal(size=(2, 200, 4))
    report = mode_collapse_report(real, 4 * made)
    assert report["coverage"] < 0.5
    assert report["precision"] < 0.5
    assert not report.collapsed


def test_missing_regions_are_flagged():
    rng = np.random.RandomState(0)
    real, made = rng.normal(size=(2, 200, 2)) + 20 * rng.randint(4, size=(2, 200, 1))
    report = mode_collapse_report(real, made[made[:, 0] < 10])
    assert report.collapsed
    assert any("coverage" in reason for reason in report.reasons)


def test_continuous_labels_and_images():
    rng = np.random.RandomState(0)
    y, t = rng.uniform(size=(2, 150))
    real, made = (
        v[:, None, None] + rng.normal(scale=0.1, size=(150, 3, 2)) for v in (y, t)
    )
    assert not mode_collapse_report(real, made, y, t).collapsed
    ignored = mode_collapse_report(real, np.full_like(made, 0.5), y, t)
    assert ignored.collapsed
    assert ignored["class_coverage"] < 1


def test_a_report_is_a_mapping_and_more(digits):
    report = mode_collapse_report(digits[1][:100], digits[1][100:101].repeat(50, 0))
    assert isinstance(report, ModeCollapseReport)
    assert set(dict(report)) == set(report.to_frame().index)
    assert report.to_frame().loc["recall", "real"] == report.reference["recall"]
    assert report.verdict.startswith("The generator has collapsed: recall is 0.")
    assert report.verdict in repr(report)
    again = pickle.loads(pickle.dumps(report))
    assert dict(again) == dict(copy.deepcopy(report)) == dict(report)
    assert again.reasons == report.reasons


@pytest.fixture(scope="module")
def few_digits(digits):
    train, test, y_train, _ = digits
    return train[:400], test[:200], y_train[:400]


def test_memorisation_of_digits(few_digits):
    train, test, _ = few_digits
    copies = memorisation_report(train, train, test)
    assert copies.memorised
    assert len(copies.reasons) == 5
    assert copies["dcr"] == copies["dcr_of_copies"] == pytest.approx(0.75, abs=0.03)
    assert copies["c2st"] < 0.15
    assert copies.reference["c2st"] == pytest.approx(0.5, abs=0.08)


def test_a_fitted_density_is_no_memorisation(few_digits):
    train, test, y_train = few_digits
    report = memorisation_report(train, drawn_by_class(train, y_train), test)
    assert not report.memorised, report


def test_narrow_windows_on_the_data_are_memorisation(few_digits):
    train, test, _ = few_digits
    window = train + np.random.RandomState(0).normal(scale=0.05, size=train.shape)
    report = memorisation_report(train, window, test)
    assert len(report.reasons) == 3
    assert report["exact_copies"] == 0


def test_interpolation_between_rows_is_memorisation(digits):
    train, test, y_train, _ = digits
    rng = np.random.RandomState(0)
    made = np.empty_like(train)
    for label in range(10):
        own = train[y_train == label]
        squares = ((own[:, None] - own) ** 2).sum(axis=2)
        near = np.argsort(squares, axis=1)[:, 1:6]
        partner = own[near[np.arange(len(own)), rng.randint(5, size=len(own))]]
        made[y_train == label] = own + rng.rand(len(own), 1) * (partner - own)
    assert distance_to_closest_record(train, test, made) == pytest.approx(
        0.78, abs=0.03
    )
    assert memorisation_report(train[:400], made[:400], test[:200]).memorised


def test_a_few_copies_are_enough():
    rng = np.random.RandomState(0)
    train, other, made = rng.normal(size=(3, 200, 6))
    made[:10] = train[:10]
    report = memorisation_report(train, made, other)
    assert report["exact_copies"] == 0.05
    assert report.reasons == ("5.0% of the rows are training rows, 0.0% of real ones",)


def test_tables_full_of_natural_twins_raise_no_alarm():
    rng = np.random.RandomState(0)
    train, other, made = (
        pd.DataFrame(rng.choice(list("abcd"), size=(150, 3))) for _ in range(3)
    )
    report = memorisation_report(train, made, other)
    assert report["exact_copies"] > 0.5
    assert not report.memorised


def test_memorisation_without_held_out_rows():
    train, made = np.random.RandomState(0).normal(size=(2, 80, 3))
    report = memorisation_report(train, made)
    assert set(report) == {"exact_copies", "distance_ratio", "c2st"}
    assert not report.memorised
    assert report.verdict == "No sign of memorised rows."
    assert memorisation_report(train, train[:40]).memorised


def test_too_few_rows():
    X = np.random.RandomState(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match=r"X must have four rows.*\[3, 20\]"):
        mode_collapse_report(X[:3], X)
    with pytest.raises(ValueError, match="five rows at least"):
        memorisation_report(X, X[:4])
    assert not mode_collapse_report(X[:4], X).collapsed
