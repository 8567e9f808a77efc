"""The chapter on bags: an honest protocol, and what it writes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.utils.validation import NotFittedError, check_is_fitted

from mlmi_sklearn import MILClassifier, SingleInstanceClassifier, TileGrid
from mlmi_sklearn.datasets import load_musk1, make_digit_bags
from mlmi_sklearn.demo.chapters import mil
from mlmi_sklearn.demo.chapters.mil import assumption, digits, methods, mosaic, musk
from mlmi_sklearn.demo.chapters.mil.instance_scores import ranks_of_instances
from mlmi_sklearn.demo.chapters.mil.settings import PRESETS, Settings
from mlmi_sklearn.demo.content import Scores
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


def test_what_scales_inside_an_estimator_is_off():
    for method in methods.methods(1, scale=True):
        assert method.build(0).get_params().get("scale", False) is False
        params = method.build(0)[-1].get_params(deep=False)
        assert params.get("scale", False) is False


@pytest.mark.parametrize("name", ["SIL", "MISVC"])
def test_a_threshold_comes_from_bags_out_of_fold(name, bags):
    X, y = bags
    model = by_name(name).build(0).fit(X, y)
    assert model[-1].threshold == "cv"
    assert model[-1].threshold_ != 0


# -- folds ---------------------------------------------------------------------------


def test_run_folds_pairs_methods_and_times_them(bags):
    X, y = bags
    logistic = Method("one", True, SingleInstanceClassifier(threshold=0.0))
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
    epochs = MILClassifier().max_epochs
    assert all(s.epochs == epochs and s.folds == 10 for s in PRESETS.values())
    assert PRESETS["quick"].repeats < PRESETS["full"].repeats


def test_instances_are_ranked_as_the_net_ranks_them(bags):
    X, y = bags
    model = MILClassifier(max_epochs=2, random_state=0).fit(X, y)
    scores = np.concatenate(model.instance_scores(X))
    positive = np.repeat(y, X.lengths) == 1
    expected = roc_auc_score(X.y_instances[positive], scores[positive])
    found = ranks_of_instances(model, X, X.y_instances)
    assert found["instance_roc_auc"] == pytest.approx(expected)
    best = [
        X[[i]].y_instances[model.instance_scores(X[[i]])[0].argmax()]
        for i in np.flatnonzero(y)
    ]
    assert found["hit_rate_at_1"] == pytest.approx(np.mean(best))


# -- the assumption ------------------------------------------------------------------


def row_of_tests(name, **found):
    """Return a method that passes all tests with 0.9 but for those given."""
    values = {}
    for test in assumption.TESTS:
        values[f"{test}_train_auc"] = np.full(3, 0.99)
        given = found.get(test.replace("-", "_"), 0.9)
        values[f"{test}_test_auc"] = given + np.array([-0.01, 0.0, 0.01])
    return Scores(name, True, values)


@pytest.mark.parametrize(
    ("auc", "state"),
    [
        (0.9, "passes"),
        (0.72, "passes"),
        (0.7, "undecided"),
        (0.6, "undecided"),
        (0.49, "undecided"),
        (0.45, "fails"),
        (0.02, "fails"),
    ],
)
def test_below_one_half_counts_only_beyond_chance(auc, state):
    row = row_of_tests("net", single_concept=auc)
    assert assumption.state_of(row, "single-concept") == state


def test_failures_are_named_with_numbers_and_a_meaning():
    rows = [
        row_of_tests("A"),
        row_of_tests("B", single_concept=0.1),
        row_of_tests("C", single_concept=0.0, multi_concept=0.6),
    ]
    found = assumption.assumption_finding(rows)
    assert found.headline == "Pass all tests: A. Fail one or more: B and C."
    first, second = found.details
    assert first.startswith("Fail single-concept: B 0.10 and C 0.00. These take")
    assert second.startswith("Undecided in multi-concept: C (0.60 ± 0.01)")


def test_nothing_is_said_of_tests_that_all_pass():
    found = assumption.assumption_finding([row_of_tests("A"), row_of_tests("B")])
    assert found.headline == "Pass all tests: A and B. Fail one or more: none."
    assert found.details == ()


# -- slides --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_a_slide_is_positive_if_it_has_a_lesion(seed):
    slides = mosaic.make_slides(8, "test", seed)
    np.testing.assert_array_equal(slides.lesions.any(axis=(1, 2)), slides.y == 1)
    assert slides.y.tolist() == [0, 1] * 4
    # Small beside the tissue, or the label of the slide would give the place away.
    assert slides.lesions.sum(axis=(1, 2)).max() <= 9


def test_tiles_know_whether_they_are_of_the_lesion():
    slides = mosaic.make_slides(4, "train", 0)
    tiles = TileGrid(mosaic.CELL).fit_transform(slides.images)
    for i in range(4):
        labels = slides.labels_of(i, tiles[[i]].coords)
        assert labels.sum() == slides.lesions[i].sum()  # no tile of it is lost
        assert 40 < len(labels) < 100  # glass is left out


def test_slides_of_a_seed_are_the_same_and_splits_share_no_digit():
    def cells(split):
        slides = mosaic.make_slides(6, split, 3)
        tiles = TileGrid(mosaic.CELL, flatten=True).fit_transform(slides.images)
        return {tile.tobytes() for tile in np.asarray(tiles.values)}

    assert cells("train") == cells("train")
    assert not cells("train") & cells("test")


# -- the chapter ---------------------------------------------------------------------


@pytest.fixture
def written(tiny):
    return mil.write(tiny)


def test_the_chapter_holds_its_experiments(written, tiny):
    repetitions = {
        "musk1": tiny.folds,
        "digits": tiny.draws,
        "assumption": tiny.checks,
        "slides": tiny.slide_draws,
    }
    tables = [section.table for section in written.sections]
    assert [table.key for table in tables] == list(repetitions)
    for table in tables:
        n = repetitions[table.key]
        for row in table.rows:
            assert all(len(row.values[m.key]) == n for m in table.metrics)
    for section in written.sections:
        assert section.findings
        assert all(finding.headline for finding in section.findings)
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
