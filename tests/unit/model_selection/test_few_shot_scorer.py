"""The few-shot scorer in scikit-learn's tools, with metadata routing on and off."""

import pickle
import warnings
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneGroupOut,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection import (
    FewShotScorer,
    TaskKFold,
    few_shot_score,
    few_shot_scorer,
)


class Nearest(ClassifierMixin, BaseEstimator):
    __metadata_request__fit: ClassVar = {"groups": True}

    def __init__(self, n_components=2, episodes="auto", task=None):
        self.n_components = n_components
        self.episodes = episodes
        self.task = task

    def fit(self, X, y, groups=None):
        self.groups_ = groups
        self.classes_ = np.unique(y)
        self.pca_ = PCA(self.n_components).fit(X)
        return self

    def adapt(self, X_support, y_support):
        found = make_pipeline(FrozenEstimator(self.pca_), KNeighborsClassifier(1))
        return found.fit(X_support, y_support)


class Level(RegressorMixin, BaseEstimator):
    """Shared slope, own level; uses groups in training."""

    __metadata_request__fit: ClassVar = {"groups": True}

    def __init__(self, use_groups=True):
        self.use_groups = use_groups

    def fit(self, X, y, groups=None):
        x, y = np.ravel(X), np.asarray(y)
        names = np.zeros(len(y)) if groups is None or not self.use_groups else groups
        for name in np.unique(names):
            x = np.where(names == name, x - x[names == name].mean(), x)
            y = np.where(names == name, y - y[names == name].mean(), y)
        self.slope_ = (x @ y) / (x @ x)
        return self

    def adapt(self, X_support, y_support):
        model = LinearRegression()
        model.coef_ = np.array([self.slope_])
        model.intercept_ = np.mean(y_support - self.slope_ * np.ravel(X_support))
        return FrozenEstimator(model)


def sites(seed=0):
    """Four classes at each of six sites, of which the axes are shuffled."""
    rng = np.random.default_rng(seed)
    groups = np.arange(6).repeat(48)
    y = np.arange(288) % 4
    X = rng.normal(size=(288, 8))
    X[:, :2] += rng.normal(scale=7, size=(6, 4, 2))[groups, y]
    return X, y, np.array(list("uvwxyz"))[groups]


def lines(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.arange(9).repeat(10)
    level = rng.normal(scale=30, size=9)
    X = rng.normal(size=(90, 1)) + level[groups][:, None] / 10
    return X, 2 * X[:, 0] + level[groups], groups


X, Y, SITES = sites()
SCORER = few_shot_scorer(n_way=3, n_episodes=12, random_state=0)


def test_it_is_few_shot_score():
    meta = Nearest().fit(X, Y)
    options = {"n_way": 3, "n_episodes": 12, "random_state": 0}
    for groups in (None, SITES):
        score = few_shot_score(meta, X, Y, groups, **options)
        value = SCORER(meta, X, Y, groups)
        assert type(value) is float
        assert value == score.mean
        assert SCORER.score(meta, X, Y, groups).ci95 == score.ci95


def test_it_is_an_estimator_as_far_as_tools_need_it():
    assert isinstance(SCORER, FewShotScorer)
    assert clone(SCORER).get_params() == SCORER.get_params()
    assert repr(SCORER) == "FewShotScorer(n_episodes=12, n_way=3, random_state=0)"
    assert pickle.loads(pickle.dumps(SCORER)).n_way == 3
    assert FewShotScorer().set_params(n_shot=2).n_shot == 2
    with pytest.raises(TypeError, match="n_ways"):
        few_shot_scorer(n_ways=3)


@pytest.mark.parametrize(
    "wrap",
    [lambda e: e, lambda e: make_pipeline(StandardScaler(with_std=False), e)],
)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_groups_reach_it_in_a_search_with_routing(wrap, n_jobs):
    if n_jobs is not None:
        # Classes of this file cannot be imported by other processes.
        context = pytest.importorskip("joblib").parallel_config("threading")
    else:
        context = warnings.catch_warnings()
    name = "n_components" if wrap(1) == 1 else "nearest__n_components"
    with context, config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            wrap(Nearest()),
            {name: [1, 2]},
            cv=TaskKFold(3, random_state=0),
            scoring=SCORER,
            n_jobs=n_jobs,
        ).fit(X, Y, groups=SITES)
        assert search.score(X, Y, groups=SITES) > 0.8
    assert search.best_params_ == {name: 2}
    scores = [search.cv_results_[f"split{k}_test_score"][1] for k in range(3)]
    folds = TaskKFold(3, random_state=0).split(X, Y, SITES)
    for score, (train, test) in zip(scores, folds, strict=True):
        meta = wrap(Nearest()).fit(X[train], Y[train])
        assert score == SCORER(meta, X[test], Y[test], SITES[test])


def test_groups_reach_it_in_cross_validate_and_among_several_scores():
    X, y, groups = lines()
    scoring = {
        "one": few_shot_scorer(n_episodes=9, random_state=0),
        "three": few_shot_scorer(n_episodes=9, n_shot=3, random_state=0),
        "error": few_shot_scorer(scoring="neg_mean_squared_error", n_episodes=9),
    }
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            Level(), X, y, cv=TaskKFold(3), scoring=scoring, params={"groups": groups}
        )
        alone = cross_val_score(
            Level(),
            X,
            y,
            cv=LeaveOneGroupOut(),
            scoring=scoring["one"],
            params={"groups": groups},
        )
        search = GridSearchCV(
            Level(),
            {"use_groups": [False, True]},
            cv=TaskKFold(3, random_state=0),
            scoring=scoring,
            refit="error",
        ).fit(X, y, groups=groups)
    assert found["test_one"] == pytest.approx(1)
    assert found["test_error"] == pytest.approx(0)
    assert alone == pytest.approx(np.ones(9))
    # Without the groups in fit the slope would be another, and levels no help.
    assert search.best_params_ == {"use_groups": True}


def test_with_routing_off_regression_is_refused():
    X, y, groups = lines()
    scorer = few_shot_scorer(n_episodes=2)
    options = {"cv": TaskKFold(3), "groups": groups, "error_score": "raise"}
    with pytest.raises(TaskError, match=r"got no groups.*enable_metadata_routing=True"):
        cross_val_score(Level(), X, y, scoring=scorer, **options)
    search = GridSearchCV(
        Level(), {}, scoring=scorer, cv=TaskKFold(3), error_score="raise"
    )
    with pytest.raises(TaskError, match="got no groups"):
        search.fit(X, y, groups=groups)


def test_with_routing_off_and_errors_as_numbers_there_is_a_warning():
    X, y, groups = lines()
    with pytest.warns(UserWarning, match="got no groups"):
        scores = cross_val_score(
            Level(),
            X,
            y,
            cv=TaskKFold(3),
            groups=groups,
            scoring=few_shot_scorer(n_episodes=2),
        )
    assert np.isnan(scores).all()


@pytest.mark.parametrize(
    ("model", "scorer"),
    [
        (Nearest(episodes="groups"), SCORER),
        (make_pipeline(StandardScaler(), Nearest(episodes="groups")), SCORER),
        (Nearest(), few_shot_scorer(episodes="groups")),
    ],
)
def test_groups_that_are_wanted_and_do_not_come(model, scorer):
    model.fit(X, Y)
    with pytest.raises(TaskError, match="got no groups"):
        scorer(model, X, Y)
    assert scorer.set_params(n_way=2, n_episodes=2)(model, X, Y, SITES) > 0


def test_an_estimator_that_makes_episodes_of_classes_needs_no_groups():
    meta = Nearest(episodes="classes").fit(X, Y)
    score = SCORER.score(meta, X, Y, SITES)
    assert set(score.frame["task"]) == {0}


def test_groups_for_the_splitter_alone():
    with config_context(enable_metadata_routing=True):
        scorer = few_shot_scorer(n_way=4, n_episodes=5, random_state=0)
        scorer.set_score_request(groups=False)
        search = GridSearchCV(
            Nearest(), {}, cv=TaskKFold(2, random_state=0), scoring=scorer
        ).fit(X, Y, groups=SITES)
    meta = Nearest()
    train, test = next(TaskKFold(2, random_state=0).split(X, Y, SITES))
    expected = scorer(meta.fit(X[train], Y[train]), X[test], Y[test])
    assert search.cv_results_["split0_test_score"][0] == expected


def test_a_column_serves_with_routing_off():
    frame = pd.DataFrame(X).rename(columns=str)
    frame["site"] = np.unique(SITES, return_inverse=True)[1]
    model = Nearest(n_components=5, task="site", episodes="groups")
    scores = cross_val_score(
        model,
        frame,
        Y,
        cv=TaskKFold(3, random_state=0),
        groups=frame["site"],
        scoring=SCORER,
        error_score="raise",
    )
    assert (scores > 0.5).all()


def test_scratch_training_is_a_candidate_like_any_other():
    scores = cross_val_score(
        KNeighborsClassifier(1), X, Y, cv=3, scoring=SCORER, error_score="raise"
    )
    assert ((scores > 1 / 3) & (scores <= 1)).all()


def test_bad_parameters():
    meta = Nearest().fit(X, Y)
    with pytest.raises(ValueError, match="episodes must be"):
        FewShotScorer(episodes="tasks")(meta, X, Y)
    with pytest.raises(ValueError, match="n_episodes"):
        FewShotScorer(n_episodes=0)(meta, X, Y)
