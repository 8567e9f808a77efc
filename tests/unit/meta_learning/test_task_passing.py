"""How tasks reach a meta-learner: groups or a column, with and without routing.

The matrix of scikit-learn's tools. What it would drop silently must raise.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from mlmi_sklearn import (
    MAMLClassifier,
    MAMLEstimator,
    MAMLRegressor,
    ProtoNetClassifier,
)
from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection import few_shot_score


def assert_same(found, expected):
    # Without its column, a frame or an array lies otherwise in memory.
    assert_allclose(found, expected, rtol=1e-9)


@pytest.fixture(scope="module")
def rows(lines):
    return lines(n_tasks=9, n=12)


@pytest.fixture(scope="module")
def frame(rows):
    X, _, groups = rows
    frame = pd.DataFrame(X, columns=["u", "v"])
    frame["site"] = [f"s{g}" for g in groups]
    return frame[["u", "site", "v"]]


@pytest.fixture(scope="module")
def array(rows):
    X, _, groups = rows
    return np.column_stack([X[:, 0], groups, X[:, 1]])


@pytest.fixture
def strict(regressor):
    """A regressor that would not do without tasks."""
    return regressor(episodes="groups", n_shot=3, max_epochs=1)


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def of_classes(groups, y):
    """Make two classes of numbers, and groups with both in each of them."""
    return (y > np.median(y)).astype(int)


# -- directly ------------------------------------------------------------------------


def test_the_ways_agree(strict, rows, frame, array):
    X, y, groups = rows
    expected = strict.fit(X, y, groups).predict(X)
    assert strict.n_tasks_ == 9
    strings = [f"s{g}" for g in groups]
    for ids in (strings, pd.Series(groups, index=groups[::-1]), groups.tolist()):
        assert_same(clone(strict).fit(X, y, groups=ids).predict(X), expected)
    by_name = clone(strict).set_params(task="site").fit(frame, y)
    by_place = clone(strict).set_params(task=1).fit(array, y)
    for model, given in ((by_name, frame), (by_place, array)):
        assert model.n_tasks_ == 9
        assert model.n_features_in_ == 2
        assert_same(model.predict(given), expected)
        assert_same(model.score(given, y), strict.score(X, y, groups=groups))
    assert by_name.feature_names_in_.tolist() == ["u", "v"]
    # The column may be left out where nothing depends on it.
    assert_same(by_name.predict(frame[["u", "v"]]), expected)
    assert_same(by_place.predict(X), expected)
    plain = strict.score(X, y)
    assert_same(by_name.score(frame[["u", "v"]], y), plain)
    assert_same(by_place.score(X, y), plain)
    with pytest.warns(UserWarning, match="feature names"):
        assert_same(by_name.predict(X), expected)


@pytest.mark.parametrize("make", ["regressor", "maml", "protonet"])
def test_adapting_takes_rows_with_and_without_the_column(request, make, rows, frame):
    _, y, groups = rows
    if make != "regressor":
        y = of_classes(groups, y)
    model = request.getfixturevalue(make)(task="site", max_epochs=1).fit(frame, y)
    few = np.flatnonzero(groups == 0)
    adapted = model.adapt(frame.iloc[few], y[few])
    other = model.adapt(frame.iloc[few][["u", "v"]], y[few])
    assert_same(adapted.predict(frame), other.predict(frame[["u", "v"]]))
    assert_same(adapted.predict(frame[["u", "v"]]), other.predict(frame))


def test_partial_fit_takes_tasks_by_all_ways(strict, rows, frame, array):
    X, y, groups = rows
    expected = strict.partial_fit(X, y, groups=groups).predict(X)
    by_name = clone(strict).set_params(task="site").partial_fit(frame, y)
    by_place = clone(strict).set_params(task=1).partial_fit(array, y)
    assert_same(by_name.predict(frame), expected)
    assert_same(by_place.predict(array), expected)


def test_groups_without_a_name_raise(strict, protonet, rows):
    X, y, groups = rows
    with pytest.raises(TaskError, match=r"enable_metadata_routing=True.*task='name'"):
        strict.fit(X, y)
    assert not hasattr(strict, "net_")
    with pytest.raises(TaskError, match="no row names its task"):
        strict.partial_fit(X, y)
    with pytest.raises(TaskError, match="no row names its task"):
        protonet(episodes="groups").fit(X, of_classes(groups, y))


def test_both_ways_at_once_raise(strict, rows, frame):
    _, y, groups = rows
    model = strict.set_params(task="site")
    for method in (model.fit, model.partial_fit):
        with pytest.raises(TaskError, match="named twice, by groups and by the column"):
            method(frame, y, groups=groups)
    model.fit(frame, y)
    with pytest.raises(TaskError, match="named twice"):
        model.score(frame, y, groups=groups)
    assert np.isfinite(model.score(frame[["u", "v"]], y, groups=groups))


def test_ids_that_are_refused(strict, rows, frame):
    X, y, groups = rows
    with pytest.raises(TaskError, match=r"shape \(107,\), but X has 108 rows"):
        strict.fit(X, y, groups[1:])
    ids = groups.astype(float)
    ids[3] = np.nan
    with pytest.raises(TaskError, match="1 missing ids"):
        strict.fit(X, y, ids)
    with pytest.raises(TaskError, match=r"is not a column of X.*Did you mean 'site'"):
        strict.set_params(task="sites").fit(frame, y)
    strict.set_params(task=None).fit(X, y, groups)
    with pytest.raises(TaskError, match=r"shape \(107,\)"):
        strict.score(X, y, groups=groups[1:])
    gaps = frame.assign(site=frame["site"].where(frame["u"] < 0))
    with pytest.raises(TaskError, match="missing ids"):
        strict.set_params(task="site").fit(gaps, y)


def test_numbers_are_no_classes(regressor, rows):
    X, y, _ = rows
    with pytest.raises(TaskError, match="this is a regression"):
        regressor(episodes="classes").fit(X, y)


def test_tasks_must_not_come_and_go(regressor, rows):
    X, y, groups = rows
    model = regressor().fit(X, y, groups)
    with pytest.raises(TaskError, match="began with groups, but now no row"):
        model.partial_fit(X, y)
    model = regressor().fit(X, y)
    with pytest.raises(TaskError, match="began without groups, but now rows"):
        model.partial_fit(X, y, groups=groups)


# -- routing on ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [MAMLClassifier, MAMLRegressor, MAMLEstimator, ProtoNetClassifier]
)
def test_requests_are_declared_on_the_class(make):
    requests = get_routing_for_object(make())
    for method in ("fit", "partial_fit", "score"):
        assert getattr(requests, method).requests["groups"] is True


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("n_jobs", [None, 2], ids=["alone", "processes"])
def test_groups_by_routing(strict, rows, n_jobs):
    """One groups= serves the splitter, fit and score."""
    X, y, groups = rows
    cv = GroupKFold(3)
    found = cross_validate(
        strict, X, y, params={"groups": groups}, cv=cv, error_score="raise",
        return_estimator=True, n_jobs=n_jobs,
    )  # fmt: skip
    assert [m.n_tasks_ for m in found["estimator"]] == [6, 6, 6]
    by_hand = [
        clone(strict).fit(X[a], y[a], groups[a]).score(X[b], y[b], groups=groups[b])
        for a, b in cv.split(X, y, groups)
    ]
    assert_same(found["test_score"], by_hand)


@pytest.mark.usefixtures("routing")
def test_searches_by_routing(strict, rows):
    X, y, groups = rows
    for cv in (GroupKFold(3), LeaveOneGroupOut()):
        search = GridSearchCV(
            strict, {"inner_steps": [1, 2]}, cv=cv, error_score="raise"
        )
        search.fit(X, y, groups=groups)
        assert search.best_estimator_.n_tasks_ == 9
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert np.isfinite(search.score(X, y, groups=groups))
    random = RandomizedSearchCV(
        strict, {"inner_steps": [1, 2]}, n_iter=1, cv=GroupKFold(3), random_state=0
    ).fit(X, y, groups=groups)
    assert random.best_estimator_.n_tasks_ == 9


@pytest.mark.usefixtures("routing")
def test_nested_search_by_routing(strict, rows):
    X, y, groups = rows
    search = GridSearchCV(
        strict, {"inner_steps": [1, 2]}, cv=GroupKFold(2), error_score="raise"
    )
    found = cross_validate(
        search, X, y, params={"groups": groups}, cv=GroupKFold(3), error_score="raise",
        return_estimator=True,
    )  # fmt: skip
    assert [m.best_estimator_.n_tasks_ for m in found["estimator"]] == [6, 6, 6]


@pytest.mark.usefixtures("routing")
def test_pipelines_by_routing(strict, rows):
    X, y, groups = rows
    model = make_pipeline(StandardScaler(), strict).fit(X, y, groups=groups)
    assert model[-1].n_tasks_ == 9
    assert np.isfinite(model.score(X, y, groups=groups))
    found = cross_validate(
        clone(model), X, y, params={"groups": groups}, cv=GroupKFold(3),
        error_score="raise",
    )  # fmt: skip
    assert np.isfinite(found["test_score"]).all()
    search = GridSearchCV(
        clone(model), {"mamlregressor__inner_steps": [1, 2]}, cv=GroupKFold(3),
        error_score="raise",
    )  # fmt: skip
    assert search.fit(X, y, groups=groups).best_estimator_[-1].n_tasks_ == 9


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("make", ["maml", "protonet"])
def test_classifiers_by_routing(request, make, rows):
    X, y, groups = rows
    y = of_classes(groups, y)
    model = request.getfixturevalue(make)(episodes="groups", n_shot=1, max_epochs=1)
    found = cross_validate(
        model, X, y, params={"groups": groups}, cv=StratifiedGroupKFold(3),
        error_score="raise", return_estimator=True,
    )  # fmt: skip
    assert [m.n_tasks_ for m in found["estimator"]] == [6, 6, 6]


@pytest.mark.usefixtures("routing")
def test_groups_for_the_splitter_alone(regressor, frame, rows):
    _, y, groups = rows
    model = regressor(task="site", max_epochs=1, n_shot=3)
    model.set_fit_request(groups=False).set_score_request(groups=False)
    found = cross_validate(
        model, frame, y, params={"groups": groups}, cv=GroupKFold(3),
        error_score="raise", return_estimator=True,
    )  # fmt: skip
    assert [m.n_tasks_ for m in found["estimator"]] == [6, 6, 6]


# -- routing off ---------------------------------------------------------------------


def test_what_scikit_learn_drops_raises(strict, rows):
    """The splitter gets groups and the estimator does not; that must not be silent."""
    X, y, groups = rows
    cv, grid = GroupKFold(3), {"inner_steps": [1, 2]}
    options = {"groups": groups, "cv": cv, "error_score": "raise"}
    for call in (
        lambda: cross_validate(strict, X, y, **options),
        lambda: cross_val_score(strict, X, y, **options),
        lambda: GridSearchCV(strict, grid, cv=cv, error_score="raise").fit(
            X, y, groups=groups
        ),
        lambda: GridSearchCV(strict, grid, cv=cv).fit(X, y, groups=groups),
    ):
        with pytest.raises(ValueError, match="enable_metadata_routing=True"):
            call()


def test_a_pipeline_takes_groups_by_the_name_of_the_step(strict, rows):
    X, y, groups = rows
    model = make_pipeline(StandardScaler(), strict)
    model.fit(X, y, mamlregressor__groups=groups)
    assert model[-1].n_tasks_ == 9


# -- a column, with and without routing ----------------------------------------------


@pytest.mark.parametrize("enabled", [False, True], ids=["off", "on"])
@pytest.mark.parametrize(
    ("kind", "n_jobs"), [("frame", None), ("array", None), ("frame", 2)]
)
def test_a_column_goes_everywhere(strict, rows, frame, array, enabled, n_jobs, kind):
    X, y, groups = rows
    given, task = {"frame": (frame, "site"), "array": (array, 1)}[kind]
    model = clone(strict).set_params(task=task)
    cv = list(GroupKFold(3).split(X, y, groups))
    with config_context(enable_metadata_routing=enabled):
        found = cross_validate(
            model, given, y, cv=cv, error_score="raise", return_estimator=True,
            n_jobs=n_jobs,
        )  # fmt: skip
    assert [m.n_tasks_ for m in found["estimator"]] == [6, 6, 6]
    by_hand = [
        clone(strict).fit(X[a], y[a], groups[a]).score(X[b], y[b], groups=groups[b])
        for a, b in cv
    ]
    assert_same(found["test_score"], by_hand)


@pytest.mark.parametrize("enabled", [False, True], ids=["off", "on"])
def test_a_column_in_searches_and_pipelines(strict, rows, frame, array, enabled):
    X, y, groups = rows
    cv = list(GroupKFold(3).split(X, y, groups))
    kept = ColumnTransformer(
        [("scale", StandardScaler(), ["u", "v"])], remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")  # fmt: skip
    steps = {"mamlregressor__inner_steps": [1, 2]}
    with config_context(enable_metadata_routing=enabled):
        plain = GridSearchCV(
            clone(strict).set_params(task=1), {"inner_steps": [1, 2]}, cv=cv,
            error_score="raise",
        ).fit(array, y)  # fmt: skip
        piped = GridSearchCV(
            make_pipeline(kept, clone(strict).set_params(task="site")), steps, cv=cv,
            error_score="raise",
        ).fit(frame, y)  # fmt: skip
        nested = cross_val_score(
            GridSearchCV(
                clone(strict).set_params(task="site", n_shot=1), {"lr": [1e-3, 1e-2]},
                cv=KFold(2, shuffle=True, random_state=0), error_score="raise",
            ), frame, y, cv=cv, error_score="raise",
        )  # fmt: skip
    assert plain.best_estimator_.n_tasks_ == 9
    assert piped.best_estimator_[-1].n_tasks_ == 9
    assert piped.best_estimator_[-1].feature_names_in_.tolist() == ["u", "v"]
    assert np.isfinite(piped.cv_results_["mean_test_score"]).all()
    assert piped.predict(frame).shape == y.shape
    assert np.isfinite(nested).all()


class Bare(TransformerMixin, BaseEstimator):
    """Loses the names of columns, as transformers do without pandas output."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.drop(columns="site").to_numpy()


def test_a_transformer_that_loses_the_column_is_told_of(strict, frame, rows):
    model = make_pipeline(Bare(), strict.set_params(task="site"))
    with pytest.raises(TaskError, match="X has no column names"):
        model.fit(frame, rows[1])


# -- few-shot scores -----------------------------------------------------------------


def test_few_shot_scores_with_a_column_and_with_groups(strict, rows, frame, array):
    X, y, groups = rows
    options = {"n_shot": 3, "n_query": 5, "n_episodes": 20, "random_state": 0}
    model = strict.fit(X, y, groups)
    expected = few_shot_score(model, X, y, groups, **options)
    assert np.isfinite(expected.mean)
    assert len(expected.frame) == 20
    for given, task in ((frame, "site"), (array, 1)):
        other = clone(strict).set_params(task=task).fit(given, y)
        found = few_shot_score(other, given, y, **options)
        assert_same(found.frame["score"], expected.frame["score"])


@pytest.mark.parametrize("make", ["maml", "protonet"])
def test_few_shot_scores_of_classes(request, make, blobs):
    X, y = blobs(10)
    model = request.getfixturevalue(make)(max_epochs=5, episodes_per_epoch=40)
    old = y < 6
    model.fit(X[old], y[old])
    score = few_shot_score(
        model, X[~old], y[~old], n_way=3, n_shot=2, n_query=4, n_episodes=40,
        random_state=0,
    )  # fmt: skip
    assert score.mean > 0.5
    assert 0 < score.ci95 < 0.2
