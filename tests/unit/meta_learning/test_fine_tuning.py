"""Fine-tuning: what is taken over, what is trained, and what stays as it is."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from mlmi_sklearn import NetClassifier, NetRegressor
from mlmi_sklearn.meta_learning.fine_tuning import (
    FineTuneClassifier,
    FineTuneRegressor,
)
from mlmi_sklearn.nn.backbones import MLP, Conv4
from mlmi_sklearn.nn.models import Predictor
from mlmi_sklearn.nn.transfer import SphereHead
from mlmi_sklearn.specs import make_spec

RNG = np.random.default_rng(0)
CENTRES = 3 * RNG.normal(size=(10, 6))
Y = np.arange(200) % 10
X = CENTRES[Y] + RNG.normal(size=(200, 6))
QUICK = {"max_epochs": 5, "random_state": 0}


def blobs(classes, n, seed=1):
    """Return ``n`` rows of each class."""
    y = np.repeat(classes, n)
    rng = np.random.default_rng(seed)
    return CENTRES[y] + rng.normal(size=(len(y), 6)), y


def state(model):
    """Return weights and buffers as arrays."""
    module = model.net_.module_
    return {k: v.detach().numpy().copy() for k, v in module.state_dict().items()}


def images(n=24, size=8):
    """Return noisy images of three classes."""
    y = np.arange(n) % 3
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 1, size, size)) + 2 * y[:, None, None, None]
    return x.astype(np.float32), y


@pytest.fixture(scope="module")
def source():
    keep = Y < 6
    return FineTuneClassifier(random_state=0, max_epochs=30).fit(X[keep], Y[keep])


# -- adaptation ------------------------------------------------------------------------


def test_adapts_to_classes_never_seen(source):
    Xs, ys = blobs([7, 8, 9], 5)
    Xq, yq = blobs([7, 8, 9], 50, seed=2)
    names = np.array(list("abcdefghij"))
    adapted = source.adapt(Xs, names[ys])
    assert adapted.classes_.tolist() == ["h", "i", "j"]
    assert adapted.score(Xq, names[yq]) > 0.9
    assert source.classes_.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"head": "linear"},
        {"freeze": ()},
        {"freeze": "backbone.0.weight"},
        {"max_steps": 3},
        {"unfreeze": "gradual", "freeze": ()},
    ],
)
def test_adaptation_leaves_everything_else_alone(source, how):
    Xs, ys = blobs([7, 8], 3)
    before, predicted = state(source), source.predict_proba(X)
    params = repr(source.get_params())
    torch.manual_seed(3)
    np.random.seed(3)
    generators = torch.get_rng_state(), np.random.get_state()[1].copy()
    source.adapt(Xs, ys, **how)
    assert_array_equal(torch.get_rng_state(), generators[0])
    assert_array_equal(np.random.get_state()[1], generators[1])
    for name, value in state(source).items():
        assert_array_equal(value, before[name])
    assert_array_equal(source.predict_proba(X), predicted)
    assert repr(source.get_params()) == params


@pytest.mark.parametrize("seed", [None, np.random.RandomState(0)])
def test_adaptation_repeats_whatever_the_seed_is(seed):
    model = FineTuneClassifier(max_epochs=2, random_state=seed).fit(X, Y)
    Xs, ys = blobs([1, 2], 3)
    for how in ({}, {"freeze": ()}):
        first, second = (model.adapt(Xs, ys, **how) for _ in range(2))
        assert_array_equal(first.predict_proba(X), second.predict_proba(X))


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("classes", [[7, 8], [7, 8, 9]])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_quick_way_is_what_fit_does(source, head, classes, schedule):
    Xs, ys = blobs(classes, 4)
    quick = source.adapt(Xs, ys, head=head, lr_schedule=schedule)
    slow = clone(quick).fit(Xs, ys)
    assert_allclose(quick.predict_proba(X), slow.predict_proba(X), atol=1e-6)
    assert_allclose(quick.loss_curve_, slow.loss_curve_, atol=1e-6)
    assert quick.n_iter_ == slow.n_iter_ == 30
    assert set(vars(quick)) == set(vars(slow))


def test_quick_way_balances_classes_as_fit_does(source):
    Xs, ys = blobs([7, 8], 4)
    quick = source.adapt(Xs[:-3], ys[:-3], class_weight="balanced")
    slow = clone(quick).fit(Xs[:-3], ys[:-3])
    plain = source.adapt(Xs[:-3], ys[:-3])
    assert_allclose(quick.predict_proba(X), slow.predict_proba(X), atol=1e-6)
    assert abs(quick.predict_proba(X) - plain.predict_proba(X)).max() > 1e-4


def test_adapted_is_an_ordinary_estimator(source):
    Xs, ys = blobs([7, 8, 9], 6)
    adapted = source.adapt(Xs, ys)
    again = pickle.loads(pickle.dumps(adapted))
    assert_allclose(again.predict_proba(X), adapted.predict_proba(X), atol=1e-7)
    assert cross_val_score(adapted, Xs, ys, cv=3).mean() > 0.8
    search = GridSearchCV(adapted, {"max_steps": [0, 10], "lr": [0.01]}, cv=2)
    assert search.fit(Xs, ys).best_score_ > 0.8
    chained = adapted.adapt(*blobs([0, 1], 3))
    assert chained.classes_.tolist() == [0, 1]
    adapted.partial_fit(Xs, ys)
    assert adapted.n_iter_ == 31


def test_later_fit_of_the_source_does_not_reach_an_adaptation():
    keep = Y < 6
    model = FineTuneClassifier(random_state=0, max_epochs=10).fit(X[keep], Y[keep])
    Xs, ys = blobs([7, 8], 4)
    adapted = model.adapt(Xs, ys)
    expected = adapted.predict_proba(X)
    model.set_params(random_state=5).fit(X[:, ::-1].copy(), Y)
    model.partial_fit(X[:, ::-1].copy(), Y)
    assert_array_equal(adapted.predict_proba(X), expected)
    refit = clone(adapted).fit(Xs, ys)
    assert_allclose(refit.predict_proba(X), expected, atol=1e-6)


def test_adaptation_of_a_float32_model_to_float64_rows_stays_float32():
    keep = Y < 6
    model = FineTuneClassifier(**QUICK).fit(X[keep].astype(np.float32), Y[keep])
    adapted = model.adapt(*blobs([7, 8], 3))
    dtypes = {p.dtype for p in adapted.net_.module_.parameters()}
    assert dtypes == {torch.float32}


def test_adaptation_takes_either_spelling_and_refuses_unknown_names(source):
    Xs, ys = blobs([7, 8], 3)
    plain = source.adapt(Xs, ys, lr=0.1, max_epochs=3)
    prefixed = source.adapt(Xs, ys, adapt_lr=0.1, adapt_epochs=3)
    assert_array_equal(plain.predict_proba(X), prefixed.predict_proba(X))
    with pytest.raises(ValueError, match="Did you mean"):
        source.adapt(Xs, ys, max_epoch=3)
    with pytest.raises(ValueError, match="'lr' parameter"):
        source.adapt(Xs, ys, lr=-1.0)


@pytest.mark.parametrize(
    ("rows", "targets", "words"),
    [
        (np.zeros((4, 5)), [0, 1, 0, 1], "5 features"),
        (np.zeros((4, 6)), [0, 1], "inconsistent numbers of samples"),
        (np.zeros((2, 6)), [1, 1], "one class only"),
        (np.full((2, 6), np.nan), [0, 1], "NaN"),
    ],
)
def test_unusable_support_is_named(source, rows, targets, words):
    with pytest.raises(ValueError, match=words):
        source.adapt(rows, targets)


def test_dict_of_class_weights_is_not_carried_to_other_classes():
    model = FineTuneClassifier(class_weight={0: 2.0}, **QUICK).fit(X, Y)
    adapted = model.adapt(*blobs([7, 8], 3))
    assert adapted.class_weight is None


def test_specs_are_not_shared_with_an_adaptation():
    model = FineTuneClassifier(loss=make_spec("loss", "focal"), **QUICK).fit(X, Y)
    adapted = model.adapt(*blobs([7, 8], 3))
    adapted.set_params(loss__gamma=5.0)
    assert model.loss.gamma != 5.0


def test_multilabel_support():
    labels = np.c_[Y % 2, Y < 5, Y > 2]
    model = FineTuneClassifier(**QUICK).fit(X, labels)
    adapted = model.adapt(X[:40], labels[:40, :2])
    assert adapted.predict(X).shape == (200, 2)
    refit = clone(adapted).fit(X[:40], labels[:40, :2])
    assert_allclose(adapted.predict_proba(X), refit.predict_proba(X), atol=1e-6)


def test_works_behind_a_scaler():
    Xs, ys = blobs([7, 8], 3)
    pipe = make_pipeline(StandardScaler(), FineTuneClassifier(**QUICK)).fit(X, Y)
    adapted = pipe[-1].adapt(pipe[:-1].transform(Xs), ys)
    assert adapted.predict(pipe[:-1].transform(X)).shape == (200,)


# -- frozen, unfrozen, and how fast ----------------------------------------------------


def pretrained_images():
    x, y = images()
    return NetClassifier(Conv4((1, 8, 8), width=4), **QUICK).fit(x, y), x, y


def test_frozen_weights_and_statistics_do_not_move():
    net, x, y = pretrained_images()
    tuned = FineTuneClassifier(
        pretrained=net, freeze=["backbone.1.*", "backbone.2.*"], **QUICK
    ).fit(x + 1, y)
    before, after = state(net), state(tuned)
    frozen = [n for n in after if n.startswith(("backbone.1.", "backbone.2."))]
    assert any("running_mean" in name for name in frozen)
    for name in frozen:
        assert_array_equal(after[name], before[name])
    moved = [n for n in after if n.startswith("backbone") and n not in frozen]
    assert any("running_mean" in name for name in moved)
    changed = [not np.array_equal(after[name], before[name]) for name in moved]
    assert all(c for n, c in zip(moved, changed, strict=True) if "weight" in n)


def test_freezing_the_weights_alone_also_stops_the_statistics():
    net, x, y = pretrained_images()
    names = [n for n, _ in net.net_.module_.backbone.named_parameters()]
    tuned = FineTuneClassifier(
        pretrained=net, freeze=[f"backbone.{name}" for name in names], **QUICK
    ).fit(x + 1, y)
    for name, value in state(tuned).items():
        if name.startswith("backbone"):
            assert_array_equal(value, state(net)[name])


def test_features_of_a_frozen_backbone_have_no_dropout():
    spec = make_spec("backbone", "mlp", dropout=0.9)
    net = NetClassifier(spec, **QUICK).fit(X, Y)
    tuned = FineTuneClassifier(pretrained=net, freeze="backbone.*", **QUICK)
    plain = clone(tuned).fit(X, Y)
    other = clone(tuned).set_params(random_state=0, batch_size=200).fit(X, Y)
    assert plain.loss_curve_[-1] < plain.loss_curve_[0]
    assert np.isfinite(other.loss_curve_).all()
    assert all(np.diff(other.loss_curve_) < 0)  # no noise: every step goes down


@pytest.mark.parametrize("how", [{"early_stopping": True}, {"batch_size": 16}])
def test_frozen_backbone_trains_with_batches_and_early_stopping(source, how):
    tuned = FineTuneClassifier(pretrained=source, freeze="backbone.*", **QUICK, **how)
    assert tuned.fit(X, Y).score(X, Y) > 0.8
    for name, value in state(tuned).items():
        if name.startswith("backbone"):
            assert_array_equal(value, state(source)[name])


def moves_by_epoch(**params):
    """Return which parameters have changed after each epoch."""
    net = NetClassifier(MLP((6,), hidden=(5, 5)), **QUICK).fit(X, Y)
    moves = []
    for epochs in (1, 2, 3):
        tuned = FineTuneClassifier(
            pretrained=net, keep_head=True, max_epochs=epochs, random_state=0, **params
        ).fit(X, Y)
        old, new = state(net), state(tuned)
        moves.append({n for n in new if not np.array_equal(old[n], new[n])})
    return moves


def test_gradual_unfreezing_goes_from_the_top_down():
    first, second, third = moves_by_epoch(unfreeze="gradual")
    assert first == {"head.weight", "head.bias"}
    assert second == first | {"backbone.2.weight", "backbone.2.bias"}
    assert third == second | {"backbone.0.weight", "backbone.0.bias"}


def test_gradual_unfreezing_never_reaches_what_is_frozen():
    first, second, third = moves_by_epoch(unfreeze="gradual", freeze="backbone.2.*")
    assert first == {"head.weight", "head.bias"}
    assert second == third == first | {"backbone.0.weight", "backbone.0.bias"}


def test_schedule_of_unfreezing():
    first, second, third = moves_by_epoch(
        freeze="backbone.*", unfreeze={3: ["backbone.0.*"]}
    )
    assert first == second == {"head.weight", "head.bias"}
    assert third == first | {"backbone.0.weight", "backbone.0.bias"}


def test_partial_fit_goes_on_with_the_schedule():
    net = NetClassifier(MLP((6,), hidden=(5, 5)), **QUICK).fit(X, Y)
    whole = FineTuneClassifier(
        pretrained=net, unfreeze="gradual", max_epochs=3, random_state=0
    ).fit(X, Y)
    parts = FineTuneClassifier(
        pretrained=net, unfreeze="gradual", max_epochs=3, random_state=0, batch_size=200
    )
    for _ in range(3):
        parts.partial_fit(X, Y)
    whole = clone(parts).fit(X, Y)
    assert_allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-6)


def test_lower_layers_learn_more_slowly():
    net = NetClassifier(MLP((6,), hidden=(5, 5)), **QUICK).fit(X, Y)
    tuned = FineTuneClassifier(
        pretrained=net,
        keep_head=True,
        lr_decay=0.1,
        optimizer="sgd",
        weight_decay=0,
        lr=1.0,
        max_steps=1,
        random_state=0,
    )
    even = clone(tuned).set_params(lr_decay=1.0).fit(X, Y)
    tuned.fit(X, Y)
    old, slow, fast = state(net), state(tuned), state(even)
    for name, factor in [("backbone.0", 0.01), ("backbone.2", 0.1), ("head", 1.0)]:
        key = f"{name}.weight"
        step, full = slow[key] - old[key], fast[key] - old[key]
        assert abs(full).max() > 0
        assert_allclose(step, factor * full, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"freeze": "backbon.*"}, "'backbon.*' matches no parameter"),
        ({"freeze": "*"}, "nothing to train"),
        ({"freeze": [3]}, "pattern on names"),
        ({"unfreeze": {2: "backbone.*"}}, r"unfreeze\[2\]"),
        ({"freeze": "backbone.*", "unfreeze": {0: "backbone.*"}}, "counted from 1"),
        ({"freeze": "backbone.*", "unfreeze": {2: "head.*"}}, "matches no parameter"),
        ({"unfreeze": "slowly"}, "unfreeze"),
        ({"lr_decay": 0.0}, "lr_decay"),
        ({"max_steps": -1}, "max_steps"),
    ],
)
def test_bad_orders_are_named(params, words):
    with pytest.raises((ValueError, TypeError), match=words):
        FineTuneClassifier(**QUICK, **params).fit(X, Y)


def test_unmatched_pattern_lists_the_names():
    with pytest.raises(ValueError, match=r"backbone\.0\.weight"):
        FineTuneClassifier(freeze="nothing", **QUICK).fit(X, Y)


def test_backbone_can_be_unfrozen_by_hand():
    tuned = FineTuneClassifier(freeze="backbone.*", warm_start=True, **QUICK).fit(X, Y)
    before = state(tuned)
    tuned.set_params(freeze=()).fit(X, Y)
    name = "backbone.0.weight"
    assert not np.array_equal(state(tuned)[name], before[name])


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_number_of_steps(steps):
    tuned = FineTuneClassifier(
        optimizer="sgd", lr=1.0, max_steps=steps, batch_size=40, random_state=0
    ).fit(X, Y)
    assert tuned.net_.steps_done_ == steps
    assert tuned.n_iter_ == -(-steps // 5)


# -- what training begins from ---------------------------------------------------------


def test_no_pretraining_is_training_from_scratch():
    tuned = FineTuneClassifier(**QUICK).fit(X, Y)
    net = NetClassifier(**QUICK).fit(X, Y)
    assert_array_equal(tuned.predict_proba(X), net.predict_proba(X))


@pytest.mark.parametrize("wrap", [lambda m: m, FrozenEstimator])
def test_zero_steps_from_an_estimator_are_that_estimator(wrap):
    net = NetClassifier(**QUICK).fit(X, Y)
    tuned = FineTuneClassifier(pretrained=wrap(net), max_steps=0).fit(X, Y)
    assert_array_equal(tuned.predict_proba(X), net.predict_proba(X))


def test_zero_steps_from_a_regressor_are_that_regressor():
    y = 100 + 50 * X[:, 0]
    net = NetRegressor(**QUICK).fit(X, y)
    tuned = FineTuneRegressor(pretrained=net, max_steps=0).fit(X[:9], y[:9] - 500)
    assert_allclose(tuned.predict(X), net.predict(X), rtol=1e-6)


def test_clone_keeps_what_it_begins_from():
    net = NetClassifier(**QUICK).fit(X, Y)
    tuned = clone(FineTuneClassifier(pretrained=net, max_steps=0))
    assert_array_equal(tuned.fit(X, Y).predict_proba(X), net.predict_proba(X))
    module = net.net_.module_
    weights = [p.detach().clone() for p in module.parameters()]
    clone(FineTuneClassifier(pretrained=module, **QUICK)).fit(X, Y)
    for parameter, weight in zip(module.parameters(), weights, strict=True):
        assert torch.equal(parameter, weight)
        assert parameter.requires_grad


def test_head_is_new_for_other_classes_unless_asked_for():
    net = NetClassifier(**QUICK).fit(X, Y)
    tuned = FineTuneClassifier(pretrained=net, max_steps=0).fit(X, Y + 1)
    assert_array_equal(state(tuned)["head.weight"], 0)
    with pytest.raises(ValueError, match="keep_head=True"):
        FineTuneClassifier(pretrained=net, keep_head=True).fit(X, Y + 1)
    fresh = FineTuneClassifier(pretrained=net, keep_head=False, max_steps=0)
    assert_array_equal(state(fresh.fit(X, Y))["head.weight"], 0)


def test_head_of_numbers_is_not_taken_for_classes_nor_the_other_way():
    regressor = NetRegressor(**QUICK).fit(X, X[:, 0])
    tuned = FineTuneClassifier(pretrained=regressor, max_steps=0).fit(X, Y % 2)
    assert_array_equal(state(tuned)["head.weight"], 0)
    binary = NetClassifier(**QUICK).fit(X, Y % 2)
    tuned = FineTuneRegressor(pretrained=binary, max_steps=0).fit(X, X[:, 0])
    assert_array_equal(state(tuned)["head.weight"], 0)


def test_module_with_and_without_a_head():
    torch.manual_seed(0)
    module = Predictor(MLP((6,)), n_outputs=10)
    x32 = X.astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x32)).numpy()
    tuned = FineTuneClassifier(pretrained=module, max_steps=0).fit(x32, Y)
    assert_allclose(tuned.decision_function(x32), expected, atol=1e-5)
    body = FineTuneClassifier(pretrained=module.backbone, max_steps=0).fit(x32, Y)
    same = state(body)["backbone.0.weight"]
    assert_array_equal(same, module.backbone[0].weight.detach().numpy())


def test_pickle_of_a_model_from_a_module():
    module = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU())
    tuned = FineTuneClassifier(pretrained=module, **QUICK).fit(X, Y)
    again = pickle.loads(pickle.dumps(tuned))
    assert_allclose(again.predict_proba(X), tuned.predict_proba(X), atol=1e-7)


def test_pickle_does_not_look_at_today_s_parameters():
    tuned = FineTuneClassifier(freeze="backbone.*", **QUICK).fit(X, Y)
    tuned.set_params(freeze="*", head="cosine", pretrained=object())
    tuned.set_params(pretrained=None)
    again = pickle.loads(pickle.dumps(tuned))
    assert_allclose(again.predict_proba(X), tuned.predict_proba(X), atol=1e-7)


@pytest.mark.parametrize(
    ("pretrained", "error", "words"),
    [
        (NetClassifier(), ValueError, "not fitted"),
        (FrozenEstimator(NetClassifier()), ValueError, "not fitted"),
        ("resnet18", TypeError, "got str"),
        (3, TypeError, "got int"),
    ],
)
def test_useless_pretrained_is_named(pretrained, error, words):
    with pytest.raises(error, match=words):
        FineTuneClassifier(pretrained=pretrained).fit(X, Y)


def test_shape_and_backbone_conflicts_are_named(source):
    with pytest.raises(ValueError, match="pretrained was fitted on samples"):
        FineTuneClassifier(pretrained=source).fit(X[:, :4], Y)
    with pytest.raises(ValueError, match="cannot take samples"):
        FineTuneClassifier(pretrained=nn.Linear(5, 2)).fit(X, Y)
    with pytest.raises(ValueError, match="both given"):
        FineTuneClassifier("mlp", pretrained=source).fit(X, Y)


def test_failed_adaptation_of_a_fitted_estimator_changes_nothing(source):
    model = clone(source).fit(X, Y)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match="matches no parameter"):
        model.set_params(freeze="nothing").fit(X, Y)
    assert_array_equal(model.predict_proba(X), expected)


# -- the cosine head -------------------------------------------------------------------


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2]])
def test_cosine_head_trains_and_forgets_lengths(classes):
    keep = np.isin(Y, classes)
    model = FineTuneClassifier(head="cosine", max_epochs=40, random_state=0)
    model.fit(X[keep], Y[keep])
    assert model.score(X[keep], Y[keep]) > 0.9
    head = model.net_.module_.head
    assert isinstance(head, SphereHead)
    features = torch.randn(5, head.in_features, dtype=head.weight.dtype)
    with torch.no_grad():
        assert torch.allclose(head(features), head(7 * features))
        doubled = head(features)
        head.weight.mul_(3)
        assert torch.allclose(head(features), doubled)


def test_cosine_scale_is_fixed_or_learnt():
    learnt = FineTuneClassifier(head="cosine", lr=0.05, **QUICK).fit(X, Y)
    fixed = clone(learnt).set_params(cosine_scale=4.0).fit(X, Y)
    assert state(fixed)["head.log_scale"] == pytest.approx(np.log(4.0))
    assert state(learnt)["head.log_scale"] != pytest.approx(np.log(10.0))
    assert abs(fixed.decision_function(X)).max() <= 4.0 + 1e-6


def test_prototypes_begin_in_the_middle_of_their_classes(source):
    Xs, ys = blobs([7, 8], 5)
    tuned = source.adapt(Xs, ys, max_steps=0)
    module = tuned.net_.module_
    with torch.no_grad():
        features = module.features(torch.from_numpy(Xs))
    unit = nn.functional.normalize(features, dim=1).numpy()
    for code, label in enumerate([7, 8]):
        centre = unit[ys == label].mean(axis=0)
        found = state(tuned)["head.weight"][code]
        assert_allclose(found, centre / np.linalg.norm(centre), atol=1e-6)


def test_features_of_length_zero_have_finite_gradients():
    head = SphereHead(3, 2)
    features = torch.zeros(2, 3, requires_grad=True)
    head(features).sum().backward()
    assert torch.isfinite(features.grad).all()
    assert torch.isfinite(head.weight.grad).all()


# -- numbers ---------------------------------------------------------------------------


def test_regressor_adapts_all_layers_from_its_head():
    x = np.linspace(-3, 3, 200)[:, None]
    net = FineTuneRegressor(lr=1e-2, random_state=0).fit(x, np.sin(x[:, 0]))
    few = x[::20]
    adapted = net.adapt(few, np.sin(few[:, 0]) + 0.3)
    assert_array_equal([adapted.y_mean_, adapted.y_scale_], [net.y_mean_, net.y_scale_])
    new = abs(adapted.predict(x) - np.sin(x[:, 0]) - 0.3).mean()
    old = abs(net.predict(x) - np.sin(x[:, 0]) - 0.3).mean()
    assert new < 0.3 * old
    unmoved = net.adapt(few, few[:, 0], max_steps=0)
    assert_allclose(unmoved.predict(x), net.predict(x), atol=1e-12)


def test_regressor_with_a_new_head_predicts_in_the_new_unit():
    net = FineTuneRegressor(**QUICK).fit(X, X[:, 0])
    y = 1e6 + 1e5 * X[:, 1]
    adapted = net.adapt(X[:50], y[:50], keep_head=False, freeze="backbone.*")
    assert adapted.y_mean_ == pytest.approx(y[:50].mean())
    assert abs(adapted.predict(X).mean() - y.mean()) < 1e5


def test_constant_support_is_no_obstacle():
    net = FineTuneRegressor(**QUICK).fit(X, X[:, 0])
    adapted = net.adapt(X[:1], [2.0])
    assert np.isfinite(adapted.predict(X)).all()
