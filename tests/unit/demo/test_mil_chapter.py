"""The chapter on bags: an honest protocol, and what it writes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import NotFittedError, check_is_fitted

from mlmi_sklearn import Bags
from mlmi_sklearn.datasets import load_musk1, make_digit_bags
from mlmi_sklearn.demo.chapters import mil
from mlmi_sklearn.demo.chapters.mil import digits, methods, musk
from mlmi_sklearn.demo.chapters.mil.settings import PRESETS, Settings
from mlmi_sklearn.demo.experiment import SECONDS, Fold, Method, run_folds


@pytest.fixture(scope="module")
def bags():
    return make_digit_bags(30, random_state=0)


def by_name(part, *, scale=False, epochs=2):
    """Return the method with that part in its name."""
    return next(m for m in methods.methods(epochs, scale=scale) if part in m.name)


# -- methods -------------------------------------------------------------------------


def test_ours_come_first_and_the_default_before_all():
    kinds = [method.ours for method in methods.methods(1, scale=True)]
    assert kinds == sorted(kinds, reverse=True)
    assert methods.methods(1, scale=True)[0].estimator[-1].pooling == "max"


@pytest.mark.parametrize("name", [m.name for m in methods.methods(1, scale=True)])
def test_every_method_fits_bags_and_scores_them(name, bags):
    X, y = bags
    model = by_name(name).build(0).fit(X, y)
    assert model.decision_function(X).shape == y.shape
    assert set(model.predict(X)) <= {0, 1}


def test_builds_share_nothing(bags):
    X, y = bags
    for method in methods.methods(1, scale=True):
        first, second = method.build(0), method.build(0)
        first.fit(X, y)
        for model in (second, method.estimator):
            inner = model[-1] if hasattr(model, "steps") else model
            with pytest.raises(NotFittedError):
                check_is_fitted(inner)


def test_a_seed_reaches_the_net():
    assert by_name("max").build(7)[-1].random_state == 7


def test_scaling_sees_training_bags_alone(bags):
    X, y = bags
    model = by_name("max", scale=True).build(0).fit(X[:10], y[:10])
    assert model[0].transformer_.n_samples_seen_ == X[:10].n_instances


def test_sil_scores_a_bag_by_its_best_instance(bags):
    X, y = bags
    model = methods.SingleInstanceLogistic().fit(X, y)
    labels = np.repeat(y, X.lengths)
    inner = LogisticRegression(max_iter=2000).fit(X.values, labels)
    expected = [inner.decision_function(bag).max() for bag in X]
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-5)
    assert (model.predict(X) == (model.decision_function(X) > 0)).all()


def test_the_threshold_of_sil_comes_from_the_training_bags(bags):
    X, y = bags
    model = by_name("SIL").build(0).fit(X, y)
    assert model.best_threshold_ != 0
    predicted = model.predict(X)
    assert (predicted == (model.decision_function(X) >= model.best_threshold_)).all()


def test_bag_features_are_what_they_say():
    X = Bags(np.array([[1.0, 5.0], [3.0, 2.0], [7.0, 7.0]]), [2, 1])
    np.testing.assert_array_equal(methods._mean(X), [[2, 3.5], [7, 7]])
    np.testing.assert_array_equal(methods._min_max(X), [[1, 2, 3, 5], [7, 7, 7, 7]])


def test_bag_features_of_a_selection_are_those_of_its_bags(bags):
    X, _ = bags
    chosen = X[[5, 2, 9]]
    np.testing.assert_allclose(
        methods._mean(chosen), [bag.mean(axis=0) for bag in chosen], rtol=1e-5
    )


# -- folds ---------------------------------------------------------------------------


def test_run_folds_pairs_methods_and_times_them(bags):
    X, y = bags
    logistic = Method("one", True, methods.SingleInstanceLogistic())
    other = Method("two", False, clone(logistic.estimator))
    folds = [Fold(X[:20], y[:20], X[20:], y[20:], seed) for seed in (0, 1, 2)]
    seen = []

    def evaluate(model, X_test, y_test):
        seen.append(len(X_test))
        return {"accuracy": model.score(X_test, y_test)}

    outcome = run_folds("Test", (logistic, other), folds, evaluate)
    assert seen == [10] * 6
    assert [row.method for row in outcome.scores] == ["one", "two"]
    assert [row.ours for row in outcome.scores] == [True, False]
    for row in outcome.scores:
        assert row.values["accuracy"].shape == row.values[SECONDS].shape == (3,)
        assert (row.values[SECONDS] > 0).all()
    assert len(outcome.models) == 3
    assert len({id(fitted["one"]) for fitted in outcome.models}) == 3


def test_every_molecule_is_tested_once_a_repeat():
    X, _ = load_musk1(return_X_y=True)
    folds = musk._folds(Settings(folds=10, repeats=2))
    assert len(folds) == 20
    for repeat in (folds[:10], folds[10:]):
        tested = np.concatenate([fold.X_test.values for fold in repeat])
        assert len(tested) == X.n_instances
        np.testing.assert_array_equal(
            np.sort(tested, axis=0), np.sort(X.values, axis=0)
        )
        assert all(len(f.X) + len(f.X_test) == 92 for f in repeat)
    assert {fold.seed for fold in folds} == {0, 1}


def test_training_and_test_bags_of_digits_share_no_image():
    fold = digits._draw(PRESETS["quick"], 0)
    train, test = ({row.tobytes() for row in b.values} for b in (fold.X, fold.X_test))
    assert not train & test


def test_bags_are_shown_in_order_and_the_worst_last():
    y = np.array([0, 1, 1, 0, 1, 1, 1, 0])
    chance = np.array([0.0, 1, 1, 0, 1, 1, 0.9, 0.7])
    assert digits._choose(y, chance) == [1, 2, 4, 5, 0, 7]


def test_presets_keep_to_the_defaults_of_the_estimator():
    assert all(s.epochs == 100 and s.folds == 10 for s in PRESETS.values())
    assert PRESETS["quick"].repeats < PRESETS["full"].repeats


# -- the chapter ---------------------------------------------------------------------


@pytest.fixture
def written(tiny):
    return mil.write(tiny)


def test_the_chapter_holds_two_experiments(written, tiny):
    on_musk, on_digits = (section.table for section in written.sections)
    assert (on_musk.key, on_digits.key) == ("musk1", "digits")
    for table, n in ((on_musk, tiny.folds), (on_digits, tiny.draws)):
        for row in table.rows:
            assert all(len(row.values[m.key]) == n for m in table.metrics)
    for section in written.sections:
        assert section.findings
        assert all(finding.details for finding in section.findings)
        assert "random_state" in section.protocol[0]


def test_the_same_seeds_give_the_same_numbers(written, tiny):
    again = mil.write(tiny)
    for one, other in zip(written.sections, again.sections, strict=True):
        for row, same in zip(one.table.rows, other.table.rows, strict=True):
            for key in set(row.values) - {SECONDS}:
                np.testing.assert_array_equal(row.values[key], same.values[key])


def test_the_code_in_the_chapter_runs(capsys):
    quick = mil._CODE.replace("(random_state", "(max_epochs=2, random_state")
    assert quick != mil._CODE
    exec(compile(quick, "chapter", "exec"), {})
    first, *scores = capsys.readouterr().out.split("\n")
    assert 0 <= float(first) <= 1
    assert "".join(scores).startswith("[")
