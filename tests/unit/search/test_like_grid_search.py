"""Whatever is asked of it, the search answers as GridSearchCV does."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import NetClassifier, NetRegressor, VectorizedSearchCV

RNG = np.random.default_rng(1)
X = RNG.normal(size=(36, 4))
CODES = np.arange(36) % 3
TARGETS = {
    "two classes": (X[:, 0] + X[:, 1] > 0).astype(int),
    "three names": np.array(["a", "b", "c"])[CODES],
    "labels": np.c_[X[:, 0] > 0, X[:, 1] > 0].astype(int),
    "number": 50 + 10 * X[:, 0],
    "numbers": X[:, :2] * [1, 100],
}
NET = NetClassifier(max_epochs=2, batch_size=8, random_state=0)
RATES = {"lr": [1e-3, 1e-2, 3e-2]}
TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")


def both(estimator, grid, y=TARGETS["two classes"], rows=X, fit=None, **options):
    options = {"cv": 2, **options}
    return [
        kind(clone(estimator), grid, **options).fit(rows, y, **(fit or {}))
        for kind in (GridSearchCV, VectorizedSearchCV)
    ]


def assert_same_scores(slow, quick, tol=1e-8):
    assert list(slow.cv_results_) == list(quick.cv_results_)
    for key, values in slow.cv_results_.items():
        found = quick.cv_results_[key]
        if key in TIMES:
            assert found.shape == values.shape
            assert (found >= 0).all()
        elif key == "params" or key.startswith("param_"):
            assert str(found) == str(values)
        elif key.startswith("rank_"):
            assert_same_order(slow.cv_results_[key.replace("rank", "mean")], found)
        else:
            assert_allclose(found, values, rtol=tol, atol=tol, err_msg=key)


def assert_same_order(scores, ranks):
    """Compare where scores are not tied but for rounding."""
    for score, rank in zip(scores, ranks, strict=True):
        assert (ranks[scores < score - 1e-7] > rank).all()


def assert_same(slow, quick):
    assert_same_scores(slow, quick)
    for name in ("best_index_", "best_params_", "n_splits_", "multimetric_"):
        if hasattr(slow, name):
            assert str(getattr(quick, name)) == str(getattr(slow, name))


AXES = {
    "lr": st.sampled_from([1e-3, 1e-2, 3e-2]),
    "random_state": st.integers(0, 2),
    "weight_decay": st.sampled_from([0.0, 1e-2]),
    "batch_size": st.sampled_from([5, 8, 64]),
    "max_epochs": st.integers(1, 3),
    "optimizer": st.sampled_from(["adamw", "sgd", "rmsprop", "adafactor"]),
    "lr_schedule": st.sampled_from(["constant", "cosine"]),
    "backbone__hidden": st.sampled_from([(), (3,), (4, 3)]),
    "backbone__dropout": st.sampled_from([0.0, 0.5]),
    "backbone__norm": st.sampled_from(["none", "batch", "layer"]),
    "early_stopping": st.booleans(),
}


@st.composite
def grids(draw):
    """Draw a grid of at most 8 candidates, of which some may train alone."""
    names = draw(st.lists(st.sampled_from(sorted(AXES)), max_size=3, unique=True))
    return {
        name: draw(st.lists(AXES[name], min_size=1, max_size=2, unique=True))
        for name in names
    }


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(grid=grids(), target=st.sampled_from(sorted(TARGETS)), data=st.data())
def test_scores_of_any_grid(grid, target, data):
    kind = NetRegressor if target.startswith("number") else NetClassifier
    net = kind("mlp", max_epochs=2, batch_size=8, random_state=0, lr=1e-2)
    options = {"return_train_score": data.draw(st.booleans()), "refit": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_same_scores(*both(net, grid, TARGETS[target], **options))


@pytest.mark.parametrize("as_frame", [False, True])
def test_in_a_pipeline_and_around_one(as_frame):
    rows = pd.DataFrame(X, columns=list("abcd")) if as_frame else X
    scaler = StandardScaler()
    if as_frame:
        scaler.set_output(transform="pandas")
    grid = {
        "netclassifier__lr": [1e-3, 1e-2],
        "standardscaler__with_std": [True, False],
    }
    slow, quick = both(make_pipeline(scaler, NET), grid, rows=rows)
    assert_same(slow, quick)
    assert quick.n_trained_together_ == 8
    scores = [
        cross_val_score(
            make_pipeline(StandardScaler(), kind(NET, RATES, cv=2)),
            X,
            TARGETS["two classes"],
            cv=2,
        )
        for kind in (GridSearchCV, VectorizedSearchCV)
    ]
    assert_allclose(*scores)


def test_frames_lists_and_names():
    frame = pd.DataFrame(X, columns=list("abcd"))
    slow, quick = both(NET, RATES, rows=frame)
    assert_same(slow, quick)
    assert_array_equal(quick.feature_names_in_, slow.feature_names_in_)
    assert_same(*both(NET, RATES, rows=X.tolist(), y=TARGETS["two classes"].tolist()))


def test_weights_reach_fits_and_scores():
    weight = RNG.integers(0, 3, 36).astype(float)
    slow, quick = both(NET, RATES, fit={"sample_weight": weight})
    assert_same(slow, quick)
    assert quick.n_trained_together_ == 6
    plain = both(NET, RATES)[1]
    assert not np.allclose(
        plain.cv_results_["mean_test_score"], quick.cv_results_["mean_test_score"]
    )


def several(estimator, X, y):
    """Return a dict, look at attributes of the net, and write to X."""
    found = {
        "accuracy": accuracy_score(y, estimator.predict(X)),
        "loss": -estimator.history_["train_loss"].iloc[-1],
        "norm": float(estimator.net_.module_.head.weight.detach().norm()),
        "pickled": pickle.loads(pickle.dumps(estimator)).score(X, y),
    }
    X[:] = 0
    found["zeros"] = float(estimator.decision_function(X).sum())
    return found


@pytest.mark.parametrize(
    "scoring",
    [
        several,
        "roc_auc",
        make_scorer(accuracy_score),
        {"a": "accuracy", "b": "neg_log_loss"},
        ["accuracy", "f1"],
        lambda estimator, X, y: estimator.predict_proba(X)[y == 1, 1].mean(),
    ],
    ids=["all sorts", "name", "scorer", "dict", "list", "number"],
)
def test_scorers(scoring):
    options = {"scoring": scoring, "refit": False, "return_train_score": True}
    slow, quick = both(NET, RATES, **options)
    assert quick.n_trained_together_ == 6
    assert_same(slow, quick)


def test_a_scorer_that_fails_and_one_that_returns_no_number():
    def fails(estimator, X, y):
        if estimator.lr > 5e-3:
            raise RuntimeError("no score")
        return 1.0

    with pytest.warns(UserWarning, match="no score"):
        assert_same(*both(NET, RATES, scoring=fails, error_score=-7.0))
    for kind in (GridSearchCV, VectorizedSearchCV):
        with pytest.raises(RuntimeError, match="no score"):
            kind(NET, RATES, scoring=fails, error_score="raise", cv=2).fit(
                X, TARGETS["two classes"]
            )
        with pytest.raises(ValueError, match="must return a number"):
            kind(NET, RATES, scoring=lambda *_: "good", cv=2).fit(
                X, TARGETS["two classes"]
            )


@pytest.mark.parametrize("error_score", [np.nan, -3.0])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_candidates_that_fail(error_score):
    grid = {"lr": [1e-3, 1e300, -1.0], "optimizer": ["sgd"], "max_epochs": [4]}
    found = []
    for kind in (GridSearchCV, VectorizedSearchCV):
        search = kind(NET, grid, cv=2, error_score=error_score)
        with pytest.warns(FitFailedWarning, match="4 fits failed out of a total of 6"):
            search.fit(X, TARGETS["two classes"])
        found.append(search)
    assert_same(*found)


def test_all_fail():
    for kind in (GridSearchCV, VectorizedSearchCV):
        with pytest.raises(ValueError, match="All the 4 fits failed"):
            kind(NET, {"lr": [-1.0, -2.0]}, cv=2).fit(X, TARGETS["two classes"])
        with pytest.raises(ValueError, match="one class only"):
            kind(NET, RATES, cv=2, error_score="raise").fit(X, np.zeros(36))


@pytest.mark.parametrize(
    "refit", [True, False, lambda results: int(results["mean_test_score"].argmin())]
)
def test_what_is_refitted_is_an_ordinary_estimator(refit):
    slow, quick = both(NET, RATES, refit=refit)
    assert_same(slow, quick)
    assert hasattr(quick, "best_estimator_") == bool(refit)
    if refit:
        best = quick.best_estimator_
        assert "net_" in vars(best)
        assert_array_equal(best.predict_proba(X), slow.predict_proba(X))
        assert len(best.partial_fit(X, TARGETS["two classes"]).history_) == 3


def test_progress_is_shown(capsys):
    for verbose in (1, 3):
        VectorizedSearchCV(NET, RATES, cv=2, verbose=verbose).fit(
            X, TARGETS["two classes"]
        )
        shown = capsys.readouterr().out
        assert "2 folds for each of 3 candidates, totalling 6 fits" in shown
        assert shown.count("END") == (6 if verbose > 1 else 0)


def test_warnings_of_earlier_steps_are_shown_once_a_fold():
    class Warns(StandardScaler):
        def fit(self, X, y=None, sample_weight=None):
            warnings.warn(f"I saw {len(X)}", UserWarning, stacklevel=1)
            return super().fit(X, y, sample_weight)

    model = make_pipeline(Warns(), NET)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        VectorizedSearchCV(model, {"netclassifier__lr": [1e-3, 1e-2]}, cv=3).fit(
            X, TARGETS["two classes"]
        )
    assert sum("I saw 24" in str(w.message) for w in seen) >= 3


def test_nets_of_single_and_of_double_precision():
    net = NetRegressor("mlp", max_epochs=2, random_state=0)
    grid = {"dtype": ["auto", "float32", "float64"], "lr": [1e-3, 1e-2]}
    slow, quick = both(net, grid, TARGETS["number"], return_train_score=True)
    assert quick.n_trained_together_ == 12
    assert_same_scores(slow, quick, tol=1e-5)


def test_seeds_that_are_drawn_for_each_fit():
    net = clone(NET).set_params(random_state=None)
    search = VectorizedSearchCV(net, RATES, cv=2, scoring="neg_log_loss")
    found = [
        search.fit(X, TARGETS["two classes"]).cv_results_["mean_test_score"]
        for _ in range(2)
    ]
    assert search.n_trained_together_ == 6
    assert not np.allclose(*found)
