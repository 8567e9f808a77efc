"""search_tasks: held-out tasks judge, every candidate by the same episodes."""

import pickle
import warnings
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection import (
    TaskKFold,
    few_shot_score,
    few_shot_scorer,
    search_tasks,
)


class Nearest(ClassifierMixin, BaseEstimator):
    """Nearest neighbour in components of the training rows, blurred by haste."""

    __metadata_request__fit: ClassVar = {"groups": True}
    fits: ClassVar = []

    def __init__(self, n_components=2, max_epochs=9, task=None, episodes="auto"):
        self.n_components = n_components
        self.max_epochs = max_epochs
        self.task = task
        self.episodes = episodes

    def fit(self, X, y, groups=None):
        if self.n_components == 13:
            raise RuntimeError("unlucky")
        ids = None if groups is None else set(np.asarray(groups).tolist())
        self.fits.append((self.n_components, self.max_epochs, ids, set(y)))
        self.pca_ = PCA(self.n_components).fit(X)
        blur = np.random.default_rng(0).normal(size=self.pca_.components_.shape)
        self.pca_.components_ += blur / self.max_epochs**2
        self.classes_ = np.unique(y)
        return self

    def adapt(self, X_support, y_support):
        found = make_pipeline(FrozenEstimator(self.pca_), KNeighborsClassifier(1))
        return found.fit(X_support, y_support)


class Level(RegressorMixin, BaseEstimator):
    __metadata_request__fit: ClassVar = {"groups": True}

    def __init__(self, slope=1.0):
        self.slope = slope

    def fit(self, X, y, groups=None):
        assert groups is not None
        self.n_tasks_ = len(set(groups))
        return self

    def adapt(self, X_support, y_support):
        model = LinearRegression()
        model.coef_ = np.array([self.slope])
        model.intercept_ = np.mean(y_support - self.slope * np.ravel(X_support))
        return FrozenEstimator(model)


def clusters(n_classes=12, n=20, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_classes).repeat(n)
    X = rng.normal(size=(len(y), 12))
    X[:, :2] += rng.normal(scale=6, size=(n_classes, 2))[y]
    return X, y


X, Y = clusters()
SITES = np.array(list("uvwxyz"))[Y // 2]
QUICK = {"n_way": 3, "n_episodes": 15, "random_state": 0}


@pytest.fixture(autouse=True)
def forget():
    Nearest.fits.clear()


def test_classes_are_held_out_without_groups():
    found = search_tasks(Nearest(), {"n_components": [1, 2, 10]}, X, Y, **QUICK)
    assert found.best_params_ == {"n_components": 2}
    results = found.results_
    assert results["mean"].is_monotonic_decreasing
    assert results["mean"][0] == found.best_score_ > results["mean"][2]
    assert sorted(results["n_components"]) == [1, 2, 10]
    assert results.columns.tolist() == [
        "n_components",
        "mean",
        "sd",
        "ci95",
        "fit_time",
        "score_time",
    ]
    assert [len(labels) for *_, labels in Nearest.fits] == [8] * 9 + [12]
    assert all(ids is None for *_, ids, _ in Nearest.fits)
    assert found.best_estimator_.classes_.tolist() == list(range(12))
    assert found.best_estimator_.n_components == 2


def test_the_table_is_what_scores_of_folds_say():
    found = search_tasks(Nearest(), {"n_components": [3]}, X, Y, **QUICK)
    folds = list(found.search_.cv)
    widths, means = [], []
    for train, test in folds:
        scorer = few_shot_scorer(**{**QUICK, "random_state": _seed(found)})
        score = scorer.score(Nearest(3).fit(X[train], Y[train]), X[test], Y[test])
        means.append(score.mean)
        widths.append(score.ci95)
    line = found.results_.iloc[0]
    assert line["mean"] == pytest.approx(np.mean(means))
    assert line["sd"] == pytest.approx(np.std(means))
    assert line["ci95"] == pytest.approx(np.sqrt(np.sum(np.square(widths))) / 3)


def _seed(found):
    return found.search_.scoring.random_state


def test_groups_reach_fit_and_episodes_keep_to_them():
    assert not sklearn.get_config()["enable_metadata_routing"]
    options = {**QUICK, "n_way": 2}
    found = search_tasks(Nearest(), {"n_components": [1, 2]}, X, Y, SITES, **options)
    assert not sklearn.get_config()["enable_metadata_routing"]
    assert all(len(ids) == 4 for *_, ids, _ in Nearest.fits[:-1])
    assert Nearest.fits[-1][2] == set("uvwxyz")
    # Two classes of one site are as far apart as any two.
    assert found.best_score_ > 0.8
    score = found.search_.scoring.score(found.best_estimator_, X, Y, SITES)
    assert set(score.frame["task"]) == set("uvwxyz")


def test_regression():
    rng = np.random.default_rng(0)
    groups = np.arange(9).repeat(10)
    x = rng.normal(size=(90, 1))
    y = 3 * x[:, 0] + rng.normal(scale=9, size=9)[groups]
    found = search_tasks(
        Level(), {"slope": [-1, 3, 4]}, x, y, groups, cv=4, n_episodes=5, random_state=0
    )
    assert found.best_params_ == {"slope": 3}
    assert found.best_score_ == pytest.approx(1)
    assert found.best_estimator_.n_tasks_ == 9
    with pytest.raises(TaskError, match="Regression has no classes"):
        search_tasks(Level(), {}, x, y)


def test_the_task_may_be_a_column():
    frame = pd.DataFrame(X).rename(columns=str)
    frame.insert(0, "site", Y // 2)
    for model in (
        Nearest(task="site"),
        make_pipeline("passthrough", Nearest(task="site")),
    ):
        found = search_tasks(model, {}, frame, Y, **{**QUICK, "n_way": 2})
        for train, test in found.search_.cv:
            assert not set(frame["site"][train]) & set(frame["site"][test])
        score = found.search_.scoring.score(found.best_estimator_, frame, Y)
        assert set(score.frame["task"]) == set(range(6))


def test_pipelines():
    model = make_pipeline(StandardScaler(), Nearest())
    grid = {"nearest__n_components": [1, 2], "standardscaler": ["passthrough"]}
    found = search_tasks(model, grid, X, Y, SITES, **{**QUICK, "n_way": 2})
    assert found.best_params_["nearest__n_components"] == 2
    assert Nearest.fits[-1][2] == set("uvwxyz")
    assert few_shot_score(found, X, Y, **QUICK).mean > 0.6


def test_training_from_scratch_can_be_tuned_as_well():
    found = search_tasks(
        LogisticRegression(),
        {"C": [1e-9, 1.0]},
        X / 6,
        Y,
        scoring="neg_log_loss",
        **QUICK,
    )
    assert found.best_params_ == {"C": 1.0}


@pytest.mark.parametrize(
    "model", [Nearest(), make_pipeline(StandardScaler(with_std=False), Nearest())]
)
def test_halving(model):
    prefix = "" if isinstance(model, Nearest) else "nearest__"
    grid = {f"{prefix}n_components": [1, 2, 10, 11]}
    found = search_tasks(model, grid, X, Y, search="halving", factor=2, **QUICK)
    results = found.results_
    assert results["round"].tolist() == [2] * 1 + [1] * 2 + [0] * 4
    assert results["n_resources"].tolist() == [8] + [4] * 2 + [2] * 4
    assert found.best_params_ == {f"{prefix}n_components": 2, f"{prefix}max_epochs": 8}
    assert found.best_score_ == results["mean"][0]
    assert [epochs for _, epochs, *_ in Nearest.fits] == [2] * 12 + [4] * 6 + [8] * 4


def test_halving_by_another_parameter():
    grid = {"max_epochs": [5, 9]}
    options = {"search": "halving", "resource": "n_components", "factor": 2, **QUICK}
    found = search_tasks(Nearest(n_components=4), grid, X, Y, **options)
    assert found.results_["n_resources"].tolist() == [4, 2, 2]


def test_halving_needs_enough_of_it():
    model = Nearest(max_epochs=2)
    grid = {"n_components": [1, 2, 3]}
    with pytest.warns(UserWarning, match=r"max_epochs=2 is .* last round still .* 3\."):
        found = search_tasks(model, grid, X, Y, search="halving", **QUICK)
    assert found.best_params_["max_epochs"] == 1


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (KNeighborsClassifier(1), {}, "needs resource=.* has no max_epochs"),
        (Nearest(), {"resource": "n_steps"}, "has no n_steps"),
        (Nearest(max_epochs=None), {}, "whole number of at least 1, got None"),
        (Nearest(task=None), {"resource": "episodes"}, "got 'auto'"),
    ],
)
def test_halving_needs_something_to_grow(model, options, message):
    with pytest.raises(ValueError, match=message):
        search_tasks(model, {}, X, Y, search="halving", **options, **QUICK)


def test_the_seed_decides():
    def means(seed):
        options = {**QUICK, "random_state": seed}
        grid = {"n_components": [1, 2]}
        return search_tasks(Nearest(), grid, X, Y, **options).results_["mean"].tolist()

    assert means(0) == means(0) != means(1)


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_without_a_seed_candidates_still_see_the_same_episodes(search):
    found = search_tasks(
        Nearest(n_components=2),
        {"episodes": ["auto", "classes"]},  # no difference without groups
        X,
        Y,
        search=search,
        factor=3,
        n_way=3,
        n_episodes=5,
    )
    means = found.results_["mean"]
    assert means[0] == means[1]


def test_a_candidate_that_fails_loses():
    with pytest.warns(sklearn.exceptions.FitFailedWarning, match="unlucky"):
        found = search_tasks(Nearest(), {"n_components": [13, 2]}, X, Y, **QUICK)
    assert found.best_params_ == {"n_components": 2}
    assert found.results_["mean"].isna().tolist() == [False, True]
    with pytest.raises(RuntimeError, match="unlucky"):
        search_tasks(
            Nearest(), {"n_components": [2, 13]}, X, Y, error_score="raise", **QUICK
        )
    with pytest.raises(ValueError, match="unlucky"):
        search_tasks(Nearest(), {"n_components": [13]}, X, Y, **QUICK)


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_scores_that_all_fail_are_an_error(search):
    def broken(estimator, X, y):
        raise RuntimeError("no score")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="No candidate could be scored"):
            search_tasks(
                Nearest(),
                {"n_components": [2, 3]},
                X,
                Y,
                scoring=broken,
                search=search,
                **QUICK,
            )
    with pytest.raises(RuntimeError, match="no score"):
        search_tasks(Nearest(), {}, X, Y, scoring=broken, error_score="raise", **QUICK)


@pytest.mark.parametrize(
    "cv",
    [
        TaskKFold(3, random_state=5),
        GroupKFold(3),
        LeaveOneGroupOut(),
        list(TaskKFold(2).split(X, groups=Y // 3)),
    ],
)
def test_any_splitter_that_keeps_tasks_together(cv):
    options = {**QUICK, "n_way": 2}
    groups = Y // 3
    found = search_tasks(Nearest(), {}, X, Y, groups, cv=cv, **options)
    for train, test in found.search_.cv:
        assert not set(groups[train]) & set(groups[test])


def test_a_task_on_both_sides_is_refused():
    with pytest.raises(TaskError, match="Fold 0 of cv trains and tests on task 0"):
        search_tasks(Nearest(), {}, X, Y, cv=KFold(3, shuffle=True), **QUICK)
    with (
        pytest.warns(UserWarning, match="groups parameter is ignored"),
        pytest.raises(TaskError, match="on task 'u'"),
    ):
        search_tasks(Nearest(), {}, X, Y, SITES, cv=KFold(3, shuffle=True), **QUICK)
    assert not Nearest.fits


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_way": 5}, "n_way=5 classes .* y has 4 of them"),
        ({"n_shot": 20}, "y has 0 of them"),
        ({"groups": np.arange(240)}, "none of the 80 groups"),
        ({"groups": SITES[:-1]}, "one value for each of 240 rows"),
        ({"cv": 20}, "there are 12 for n_splits=20"),
        ({"search": "random"}, "search must be 'grid' or 'halving'"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_trained(options, message):
    with pytest.raises(ValueError, match=message):
        search_tasks(Nearest(), {}, X, Y, **{**QUICK, **options})
    assert not Nearest.fits


def test_what_it_says():
    found = search_tasks(Nearest(), {"n_components": [1, 2]}, X, Y, **QUICK)
    assert "Best: n_components=2" in str(found)
    assert "score_time" in str(found)
    assert "n_components" in repr(found)
    again = pickle.loads(pickle.dumps(found))
    assert again.best_params_ == found.best_params_
    assert "the only candidate" in str(search_tasks(Nearest(), {}, X, Y, **QUICK))
