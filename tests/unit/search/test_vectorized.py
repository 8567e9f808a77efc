"""The search finds what GridSearchCV finds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import (
    MLPBackbone,
    NetClassifier,
    NetRegressor,
    VectorizedSearchCV,
    load,
    save,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
Y = (X[:, 0] + RNG.normal(size=60) / 2 > 0).astype(int)
NET = NetClassifier(max_epochs=3, batch_size=16, random_state=0)
RATES = {"lr": [1e-3, 1e-2]}


def searches(estimator, grid, y=Y, fit=None, **options):
    found = []
    for kind in (GridSearchCV, VectorizedSearchCV):
        search = kind(clone(estimator), grid, **{"cv": 3, **options})
        found.append(search.fit(X, y, **(fit or {})))
    return found


def assert_same(slow, quick, together):
    assert quick.n_trained_together_ == together
    assert slow.cv_results_["params"] == quick.cv_results_["params"]
    assert set(slow.cv_results_) == set(quick.cv_results_)
    for key, values in slow.cv_results_.items():
        if ("test" in key or "train" in key) and "time" not in key:
            assert_allclose(quick.cv_results_[key], values, rtol=1e-9, err_msg=key)
    assert (quick.cv_results_["mean_fit_time"] > 0).all()
    if hasattr(slow, "best_params_"):
        assert slow.best_params_ == quick.best_params_


def test_rates_and_seeds():
    grid = {**RATES, "random_state": [0, 1], "weight_decay": [0.0, 1e-2]}
    slow, quick = searches(NET, grid, return_train_score=True)
    assert_same(slow, quick, 24)
    assert_allclose(quick.predict_proba(X), slow.predict_proba(X), rtol=1e-9)
    assert quick.score(X, Y) == slow.score(X, Y)


def test_architectures_are_trained_in_groups():
    grid = {"backbone__hidden": [(4,), (8,)], "backbone": ["mlp"], **RATES}
    assert_same(*searches(NET, grid), 12)


def test_pipeline_with_parameters_of_all_steps():
    model = make_pipeline(StandardScaler(), NET)
    grid = {
        "standardscaler__with_mean": [True, False],
        "netclassifier__lr": [1e-3, 1e-2],
    }
    slow, quick = searches(
        model, grid, scoring=["accuracy", "neg_log_loss"], refit=False
    )
    assert_same(slow, quick, 12)


def test_nets_that_are_not_trained_together():
    net = clone(NET).set_params(backbone=MLPBackbone(hidden=(8,), dropout=0.2))
    assert_same(*searches(net, RATES), 0)
    assert_same(*searches(LogisticRegression(), {"C": [0.1, 1]}), 0)
    mixed = {"backbone": [MLPBackbone(dropout=0.2), MLPBackbone()], **RATES}
    assert_same(*searches(NET, mixed), 6)


def test_weights_and_groups():
    weight = RNG.uniform(0.1, 1, 60)
    groups = np.arange(60) // 4
    fit = {"sample_weight": weight, "groups": groups}
    assert_same(*searches(NET, RATES, fit=fit, cv=GroupKFold(3)), 6)
    pipe = make_pipeline(StandardScaler(), NET)
    fit = {"netclassifier__sample_weight": weight}
    grid = {"netclassifier__lr": [1e-3, 1e-2]}
    assert_same(*searches(pipe, grid, fit=fit), 6)


def test_splits_that_are_drawn_anew_each_time():
    cv = ShuffleSplit(3, random_state=np.random.RandomState(0))
    quick = VectorizedSearchCV(NET, RATES, cv=cv).fit(X, Y)
    assert quick.n_trained_together_ == 6


def test_regression_and_processes():
    net = NetRegressor(max_epochs=3, random_state=0)
    options = {"n_jobs": 2, "return_train_score": True}
    slow, quick = searches(net, RATES, y=X @ np.arange(5.0), **options)
    assert_same(slow, quick, 6)


def test_a_candidate_that_fails():
    net = clone(NET).set_params(optimizer="sgd")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slow, quick = searches(net, {"lr": [1e-3, 1e300]})
    assert np.isnan(quick.cv_results_["mean_test_score"][1])
    assert_same(slow, quick, 6)
    with pytest.raises(ValueError, match="lr"):
        searches(net, {"lr": [1e-3, -1.0]}, error_score="raise")


def test_it_is_cloned_and_saved_like_any_other():
    search = VectorizedSearchCV(NET, RATES, cv=3)
    assert clone(search).get_params()["estimator__max_epochs"] == 3
    assert set(vars(search.fit(X, Y))) >= {"cv_results_", "n_trained_together_"}
    assert not {"_given", "_seconds", "_others"} & set(vars(search))


def test_it_is_saved_and_loaded(tmp_path):
    search = VectorizedSearchCV(NET, RATES, cv=3).fit(X, Y)
    save(search, tmp_path / "search.mlmi")
    found = load(tmp_path / "search.mlmi")
    assert_array_equal(found.predict_proba(X), search.predict_proba(X))
    assert found.best_params_ == search.best_params_


def test_results_are_offered_to_no_later_fit():
    search = VectorizedSearchCV(NET, RATES, cv=3, refit=False).fit(X, Y)
    again = clone(NET).set_params(lr=1e-3).fit(X, Y)
    assert search.n_trained_together_ == 6
    assert hasattr(again, "net_")
