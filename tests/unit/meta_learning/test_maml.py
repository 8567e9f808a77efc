"""Training of meta-learners: all choices, repeatability, going on, failing."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from skorch.callbacks import Callback
from torch import nn

from mlmi_sklearn import MAMLClassifier, MAMLEstimator, MAMLRegressor
from mlmi_sklearn.exceptions import (
    FitInterruptedWarning,
    TaskError,
    TrainingDivergedError,
)
from mlmi_sklearn.meta_learning.net import EpisodeNet
from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.nn.tasks import MetaMethod, TaskNorm

METHODS = ["maml", "fomaml", "anil", "boil", "reptile", "meta-sgd"]
HEADS = ["learned", "zero", "proto", "shared"]
NORMS = ["transductive", "frozen", "per-step", "group"]
RATES = [0.1, "learn", "learn-per-step"]
NORMED = {"backbone__norm": "batch"}
WILD = {
    "lr": 1e30,
    "optimizer": "sgd",
    "lr_schedule": "constant",
    "max_grad_norm": None,
    "inner_max_norm": None,
    "max_epochs": 10,
}


@pytest.fixture(scope="module")
def data(blobs):
    return blobs()


@pytest.fixture(scope="module")
def tasks(lines):
    return lines()


def weights(model):
    return model.meta_params_


def same(a, b):
    assert a.keys() == b.keys()
    return all(np.array_equal(a[k], b[k]) for k in a)


def finite(model):
    return all(np.isfinite(v).all() for v in model.meta_params_.values())


# -- every choice --------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("norm", NORMS)
def test_every_choice_of_a_classifier(maml, data, method, head, norm):
    X, y = data
    model = maml(method=method, head=head, norm=norm, max_epochs=1, **NORMED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y)
        adapted = model.adapt(X[y > 5], y[y > 5])
        assert np.isfinite(adapted.predict_proba(X)).all()
        assert_allclose(model.predict_proba(X).sum(1), 1)
    assert finite(model)
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rate", RATES)
def test_every_choice_of_a_regressor(regressor, tasks, method, rate):
    X, y, groups = tasks
    model = regressor(method=method, inner_lr=rate).fit(X, y, groups)
    assert np.isfinite(model.adapt(X[:5], y[:5]).predict(X)).all()
    assert np.isfinite(model.score(X, y, groups=groups))
    learned = [k for k in weights(model) if k.startswith("step_sizes")]
    # What moves towards adapted weights has no gradient of step sizes.
    asked = rate != 0.1 and method != "reptile"
    assert bool(learned) == (asked or method == "meta-sgd")


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_base_is_the_same_model(maml, regressor, data, tasks, kind):
    fixed = maml() if kind == "classification" else regressor()
    given = data if kind == "classification" else tasks
    params = fixed.get_params(deep=False)
    base = MAMLEstimator(kind, **params)
    assert same(weights(base.fit(*given)), weights(fixed.fit(*given)))
    assert is_classifier(base) == (kind == "classification")
    assert is_regressor(base) == (kind == "regression")
    assert hasattr(base, "predict_proba") == (kind == "classification")
    assert get_tags(base).estimator_type == fixed.__sklearn_tags__().estimator_type


def test_learned_rates_move_and_are_used(regressor, tasks):
    X, y, groups = tasks
    for kind, shape in (("learn", ()), ("learn-per-step", (3,))):
        model = regressor(inner_lr=kind, inner_lr_start=0.05, max_epochs=10)
        sizes = weights(model.fit(X, y, groups))
        sizes = {k: v for k, v in sizes.items() if k.startswith("step_sizes")}
        assert {v.shape for v in sizes.values()} == {shape}
        assert all((v != 0.05).all() for v in sizes.values())
        learned = model.adapt(X[:5], y[:5]).predict(X)
        given = model.adapt(X[:5], y[:5], inner_lr=0.05).predict(X)
        assert np.abs(learned - given).max() > 1e-9


def test_anil_and_boil_adapt_what_they_say(maml, data):
    X, y = data
    for method, moves in (("anil", "head."), ("boil", "backbone.")):
        model = maml(method=method).fit(X, y)
        adapted = model.adapt(X[y < 3], y[y < 3])
        start = weights(model)
        for name, w in adapted._weights.items():
            assert np.array_equal(w, start[name]) != name.startswith(moves), name


class BiasesOnly(MetaMethod):
    def changes(self, name):
        return name.endswith("bias")


def test_a_method_of_ones_own(maml, data):
    X, y = data
    for method in (BiasesOnly(), BiasesOnly):
        model = maml(method=method).fit(X, y)
        adapted = model.adapt(X[y < 3], y[y < 3])
        start = weights(model)
        for name, w in adapted._weights.items():
            assert np.array_equal(w, start[name]) != name.endswith("bias")
        clone(pickle.loads(pickle.dumps(model)))
    with pytest.raises(TypeError, match="made a dict, not a"):
        maml(method=dict).fit(X, y)


def test_a_module_as_backbone(maml, data):
    X, y = data
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU())
    before = {k: v.clone() for k, v in net.state_dict().items()}
    model = maml(backbone=net).fit(X, y)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert isinstance(net[1], nn.BatchNorm1d)
    assert any(isinstance(m, TaskNorm) for m in model.net_.module_.modules())
    made = maml(backbone=lambda shape: MLP(shape, hidden=5)).fit(X, y)
    assert made.adapt(X[:4], [0, 1, 0, 1]).predict(X).shape == y.shape


def test_a_recurrent_backbone_goes_task_by_task(maml, blobs):
    class Recurrent(nn.Module):
        def __init__(self, shape):
            super().__init__()
            self.rnn = nn.GRU(shape[1], 4, batch_first=True)
            self.out_features = 4

        def forward(self, x):
            return self.rnn(x)[0][:, -1]

    X, y = blobs(5, n=6, shape=(3, 2))
    model = maml(backbone=Recurrent, max_epochs=1).fit(X, y)
    assert finite(model)
    assert model.adapt(X[:4], [0, 1, 0, 1]).predict(X).shape == y.shape


@pytest.mark.parametrize("loss", ["cross-entropy", "focal", "bce", "hinge"])
def test_losses_of_classes(maml, data, loss):
    X, y = data
    model = maml(loss=loss).fit(X, y)
    adapted = model.adapt(X[y < 3], y[y < 3], inner_steps=30)
    assert adapted.score(X[y < 3], y[y < 3]) > 0.5
    assert hasattr(adapted, "predict_proba") == (loss != "hinge")
    if loss != "hinge":
        assert_allclose(adapted.predict_proba(X).sum(1), 1)


def test_a_loss_for_something_else(maml, regressor, data, tasks):
    with pytest.raises(ValueError, match="not a classification loss"):
        maml(loss="mse").fit(*data)
    with pytest.raises(ValueError, match="not a regression loss"):
        regressor(loss="cross-entropy").fit(*tasks)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"method": "mamml"}, "Did you mean 'maml'"),
        ({"head": "prototype"}, "'head' parameter"),
        ({"norm": "batch"}, "'norm' parameter"),
        ({"inner_lr": -1.0}, "'inner_lr' parameter"),
        ({"inner_lr": "learned"}, "'inner_lr' parameter"),
        ({"inner_steps": -1}, "'inner_steps' parameter"),
        ({"n_way": 1}, "'n_way' parameter"),
        ({"n_shot": 0}, "'n_shot' parameter"),
        ({"n_query": 0}, "'n_query' parameter"),
        ({"episodes": "tasks"}, "'episodes' parameter"),
        ({"task": 1.5}, "'task' parameter"),
        ({"meta_batch_size": 0}, "'meta_batch_size' parameter"),
        ({"task_chunk_size": "all"}, "'task_chunk_size' parameter"),
        ({"device": "gpu"}, "device"),
    ],
    ids=str,
)
def test_bad_parameters(maml, data, params, message):
    model = maml(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(*data)
    assert not hasattr(model, "net_")


# -- chance --------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3, 8])
@pytest.mark.parametrize("params", [{}, {"backbone__dropout": 0.5}], ids=str)
def test_the_seed_is_all_that_counts(maml, data, params, n_classes):
    X, y = (a[data[1] < n_classes] for a in data)
    torch.manual_seed(1)
    np.random.seed(1)  # the global generator is the point
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = maml(**params).fit(X, y)
    assert torch.equal(states[0], torch.get_rng_state())
    assert_array_equal(states[1], np.random.get_state()[1])
    torch.manual_seed(2)
    np.random.seed(2)
    second = maml(**params).fit(X, y)
    assert same(weights(first), weights(second))
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert_array_equal(first.predict_proba(X), first.predict_proba(X))
    other = maml(**params, random_state=1).fit(X, y)
    assert not same(weights(first), weights(other))


def test_a_shared_generator_gives_other_fits(maml, data):
    rng = np.random.RandomState(0)  # what scikit-learn takes
    first = weights(maml(random_state=rng).fit(*data))
    assert not same(first, weights(maml(random_state=rng).fit(*data)))


@pytest.mark.parametrize("size", [1, 3, "auto"])
def test_chunks_only_cost_time(maml, tasks, regressor, data, size):
    for make, given in ((maml, data), (regressor, tasks)):
        expected = weights(make(task_chunk_size=100).fit(*given))
        found = weights(make(task_chunk_size=size).fit(*given))
        for name, value in expected.items():
            assert_allclose(found[name], value, atol=1e-9, err_msg=name)


# -- ragged tasks --------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_ragged_tasks(regressor, norm):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(8), [1, 2, 3, 30, 7, 1, 5, 12])
    X = rng.normal(size=(len(groups), 3))
    model = regressor(backbone__norm=norm, max_epochs=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, X[:, 0] * (groups % 3), groups)
    assert model.n_tasks_ == 8
    assert finite(model)
    assert np.isfinite(model.loss_curve_).all()


def test_tasks_that_teach_nothing_change_nothing(regressor, maml, tasks, blobs):
    X, y, groups = tasks
    alone = np.r_[groups, [100, 101]]  # two tasks of one row
    more = regressor(max_epochs=3).fit(np.r_[X, X[:2]], np.r_[y, y[:2]], alone)
    assert more.n_tasks_ == 14
    assert np.isfinite(more.loss_curve_).all()
    assert min(more.loss_curve_) > 0
    X, y = blobs(4, n=12)
    groups = np.where(y == 3, 1, 0)  # a task of one class, where classes are local
    model = maml(head="proto", episodes="groups").fit(X, y, groups)
    assert [e for e in model.loss_curve_ if e == 0] == []
    with pytest.raises(TaskError, match=r"No task can be learned from.*n_samples = 48"):
        maml(head="proto", episodes="groups").fit(X, y, y)


def test_no_task_has_two_rows(regressor, tasks):
    X, y, _ = tasks
    with pytest.raises(TaskError, match=r"No task can be learned from.*fewer tasks"):
        regressor().fit(X, y, np.arange(len(y)))


@pytest.mark.parametrize("head", HEADS)
def test_fewer_classes_than_ways(maml, blobs, head):
    X, y = blobs(3)
    for episodes in ("auto", "classes"):
        model = maml(n_way=20, head=head, episodes=episodes).fit(X, y)
        adapted = model.adapt(X[:12], y[:12])
        assert adapted.predict_proba(X).shape == (36, 3)


def test_groups_with_other_classes_each(maml, blobs):
    X, y = blobs(9, n=8)
    groups = y // 3
    for head in HEADS:
        model = maml(head=head, episodes="groups").fit(X, y, groups)
        assert model.n_tasks_ == 3
        assert np.isfinite(model.score(X, y, groups=groups))


def test_what_an_episode_is(maml, regressor, data, tasks, blobs):
    X, y = data
    assert maml().fit(X, y)._episodes.mode == "classes"
    assert maml(n_way=20).fit(X, y)._episodes.mode == "pool"
    groups = np.arange(len(y)) % 4
    assert maml().fit(X, y, groups)._episodes.mode == "groups"
    assert maml(episodes="classes").fit(X, y, groups)._episodes.mode == "classes"
    assert regressor().fit(*tasks)._episodes.mode == "groups"
    assert regressor().fit(*tasks[:2])._episodes.mode == "pool"


# -- scores --------------------------------------------------------------------------


def test_scores(maml, regressor, data, tasks):
    X, y = data
    model = maml(n_way=8, n_shot=2, max_epochs=10, episodes_per_epoch=40).fit(X, y)
    assert model.score(X, y) == np.mean(model.predict(X) == y)
    groups = np.arange(len(y)) % 3
    found = model.score(X, y, groups=groups)
    assert found == model.score(X, y, groups=groups)
    assert found > 1 / 8
    weight = np.random.default_rng(0).random(len(y))
    assert model.score(X, y, sample_weight=weight, groups=groups) != found
    ones = np.ones(len(y))
    assert model.score(X, y, sample_weight=ones, groups=groups) == pytest.approx(found)
    X, y, groups = tasks
    model = regressor().fit(X, y, groups)
    each = [
        model.score(X[groups == g], y[groups == g], groups=groups[groups == g])
        for g in np.unique(groups)
    ]
    assert np.isfinite(each).all()
    assert np.isfinite(model.score(X, y))


def test_a_task_too_small_to_be_judged(regressor, maml, tasks, data):
    X, y, groups = tasks
    model = regressor(n_shot=7).fit(X, y, groups)
    with pytest.raises(TaskError, match=r"8 rows.*n_shot=7.*leaves 1.*2 are needed"):
        model.score(X, y, groups=groups)
    X, y = (a[data[1] < 3] for a in data)
    model = maml().fit(X, y)
    groups = np.r_[np.zeros(36, int), 96]
    with pytest.raises(TaskError, match=r"Task 96 has 1 rows.*leaves 0"):
        model.score(np.r_[X, X[:1]], np.r_[y, 0], groups=groups)


# -- going on ------------------------------------------------------------------------


def test_partial_fit_is_fit_in_parts(maml, data):
    whole = maml(max_epochs=3, lr_schedule="constant").fit(*data)
    parts = maml(max_epochs=3, lr_schedule="constant")
    for _ in range(3):
        parts.partial_fit(*data)
    assert parts.n_iter_ == whole.n_iter_ == 3
    assert parts.history_["epoch"].tolist() == [1, 2, 3]
    before = weights(parts)
    parts.partial_fit(*data)
    assert not same(before, weights(parts))


@pytest.mark.parametrize("head", HEADS)
def test_new_classes_in_partial_fit(maml, data, head):
    """Numbered anew in every episode, classes may be any."""
    X, y = data
    names = np.array(list("hgfedcba"))[y]
    model = maml(head=head).partial_fit(X[y < 4], names[y < 4])
    assert model.classes_.tolist() == list("efgh")
    model.partial_fit(X, names)
    assert model.classes_.tolist() == list("abcdefgh")
    assert model.predict_proba(X).shape == (96, 8)
    # Rows of some classes only, as streams have them.
    model.partial_fit(X[y > 5], names[y > 5])
    assert model.classes_.tolist() == list("abcdefgh")
    proba = model.predict_proba(X)
    assert proba.shape == (96, 8)
    assert np.isfinite(proba).all()
    assert model.adapt(X[y < 3], names[y < 3]).classes_.tolist() == list("fgh")


def test_announced_classes(maml, data):
    X, y = data
    model = maml(episodes="classes")
    model.partial_fit(X[y < 3], y[y < 3], classes=np.arange(8))
    assert model.predict_proba(X).shape == (96, 8)
    model.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"classes=\[0, 9\] is not the same"):
        model.partial_fit(X, y, classes=[0, 9])
    first = maml(n_way=10).partial_fit(X[y < 2], y[y < 2], classes=range(8))
    assert first.predict_proba(X).shape == (96, 8)
    assert first.partial_fit(X, y).classes_.tolist() == list(range(8))


def test_new_classes_where_scores_have_a_meaning(maml, data):
    X, y = data
    model = maml(n_way=10).fit(X[y < 3], y[y < 3])
    before = weights(model)
    with pytest.raises(ValueError, match=r"knows only classes \[0, 1, 2\].*'proto'"):
        model.partial_fit(X, y)
    assert same(before, weights(model))
    assert model.classes_.tolist() == [0, 1, 2]


def test_a_pool_of_few_classes_may_grow(maml, protonet, data):
    X, y = data
    for make in (maml, protonet):
        model = make(head="proto") if make is maml else make()
        model.partial_fit(X[y < 3], y[y < 3])
        model.partial_fit(X, y)
        assert model.predict_proba(X).shape == (96, 8)


def test_a_learned_head_keeps_its_ways(maml, data):
    X, y = data
    model = maml(n_way=5, episodes="classes").fit(X[y < 3], y[y < 3])
    model.partial_fit(X, y)
    assert model.meta_params_["head.bias"].shape == (3,)
    assert model.adapt(X[y < 3], y[y < 3]).predict_proba(X).shape == (96, 3)


def test_warm_start(maml, data, tasks, regressor):
    X, y = data
    model = maml(warm_start=True).fit(X, y)
    first = weights(model)
    model.fit(X[y < 4], y[y < 4])
    assert model.n_iter_ == 4
    assert model.classes_.tolist() == list(range(8))
    assert model.predict_proba(X).shape == (96, 8)
    assert not same(first, weights(model))
    model.set_params(head="zero")
    with pytest.raises(ValueError, match="head changed since"):
        model.fit(X, y)
    X, y, groups = tasks
    model = regressor(warm_start=True).fit(X, y, groups)
    unit = model.y_mean_, model.y_scale_
    model.fit(X, 100 * y, groups)
    assert (model.y_mean_, model.y_scale_) == unit


@pytest.mark.parametrize("mode", ["groups", "classes", "pool", "few"])
def test_early_stopping(maml, data, mode):
    X, y = data
    groups = np.arange(len(y)) % 12 if mode == "groups" else None
    if mode == "few":
        X, y = X[y < 3], y[y < 3]
    n_way = {"pool": 20, "few": 2}.get(mode, 3)
    model = maml(
        early_stopping=True, max_epochs=30, n_iter_no_change=2, tol=1.0, n_way=n_way
    ).fit(X, y, groups)
    assert model._episodes.mode == mode.replace("few", "classes")
    assert model.n_iter_ < 30
    assert np.isfinite(model.history_["valid_loss"]).all()


def test_classes_set_aside_are_a_task(maml, blobs):
    """One class alone would be judged by a score that says nothing."""
    X, y = blobs(10, n=8)
    model = maml(early_stopping=True, max_epochs=1, lr=1e-9).fit(X, y)
    # Chance, for two ways that an untrained net hardly tells apart; not that of one.
    n_valid = 2
    rows = []

    class Watch(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            train, valid = X, net.train_split(X)[1]
            rows.extend(len(np.unique(d.targets.y)) for d in (train, valid))

    maml(early_stopping=True, max_epochs=1, callbacks=[Watch()]).fit(X, y)
    assert rows == [10 - n_valid, n_valid]
    assert model.history_["valid_loss"].notna().all()


# -- what goes wrong -----------------------------------------------------------------


def test_a_diverged_first_fit_leaves_nothing_to_predict_with(regressor, tasks):
    X, y, groups = tasks
    model = regressor(**WILD)
    with pytest.raises(TrainingDivergedError, match="in epoch 1, step"):
        model.fit(X, y, groups)
    for method in (model.predict, lambda X: model.adapt(X[:3], y[:3])):
        with pytest.raises(NotFittedError):
            method(X)
    again = pickle.loads(pickle.dumps(model))
    params = regressor().get_params(deep=False)
    for broken in (model, again):
        broken.set_params(**params).fit(X, y, groups)
        assert same(weights(broken), weights(regressor().fit(X, y, groups)))


def test_a_diverged_second_fit_changes_nothing(regressor, tasks):
    X, y, groups = tasks
    model = regressor().fit(X, y, groups)
    before, expected = weights(model), model.predict(X)
    with pytest.raises(TrainingDivergedError):
        model.set_params(**WILD).fit(X, y, groups)
    assert same(before, weights(model))
    assert_array_equal(model.predict(X), expected)


class Stop(Callback):
    """Fails in the second epoch."""

    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise self.error


def test_an_interrupted_fit_keeps_what_it_has(maml, data, monkeypatch):
    X, y = data
    step, done = EpisodeNet._summed, []

    def impatient(net, parts):
        done.append(parts)
        if len(done) == 3:
            raise KeyboardInterrupt
        return step(net, parts)

    monkeypatch.setattr(EpisodeNet, "_summed", impatient)
    model = maml(max_epochs=9)
    with pytest.warns(FitInterruptedWarning, match="in epoch 2 of 9"):
        model.fit(X, y)
    assert model.n_iter_ <= 2
    assert finite(model)
    assert model.adapt(X[y < 3], y[y < 3]).predict(X).shape == y.shape


def test_a_failed_fit_changes_nothing(maml, data):
    X, y = data
    model = maml(callbacks=[Stop(RuntimeError("no power"))])
    with pytest.raises(RuntimeError, match="no power"):
        model.fit(X, y)
    assert not hasattr(model, "net_")
    assert not hasattr(model, "n_features_in_")
    model.set_params(callbacks=None).fit(X, y)
    before = weights(model)
    for bad in (
        lambda: model.set_params(callbacks=[Stop(RuntimeError())]).fit(X[:, :3], y),
        lambda: model.set_params(callbacks=None).fit(X, y[1:]),
        lambda: model.fit(np.full_like(X, np.nan), y),
        lambda: model.fit(X, np.zeros_like(y)),
    ):
        with pytest.raises((ValueError, RuntimeError)):
            bad()
        assert same(before, weights(model))
        assert model.n_features_in_ == 4


@pytest.mark.parametrize("rate", [0.02, 0.05, 10.0])
@pytest.mark.parametrize("longest", [10.0, None])
def test_badly_scaled_data_never_gives_nan(rate, longest):
    """Columns from 1e-6 to 1e8 with outliers, as voice measures have them."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 20)
    X = rng.standard_cauchy((240, 10)) * 10.0 ** np.linspace(-6, 8, 10)
    y = 20 + 8 * rng.normal(size=12)[groups] + rng.standard_cauchy(240)
    model = MAMLRegressor(
        inner_lr=rate, inner_max_norm=longest, inner_steps=5, max_epochs=5,
        finetune_steps=5, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # tasks that are left out
        try:
            model.fit(X, y, groups)
        except TrainingDivergedError:
            assert longest is None
            return
    assert finite(model)
    assert np.isfinite(model.predict(X)).all()
    for k in (1, 5, 20):
        for steps in (0, 1, 50):
            adapted = model.adapt(X[:k], y[:k], inner_steps=steps)
            assert np.isfinite(adapted.predict(X)).all()


def test_tasks_whose_gradient_is_not_finite_are_left_out_and_told_of(regressor, tasks):
    X, y, groups = tasks
    X = X.copy()
    X[groups == 0] *= 1e145
    model = regressor(inner_max_norm=None, inner_steps=5, inner_lr=1e4, max_epochs=1)
    with pytest.warns(RuntimeWarning, match=r"of 4 tasks in a step was not finite"):
        model.fit(X, y, groups)
    assert finite(model)


# -- the rest ------------------------------------------------------------------------


def test_pickles(maml, regressor, data, tasks):
    X, y = data
    for params in ({}, NORMED, {"inner_lr": "learn-per-step", "method": "maml"}):
        for norm in NORMS:
            model = maml(norm=norm, **params, max_epochs=1).fit(X, y)
            expected = model.predict_proba(X), model.adapt(X[:3], y[:3]).predict(X)
            model.set_params(head="zero", n_way=7, inner_steps=9, task=3)
            again = pickle.loads(pickle.dumps(model)).set_params(
                inner_steps=3, task=None
            )
            assert_array_equal(again.predict_proba(X), expected[0])
            assert_array_equal(again.adapt(X[:3], y[:3]).predict(X), expected[1])
            assert same(weights(again), weights(model))
    model = regressor().fit(*tasks)
    assert_array_equal(
        pickle.loads(pickle.dumps(model)).predict(tasks[0]), model.predict(tasks[0])
    )


def test_a_loaded_model_goes_on(maml, data):
    a = maml(warm_start=True).fit(*data)
    b = pickle.loads(pickle.dumps(a))
    assert same(weights(a.fit(*data)), weights(b.fit(*data)))
    assert b.n_iter_ == 4


def test_callbacks_and_progress(maml, data, capsys):
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.history[-1, "train_loss"])

    model = maml(callbacks=[Watch()], verbose=1).fit(*data)
    assert seen == model.loss_curve_
    captured = capsys.readouterr()
    assert "loss" in captured.out + captured.err
    maml(verbose=0).fit(*data)
    assert capsys.readouterr() == ("", "")


def test_one_epoch_visits_every_task_once(regressor, tasks):
    X, y, groups = tasks
    seen = []

    class Watch(Callback):
        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            seen.append(len(batch[0]))

    regressor(max_epochs=1, callbacks=[Watch()], meta_batch_size=5).fit(X, y, groups)
    assert seen == [5, 5, 2]


def test_meta_params_are_copies(maml, data):
    model = maml().fit(*data)
    found = weights(model)
    found["head.bias"][:] = 9
    assert (weights(model)["head.bias"] != 9).all()
    with pytest.raises(AttributeError, match="not fitted"):
        _ = maml().meta_params_


def test_finetuning_begins_at_the_prior(maml, regressor, tasks, blobs):
    """finetune_steps=0: predict by the meta-learned weights themselves."""
    X, y, groups = tasks
    model = regressor(finetune_steps=0).fit(X, y, groups)
    with torch.no_grad():
        module = model.net_.module_
        raw = module(module.scale(torch.from_numpy(X)))[:, 0].numpy()
    assert_allclose(model.predict(X), raw * model.y_scale_ + model.y_mean_)
    X, y = blobs(3, n=16)
    for norm in NORMS:  # statistics are measured, not 0 and 1
        model = maml(
            n_way=3, finetune_steps=0, norm=norm, max_epochs=20, episodes_per_epoch=20,
            lr=0.01, inner_steps=1, inner_lr=0.01, **NORMED,
        ).fit(50 * X, y)  # fmt: skip
        assert model.score(50 * X, y) > 0.6


def test_learning_from_tasks_helps(regressor, lines):
    """A few rows of a new line are worth more after many lines."""
    X, y, groups = lines(n_tasks=60, n=20)
    model = regressor(max_epochs=60, n_shot=5, n_query=10, lr=1e-2, inner_lr=0.1)
    model.fit(X[groups < 50], y[groups < 50], groups[groups < 50])
    fresh = clone(model).set_params(lr=1e-9, max_epochs=1)
    fresh.fit(X[groups < 50], y[groups < 50], groups[groups < 50])

    def error(meta):
        found = []
        for g in range(50, 60):
            x, z = X[groups == g], y[groups == g]
            found.append(meta.adapt(x[:5], z[:5]).predict(x[5:]) - z[5:])
        return np.mean(np.square(found))

    assert error(model) < 0.7 * error(fresh)


def test_defaults_of_the_two_kinds():
    a, b = MAMLClassifier().get_params(), MAMLRegressor().get_params()
    assert set(a) - set(b) == {"n_way"}
    assert set(MAMLEstimator().get_params()) - set(a) == {"kind"}
    shared = [k for k in b if k in a]
    assert {k: a[k] for k in shared} == {k: b[k] for k in shared}
