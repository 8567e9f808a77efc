"""What adapting gives, and that it leaves everything else alone."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedShuffleSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import AdaptedClassifier, AdaptedRegressor
from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.meta_learning.prototypes import PrototypeClassifier

NORMED = {"backbone__norm": "batch"}


@pytest.fixture(scope="module")
def data(blobs):
    return blobs()


@pytest.fixture(scope="module")
def task(blobs):
    """A task of three classes that the prior has not seen."""
    X, y = blobs(3, n=10, seed=5)
    return X, y


LONGER = {"max_epochs": 10, "episodes_per_epoch": 80, "lr": 1e-2}


@pytest.fixture(scope="module")
def meta(maml, data):
    return maml(**LONGER).fit(*data)


@pytest.fixture(scope="module")
def nearest(protonet, data):
    return protonet(**LONGER).fit(*data)


@pytest.fixture(scope="module")
def prior(maml, data):
    """Return a function of parameters that trains each prior once."""
    made = {}

    def make(**params):
        key = repr(sorted(params.items()))
        if key not in made:
            made[key] = maml(**params).fit(*data)
        return made[key]

    return make


# -- nothing else changes ------------------------------------------------------------

POLICIES = ["transductive", "frozen", "per-step", "group"]


@pytest.mark.parametrize("norm", POLICIES)
@pytest.mark.parametrize("head", ["learned", "proto"])
def test_adapting_and_predicting_touch_nothing(prior, task, untouched, norm, head):
    meta = prior(norm=norm, head=head, **NORMED, backbone__dropout=0.3)
    X, y = task
    with untouched(meta):
        first = meta.adapt(X[:9], y[:9])
        second = meta.adapt(X[:9], y[:9], inner_steps=4, inner_lr=0.3)
        found = [m.predict_proba(X) for m in (first, second, first)]
        meta.predict_proba(X)
        meta.score(X, y, groups=np.zeros(len(y)))
    assert_array_equal(found[0], found[2])
    assert (found[0] != found[1]).any()
    again = meta.adapt(X[:9], y[:9])
    assert_array_equal(again.predict_proba(X), found[0])


def test_prototypes_touch_nothing(protonet, data, task, untouched):
    X, y = task
    with untouched(protonet(**NORMED).fit(*data)) as meta:
        first = meta.adapt(X[:9], y[:9]).predict_proba(X)
        meta.predict_proba(X)
        assert_array_equal(meta.adapt(X[:9], y[:9]).predict_proba(X), first)


def test_failed_adapting_touches_nothing(prior, task, untouched):
    X, y = task
    meta = prior(**NORMED)
    broken = X[:9].copy()
    broken[0] = np.nan
    with untouched(meta):
        for bad in (
            lambda: meta.adapt(broken, y[:9]),
            lambda: meta.adapt(X[:9], y[:9], freeze="no.such"),
            lambda: meta.adapt(X[:9], y[:8], norm="frozen"),
        ):
            with pytest.raises(ValueError):  # noqa: PT011  # each says more elsewhere
                bad()


def test_input_arrays_are_left_alone(meta, task):
    X, y = (a.copy() for a in task)
    for a in (X, y):
        a.flags.writeable = False
    model = meta.adapt(X, y)
    model.predict(X)
    assert_array_equal(X, task[0])


def test_threads_may_share_a_prior(prior, blobs):
    meta = prior(**NORMED)
    tasks = [blobs(3, n=6, seed=s) for s in range(6)]
    norms = ["frozen", "transductive"] * 3

    def work(i):
        X, y = tasks[i % 6]
        model = meta.adapt(X[:9], y[:9], norm=norms[i % 6], inner_steps=3)
        return model.predict_proba(X[9:])

    expected = [work(i) for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, list(range(6)) * 4))
    for i, proba in enumerate(found):
        assert_array_equal(proba, expected[i % 6])


# -- an ordinary estimator -----------------------------------------------------------


def test_clone_and_pickle(meta, task):
    X, y = task
    model = meta.adapt(X[:9], y[:9], inner_steps=2)
    expected = model.predict_proba(X)
    copied = clone(model)
    assert not hasattr(copied, "classes_")
    assert copied.prior.estimator is meta
    assert_array_equal(copied.fit(X[:9], y[:9]).predict_proba(X), expected)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), expected)


def test_parameters_set_after_a_fit_wait_for_the_next(prior, task):
    X, y = task
    for params in (NORMED, {**NORMED, "norm": "per-step"}):
        model = prior(**params).adapt(X[:9], y[:9])
        expected = model.predict_proba(X)
        model.set_params(inner_steps=0, norm="transductive", inner_lr=7.0)
        assert_array_equal(model.predict_proba(X), expected)
        again = pickle.loads(pickle.dumps(model))
        assert_array_equal(again.predict_proba(X), expected)


def test_a_prior_that_goes_on_learning_leaves_pickles_alone(maml, data, task):
    X, y = task
    meta = maml().fit(*data)
    model = meta.adapt(X[:9], y[:9])
    frozen = pickle.loads(pickle.dumps(model))
    expected = frozen.predict_proba(X)
    meta.partial_fit(*data)
    assert_array_equal(frozen.predict_proba(X), expected)


def test_kind_of_estimator(meta, regressor, lines):
    assert is_classifier(meta.adapt_estimator)
    assert is_regressor(regressor().fit(*lines()).adapt_estimator)


def test_cross_validation_on_a_new_task(meta, task):
    X, y = task
    cv = StratifiedShuffleSplit(8, train_size=9, random_state=0)
    scores = cross_val_score(meta.adapt_estimator, X, y, cv=cv, error_score="raise")
    by_hand = [meta.adapt(X[a], y[a]).score(X[b], y[b]) for a, b in cv.split(X, y)]
    assert_array_equal(scores, by_hand)
    assert scores.mean() > 0.6


@pytest.mark.parametrize("n_jobs", [None, 2], ids=["alone", "processes"])
def test_grid_search_over_steps(meta, task, n_jobs):
    X, y = task
    search = GridSearchCV(
        meta.adapt_estimator,
        {"inner_steps": [0, 3], "inner_lr": [None, 0.3], "freeze": [(), "backbone.*"]},
        cv=3,
        error_score="raise",
        n_jobs=n_jobs,
    ).fit(X, y)
    tried = [(p["inner_steps"], str(p["freeze"])) for p in search.cv_results_["params"]]
    table = dict(zip(tried, search.cv_results_["mean_test_score"], strict=True))
    assert table[3, "()"] > table[0, "()"]
    assert search.best_estimator_.prior.estimator.classes_.tolist() == list(range(8))


TOOLS = {
    "voting, soft": lambda m: VotingClassifier([("a", m), ("b", m)], voting="soft"),
    "voting, hard": lambda m: VotingClassifier([("a", m), ("b", m)]),
    "calibrated": lambda m: CalibratedClassifierCV(m, cv=2),
    "isotonic": lambda m: CalibratedClassifierCV(m, cv=2, method="isotonic"),
    "bagging": lambda m: BaggingClassifier(m, 3, max_samples=0.9, random_state=0),
    "pipeline": lambda m: make_pipeline("passthrough", m),
}


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("labels", [[7, 8, 9], ["x", "y", "z"]])
def test_tools_of_scikit_learn(meta, nearest, task, name, labels):
    X, y = task[0], np.array(labels)[task[1]]
    for prior in (meta, nearest):
        tool = TOOLS[name](prior.adapt_estimator).fit(X, y)
        assert tool.score(X, y) > 0.6
        assert tool.classes_.tolist() == labels
        assert set(tool.predict(X)) <= set(labels)


def test_a_pipeline_adapts_to_scaled_rows(meta, task):
    X, y = task
    model = make_pipeline(StandardScaler(), meta.adapt_estimator).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    assert_array_equal(
        model.predict_proba(X), meta.adapt(scaled, y).predict_proba(scaled)
    )


# -- classes -------------------------------------------------------------------------

LABELS = [
    [2, 5, 9],
    [-1, 0, 1],
    ["cat", "dog", "emu"],
    [0.0, 1.0, 2.0],
    np.array(["a", "b", "c"], dtype=object),
]


@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_labels_may_be_any(meta, task, labels):
    X, y = task
    named = np.array(labels)[y]
    model = meta.adapt(X[:12], named[:12])
    assert model.classes_.tolist() == list(labels)
    plain = meta.adapt(X[:12], y[:12])
    assert_array_equal(model.predict(X), np.array(labels)[plain.predict(X)])
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    score = model.score(X, named)
    assert score == plain.score(X, y)


@pytest.mark.parametrize("head", ["proto", "zero", "shared"])
@pytest.mark.parametrize("n_way", [1, 2, 5, 7])
def test_other_numbers_of_ways(prior, blobs, head, n_way):
    X, y = blobs(n_way, n=6, seed=3)
    model = prior(head=head).adapt(X, y, inner_steps=50)
    assert model.predict_proba(X).shape == (len(X), n_way)
    assert_allclose(model.predict_proba(X).sum(1), 1)
    assert model.decision_function(X).shape == ((len(X), n_way)[: 1 + (n_way != 2)])
    assert model.score(X, y) > min(0.5, 2 / n_way)


def test_fewer_ways_with_a_learned_head(meta, blobs):
    X, y = blobs(2, n=6, seed=3)
    model = meta.adapt(X, y)
    assert model.predict_proba(X).shape == (12, 2)
    assert_array_equal(model.decision_function(X) > 0, model.predict(X) == 1)


def test_too_many_ways_for_a_learned_head(meta, blobs):
    X, y = blobs(4, n=3, seed=3)
    message = r"4 classes, but head='learned' has scores for 3 only.*n_way.*'proto'"
    with pytest.raises(TaskError, match=message):
        meta.adapt(X, y)


def test_one_class(prior, protonet, data, task):
    X, _ = task
    for meta in (prior(), prior(head="proto"), protonet().fit(*data)):
        model = meta.adapt(X[:3], ["only"] * 3)
        assert set(model.predict(X)) == {"only"}
        assert_array_equal(model.predict_proba(X), np.ones((len(X), 1)))


def test_known_classes_keep_their_scores(maml, blobs):
    """Where classes mean the same in all tasks, a support may lack some of them."""
    X, y = blobs(3, n=24)
    groups = np.arange(len(y)) % 6
    meta = maml(n_shot=1).fit(X, np.array(["a", "b", "c"])[y], groups)
    model = meta.adapt(X[y < 2][:6], np.array(["a", "b"])[y[y < 2][:6]])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.predict_proba(X).shape == (72, 3)
    other = meta.adapt(X[y < 2][:6], np.array(["p", "q"])[y[y < 2][:6]])
    assert other.classes_.tolist() == ["p", "q"]


# -- batch normalisation -------------------------------------------------------------


def test_transductive_rows_see_each_other_and_a_lone_one_the_support(prior, task):
    X, y = task
    model = prior(**NORMED).adapt(X[:9], y[:9])
    together = model.predict_proba(X)
    assert np.abs(model.predict_proba(X[:5]) - together[:5]).max() > 1e-6
    alone = model.predict_proba(X[:1])
    assert np.abs(alone - np.full(3, 1 / 3)).max() > 1e-3
    moved = model.predict_proba(X[:1] + 4.0)
    assert np.abs(moved - alone).max() > 1e-6  # not just normalised away
    joined = model.predict_proba(np.vstack([X[:9], X[:1]]))[9:]
    assert_allclose(alone, joined, atol=1e-9)


@pytest.mark.parametrize(
    "params",
    [
        {"norm": "frozen", **NORMED},
        {"norm": "group", **NORMED},
        {"backbone__norm": "none"},
        {"backbone__norm": "layer"},
    ],
    ids=str,
)
def test_rows_are_independent_without_transduction(prior, task, params):
    X, y = task
    model = prior(**params).adapt(X[:9], y[:9])
    alone = np.vstack([model.predict_proba(row[None]) for row in X])
    assert_allclose(alone, model.predict_proba(X), atol=1e-12)
    assert model._support is None


def test_fixed_statistics_of_a_transductive_prior_are_measured(prior, task, data):
    """norm="frozen" on adapting uses statistics of the training rows, not 0 and 1."""
    meta = prior(**NORMED)
    norm = meta.net_.module_.backbone[1]
    with torch.no_grad():
        x = meta.net_.module_.scale(torch.from_numpy(data[0]))
        z = meta.net_.module_.backbone[0](x)
    assert_allclose(norm.running_mean, z.mean(0), atol=1e-9)
    assert_allclose(norm.running_var, z.var(0), atol=1e-9)
    X, y = task
    model = meta.adapt(X[:9], y[:9], norm="frozen", inner_steps=50)
    assert model.score(X, y) > 0.6
    alone = np.vstack([model.predict_proba(row[None]) for row in X])
    assert_allclose(alone, model.predict_proba(X), atol=1e-12)


def test_per_step_scales_have_no_fixed_statistics(prior, task):
    X, y = task
    meta = prior(**NORMED, norm="per-step")
    with pytest.raises(ValueError, match="norm='frozen' is not possible"):
        meta.adapt(X[:9], y[:9], norm="frozen")
    a, b = (meta.adapt(X[:9], y[:9], norm=n) for n in (None, "transductive"))
    assert_array_equal(a.predict_proba(X), b.predict_proba(X))


# -- overrides -----------------------------------------------------------------------


def test_frozen_weights_stay(meta, task):
    X, y = task
    prior = meta.net_.module_
    start = {k: v.detach().numpy() for k, v in prior.named_parameters()}
    for freeze in ("backbone.*", ["backbone.0.weight", "head.bias"]):
        model = meta.adapt(X[:9], y[:9], freeze=freeze, inner_steps=3)
        patterns = [freeze] if isinstance(freeze, str) else freeze
        for name, w in model._weights.items():
            kept = any(name == p or name.startswith(p.rstrip("*")) for p in patterns)
            assert np.array_equal(w, start[name]) == kept, name
    everything = meta.adapt(X[:9], y[:9], freeze="*", inner_steps=3)
    nothing = meta.adapt(X[:9], y[:9], inner_steps=0)
    assert_array_equal(everything.predict_proba(X), nothing.predict_proba(X))


@pytest.mark.parametrize("freeze", ["bakbone.*", ["backbone.*", "hed.bias"]])
def test_a_pattern_without_a_match(meta, task, freeze):
    with pytest.raises(ValueError, match=r"matches no parameter.*backbone.0.weight"):
        meta.adapt(task[0][:9], task[1][:9], freeze=freeze)


def test_a_head_without_weights_of_its_own_can_be_frozen(prior, task):
    X, y = task
    model = prior(head="proto").adapt(X[:9], y[:9], freeze="head.*", inner_steps=3)
    assert model.score(X, y) > 0.6


def test_step_size_and_number(meta, task):
    X, y = task
    losses = [meta.adapt(X, y, inner_steps=k).support_loss_ for k in (0, 1, 5, 20)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    slow, fast = (meta.adapt(X, y, inner_lr=r).support_loss_ for r in (1e-4, 0.1))
    assert fast < slow
    same = meta.adapt(X, y, inner_lr=0.1, inner_steps=3).predict_proba(X)
    assert_array_equal(meta.adapt(X, y).predict_proba(X), same)


def test_steps_of_evaluation(maml, data, task):
    meta = maml(inner_steps=1, inner_steps_eval=6).fit(*data)
    X, y = task
    expected = meta.adapt(X, y, inner_steps=6).predict_proba(X)
    assert_array_equal(meta.adapt(X, y).predict_proba(X), expected)


@pytest.mark.parametrize("rate", [1e3, 1e12, 1e30])
def test_a_huge_step_size_never_spoils_a_model(meta, task, rate):
    X, y = task
    model = meta.adapt(X, y, inner_lr=rate, inner_steps=50)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.support_loss_ <= meta.adapt(X, y, inner_steps=0).support_loss_


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        ({"inner_steps": -1}, ValueError, "'inner_steps' parameter"),
        ({"inner_steps": 1.5}, ValueError, "'inner_steps' parameter"),
        ({"inner_lr": 0}, ValueError, "'inner_lr' parameter"),
        ({"norm": "group"}, ValueError, "'norm' parameter"),
        ({"freeze": [3]}, TypeError, "freeze must be a pattern"),
        ({"steps": 3}, ValueError, "Invalid parameter 'steps'"),
    ],
)
def test_bad_overrides(meta, task, overrides, error, message):
    with pytest.raises(error, match=message):
        meta.adapt(task[0][:9], task[1][:9], **overrides)


# -- bad input -----------------------------------------------------------------------


def test_bad_supports(meta, regressor, lines, task):
    X, y = task
    with pytest.raises(ValueError, match="inconsistent numbers of samples: 9 and 8"):
        meta.adapt(X[:9], y[:8])
    with pytest.raises(ValueError, match=r"samples of shape \(3,\)"):
        meta.adapt(X[:9, :3], y[:9])
    with pytest.raises(ValueError, match=r"samples of shape \(1, 4\)"):
        meta.adapt(X[:9, None], y[:9])
    with pytest.raises(ValueError, match="requires y to be passed"):
        meta.adapt(X[:9], None)
    with pytest.raises(ValueError, match="Unknown label type"):
        meta.adapt(X[:9], X[:9, 0])
    with pytest.raises(ValueError, match="0 sample"):
        meta.adapt(X[:0], y[:0])
    with pytest.raises(ValueError, match="contains NaN"):
        meta.adapt(X[:9], np.r_[np.nan, y[1:9]])
    model = meta.adapt(X[:9], y[:9])
    with pytest.raises(ValueError, match="3 features"):
        model.predict(X[:, :3])
    X, y, groups = lines()
    meta = regressor().fit(X, y, groups)
    with pytest.raises(ValueError, match="y has 2 dimensions"):
        meta.adapt(X[:5], np.c_[y, y][:5])


def test_only_a_meta_learner_can_be_a_prior(meta, protonet, regressor, lines, data):
    X, y = data
    other = regressor().fit(*lines())
    for prior in (LogisticRegression().fit(X, y), protonet().fit(X, y), other):
        with pytest.raises(TypeError, match="MAMLEstimator for classification"):
            AdaptedClassifier(FrozenEstimator(prior)).fit(X, y)
    with pytest.raises(TypeError, match="MAMLEstimator for regression"):
        AdaptedRegressor(meta).fit(X, y)
    with pytest.raises(TypeError, match="fitted ProtoNetClassifier"):
        PrototypeClassifier(meta).fit(X, y)


def test_not_fitted(maml, protonet, data, task):
    for make in (maml, protonet):
        with pytest.raises(NotFittedError):
            make().adapt(*task)
        with pytest.raises(NotFittedError):
            make().adapt_estimator.fit(*task)
        with pytest.raises(NotFittedError):
            make().fit(*data).adapt_estimator.predict(task[0])


# -- containers, types ---------------------------------------------------------------


def test_containers(prior, protonet, data, task):
    X, y = task
    for meta in (prior(), protonet().fit(*data)):
        expected = meta.adapt(X[:9], y[:9]).predict_proba(X)
        for wrap in (np.asfortranarray, np.ndarray.tolist, torch.from_numpy):
            model = meta.adapt(wrap(X[:9]), wrap(y[:9]))
            assert_allclose(model.predict_proba(wrap(X)), expected, atol=1e-12)
        index = np.arange(9)[::-1]
        model = meta.adapt(X[:9], pd.Series(y[:9], index=index))
        assert_array_equal(model.predict_proba(X), expected)


def test_frames(maml, data, task):
    names = list("abcd")
    meta = maml().fit(pd.DataFrame(data[0], columns=names), data[1])
    frame = pd.DataFrame(task[0], columns=names)
    model = meta.adapt(frame[:9], task[1][:9])
    assert model.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("bacd")])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_precision_follows_the_prior(maml, protonet, data, task, dtype, norm):
    X, y = data[0].astype(dtype), data[1]
    for make in (maml, protonet):
        meta = make(backbone__norm=norm).fit(X, y)
        first = next(meta.net_.module_.parameters())
        assert str(first.dtype) == f"torch.{np.dtype(dtype)}"
        model = meta.adapt(task[0][:9].astype(np.float32), task[1][:9])
        assert model.decision_function(task[0]).dtype == dtype
        assert meta.decision_function(X).dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_can_be_given(maml, data, task, dtype):
    meta = maml(dtype=dtype, device="cpu").fit(*data)
    assert meta.device_ == "cpu"
    assert meta._recipe.dtype == dtype
    model = meta.adapt(task[0][:9], task[1][:9])
    assert str(model._weights["head.bias"].dtype) == dtype


@pytest.mark.parametrize("norm", POLICIES)
def test_images(maml, blobs, norm):
    X, y = blobs(5, n=8, shape=(1, 8, 8))
    backbone = {"backbone": "conv", "backbone__channels": (3, 4)}
    meta = maml(norm=norm, **backbone).fit(X.astype(np.float32), y)
    few = np.concatenate([np.flatnonzero(y == c)[:3] for c in (0, 1, 2)])
    model = meta.adapt(X[few], y[few])
    assert model.predict(X).shape == (40,)
    assert model.predict(X[:1]).shape == (1,)
    assert np.isfinite(meta.predict_proba(X)).all()
    plain = maml(norm=norm, **backbone).fit(X[:, 0], y)
    assert plain.adapt(X[few, 0], y[few]).predict(X[:, 0]).shape == (40,)
    with pytest.raises(ValueError, match=r"samples of shape \(8, 8\)"):
        meta.adapt(X[few, 0], y[few])


# -- regression ----------------------------------------------------------------------


def test_regression_in_the_unit_of_the_targets(regressor, lines):
    X, y, groups = lines()
    big = 1e4 * y - 3e5
    a = regressor(max_epochs=5).fit(X, y, groups)
    b = regressor(max_epochs=5).fit(X, big, groups)
    rows = groups == 0
    support, rest = np.flatnonzero(rows)[:5], np.flatnonzero(rows)[5:]
    found = [
        meta.adapt(X[support], z[support]).predict(X[rest])
        for meta, z in ((a, y), (b, big))
    ]
    assert_allclose(1e4 * found[0] - 3e5, found[1], rtol=1e-6)
    assert a.adapt(X[support], y[support]).support_loss_ >= 0


@pytest.mark.parametrize("columns", [1, 2])
def test_several_outputs(regressor, lines, columns):
    X, y, groups = lines()
    Y = np.c_[y, 100 - 50 * y][:, :columns]
    meta = regressor().fit(X, Y, groups)
    model = meta.adapt(X[:5], Y[:5])
    assert model.predict(X).shape == Y.shape
    assert meta.predict(X).shape == Y.shape
    assert np.isfinite(meta.score(X, Y, groups=groups))
    with pytest.raises(ValueError, match="y has 1 dimension"):
        meta.adapt(X[:5], y[:5])


@pytest.mark.parametrize("loss", ["mse", "huber", "smooth-l1", "quantile"])
def test_losses_by_name(regressor, lines, loss):
    X, y, groups = lines()
    meta = regressor(loss=loss).fit(X, y, groups)
    assert np.isfinite(meta.adapt(X[:5], y[:5]).predict(X)).all()


@pytest.mark.parametrize("n_targets", [1, 2])
def test_several_quantiles(regressor, lines, n_targets):
    X, y, groups = lines()
    Y = y if n_targets == 1 else np.c_[y, -y]
    meta = regressor(loss="quantile", loss__q=(0.1, 0.5, 0.9))
    meta.fit(X, Y, groups)
    assert meta._recipe.n_outputs == 3 * n_targets
    found = meta.adapt(X[:6], Y[:6], inner_steps=5).predict(X)
    assert found.shape == Y.shape
    assert np.isfinite(found).all()
