"""What every deep estimator inherits: stages of fit, seeds, state, resuming."""

import pickle
import pickletools
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import skorch.callbacks as sc
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.model_selection import cross_val_score
from torch import nn

from mlmi_sklearn import NetClassifier, NetRegressor, register_component
from mlmi_sklearn.components import unregister_component
from mlmi_sklearn.exceptions import FitInterruptedWarning, TrainingDivergedError


@pytest.fixture(scope="module")
def task():
    X, y = make_classification(n_samples=120, n_features=6, random_state=0)
    return X.astype(np.float32), y


def quick(**params):
    return NetClassifier(**{"max_epochs": 5, "random_state": 0, **params})


# -- results -------------------------------------------------------------------


def test_learns_iris():
    X, y = load_iris(return_X_y=True)
    scores = cross_val_score(NetClassifier(random_state=0, lr=1e-2), X, y, cv=5)
    assert scores.mean() > 0.93


def test_regressor_does_not_depend_on_the_unit_of_y():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = X @ [1.0, -2.0, 0.5] + 3
    model = NetRegressor(random_state=0, max_epochs=20).fit(X, y)
    scaled = clone(model).fit(X, 1e6 * y - 1e7)
    np.testing.assert_allclose(
        scaled.predict(X), 1e6 * model.predict(X) - 1e7, rtol=1e-6
    )


def test_regressor_of_a_constant_predicts_it():
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = NetRegressor(random_state=0, max_epochs=100, lr=1e-2)
    y = model.fit(X, np.full(30, 7.1)).predict(X)
    np.testing.assert_allclose(y, 7.1, atol=0.2)


@pytest.mark.parametrize("shape", [(40,), (40, 1), (40, 3)])
def test_regressor_keeps_the_shape_of_y(shape):
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.random.default_rng(1).normal(size=shape)
    assert NetRegressor(max_epochs=2).fit(X, y).predict(X).shape == shape


def test_quantile_regression_orders_its_quantiles():
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = X[:, 0] + np.random.default_rng(1).normal(size=300)
    low, high = (
        NetRegressor(loss="quantile", lr=1e-2, random_state=0)
        .set_params(loss__q=q)
        .fit(X, y)
        .predict(X)
        for q in (0.1, 0.9)
    )
    assert np.mean(y < low) < 0.25 < 0.75 < np.mean(y < high)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_several_quantiles_at_once(n_targets):
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = X @ np.ones((2, n_targets)) + np.random.default_rng(1).normal(size=(300, 1))
    y = 100 * (y[:, 0] if n_targets == 1 else y)
    model = NetRegressor(loss="quantile", lr=1e-2, random_state=0, verbose=0)
    model.set_params(loss__q=(0.9, 0.5, 0.1)).fit(X, y)
    quantiles = model.predict_quantiles(X)
    assert quantiles.shape == (300, *y.shape[1:], 3)
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    share = (y[..., None] < quantiles).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(share, [0.1, 0.5, 0.9], atol=0.1)
    assert model.predict(X).shape == y.shape
    assert model.score(X, y) > 0.4
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_quantiles(X), quantiles)
    assert not hasattr(NetRegressor(), "predict_quantiles")


def test_multi_label(task):
    X, y = task
    Y = np.column_stack([y, 1 - y, X[:, 0] > 0]).astype(int)
    model = NetClassifier(random_state=0, lr=1e-2).fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert model.score(X, Y) > 0.7
    proba = model.predict_proba(X)
    assert proba.shape == Y.shape
    np.testing.assert_array_equal(proba > 0.5, model.predict(X) == 1)


@pytest.mark.parametrize("loss", ["cross-entropy", "focal", "bce", "hinge"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_loss_learns(loss, n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], np.array(["a", "b", "c"])[y[y < n_classes]]
    model = NetClassifier(loss=loss, lr=1e-2, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9
    assert hasattr(model, "predict_proba") == (loss != "hinge")
    if loss != "hinge":
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
        np.testing.assert_allclose(
            np.exp(model.predict_log_proba(X)), model.predict_proba(X)
        )


@pytest.mark.parametrize(
    "shape", [(12, 12), (2, 12, 10), (1, 8, 8, 8)], ids=["grey", "channels", "volume"]
)
def test_images_and_volumes(shape):
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, *shape)).astype(np.float32)
    X += 2 * y.reshape(-1, *[1] * len(shape))
    model = NetClassifier(max_epochs=15, lr=1e-2, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9
    with pytest.raises(ValueError, match=r"samples of shape .* fitted on samples"):
        model.predict(X[..., :-1])


# -- seeds ---------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_fit_neither_uses_nor_disturbs_the_global_generators(task, dropout):
    model = quick().set_params(backbone__dropout=dropout)
    torch.manual_seed(0)
    first = clone(model).fit(*task).predict_proba(task[0])
    torch.manual_seed(99)
    np.random.seed(99)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    second = clone(model).fit(*task).predict_proba(task[0])
    np.testing.assert_array_equal(first, second)
    assert torch.equal(states[0], torch.get_rng_state())
    np.testing.assert_array_equal(states[1], np.random.get_state()[1])


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_threads_do_not_change_scores(task, dropout):
    model = quick().set_params(backbone__dropout=dropout)
    models = [clone(model).set_params(random_state=i) for i in range(6)]
    alone = [m.fit(*task).loss_curve_ for m in models]
    fits = (joblib.delayed(clone(m).fit)(*task) for m in models)
    together = joblib.Parallel(n_jobs=6, backend="threading")(fits)
    assert [m.loss_curve_ for m in together] == alone


def test_other_seeds_give_other_models(task):
    curves = {tuple(quick(random_state=s).fit(*task).loss_curve_) for s in range(3)}
    assert len(curves) == 3


def test_none_seed_follows_numpys_global_generator(task):
    def fit():
        np.random.seed(5)
        return quick(random_state=None).fit(*task).loss_curve_

    assert fit() == fit()


# -- types and devices ---------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [("float32", "float32"), ("float64", "float64"), ("int64", "float32"),
     ("float16", "float32"), ("uint8", "float32"), ("bool", "float32")],
)  # fmt: skip
def test_auto_dtype_follows_the_input(task, given, expected):
    X = (task[0] > 0).astype(given)
    model = quick().fit(X, task[1])
    assert str(model.net_.module_.head.weight.dtype) == f"torch.{expected}"
    assert model.decision_function(X).dtype == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_can_be_chosen(task, dtype):
    model = quick(dtype=dtype).fit(*task)
    assert str(model.net_.module_.head.weight.dtype) == f"torch.{dtype}"


def containers(X):
    import polars

    path_free = np.array(X)
    path_free.flags.writeable = False
    yield "list", X.tolist()
    yield "fortran", np.asfortranarray(X)
    yield "reversed", X[::-1][::-1]
    yield "negative strides", np.ascontiguousarray(X[:, ::-1])[:, ::-1]
    yield "read-only", path_free
    yield "tensor", torch.from_numpy(X.copy())
    yield "tensor with gradient", torch.from_numpy(X.copy()).requires_grad_()
    yield "big-endian", X.astype(">f4")
    columns = [f"x{i}" for i in range(X.shape[1])]
    yield "pandas", pd.DataFrame(X, columns=columns)
    yield "polars", polars.DataFrame(dict(zip(columns, X.T, strict=True)))


def test_every_container_gives_the_same_model(task):
    X, y = task
    expected = quick().fit(X, y).decision_function(X)
    for name, given in containers(X):
        if name == "list":  # a list of floats is double precision
            model = quick(dtype="float32").fit(given, y)
        else:
            model = quick().fit(given, y)
        found = model.decision_function(given)
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)
        # Older scikit-learn knows polars only by a protocol that polars gave up.
        named = ("pandas",) if sklearn.__version__ < "1.9" else ("pandas", "polars")
        if name in named:
            assert list(model.feature_names_in_) == [f"x{i}" for i in range(6)]


def test_memory_maps_train_and_stay_as_they_are(task, tmp_path):
    X, y = task
    np.save(tmp_path / "x.npy", X)
    for mode in ("r", "c"):
        mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
        found = quick().fit(mapped, y).decision_function(mapped)
        np.testing.assert_array_equal(found, quick().fit(X, y).decision_function(X))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), X)


def test_no_warning_for_read_only_input(task):
    X = task[0].copy()
    X.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick().fit(X, task[1])


@pytest.mark.parametrize("precision", ["full", "bf16"])
def test_precision(task, precision):
    model = quick(precision=precision, max_epochs=30).fit(*task)
    assert model.score(*task) > 0.8
    assert model.decision_function(task[0]).dtype == np.float32


# -- history, verbosity, early stopping ----------------------------------------


def test_history(task):
    model = quick().fit(*task)
    history = model.history_
    assert list(history["epoch"]) == [1, 2, 3, 4, 5]
    assert {"train_loss", "lr", "dur"} <= set(history.columns)
    assert model.n_iter_ == len(model.loss_curve_) == 5
    assert model.loss_curve_ == history["train_loss"].tolist()
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.device_ == "cuda" or model.device_ in ("cpu", "mps")


def test_verbose_shows_one_bar_with_loss_and_score(task, capsys):
    quick(verbose=1).fit(*task)
    shown = capsys.readouterr().err
    assert "NetClassifier" in shown
    assert "5/5" in shown
    assert "loss=" in shown
    assert "score=" in shown


def test_silent_by_default(task, capsys):
    quick().fit(*task)
    assert capsys.readouterr() == ("", "")


def test_early_stopping_goes_back_to_the_best_weights():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 20)), rng.integers(0, 2, 80)  # nothing to learn
    model = NetClassifier(
        early_stopping=True, lr=1e-2, n_iter_no_change=5, random_state=0,
        validation_fraction=0.25, max_epochs=500,
    ).fit(X, y)  # fmt: skip
    valid = model.history_["valid_loss"]
    assert model.n_iter_ < 100
    best = int(valid.idxmin()) + 1
    assert model.n_iter_ - best <= 6
    short = clone(model).set_params(max_epochs=best).fit(X, y)
    np.testing.assert_array_equal(
        model.decision_function(X), short.decision_function(X)
    )
    assert {"valid_score", "valid_loss"} <= set(model.history_.columns)


def test_early_stopping_of_a_regressor():
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = NetRegressor(early_stopping=True, max_epochs=8).fit(X, X[:, 0])
    assert model.history_["valid_score"].notna().all()


def test_early_stopping_works_with_weights_and_rare_classes():
    X = np.random.default_rng(0).normal(size=(30, 3))
    y = np.r_[np.zeros(29, int), 1]
    model = quick(early_stopping=True).fit(X, y, sample_weight=np.linspace(0, 1, 30))
    assert np.isfinite(model.loss_curve_).all()


def test_too_few_rows_for_early_stopping():
    with pytest.raises(ValueError, match="early_stopping=True needs at least two"):
        NetRegressor(early_stopping=True).fit([[1.0]], [1.0])


# -- resuming ------------------------------------------------------------------


def test_warm_start_continues(task):
    model = quick(warm_start=True).fit(*task)
    before = model.loss_curve_
    model.fit(*task)
    assert model.n_iter_ == 10
    assert model.loss_curve_[:5] == before
    assert model.loss_curve_[5] < before[0]
    assert list(model.history_["epoch"]) == list(range(1, 11))


def test_partial_fit_is_one_epoch_and_keeps_the_optimizer(task):
    model = quick(random_state=0, batch_size=200)
    for _ in range(5):
        model.partial_fit(*task)
    # One batch an epoch: the order of rows is all that differs from a single fit.
    whole = quick(batch_size=200).fit(*task)
    np.testing.assert_allclose(
        model.decision_function(task[0]), whole.decision_function(task[0]), atol=1e-5
    )
    assert model.n_iter_ == 5


def test_partial_fit_with_announced_classes():
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = NetClassifier().partial_fit(X, ["a", "b"] * 10, classes=["c", "a", "b"])
    assert list(model.classes_) == ["a", "b", "c"]
    model.partial_fit(X, ["c", "b"] * 10)
    with pytest.raises(ValueError, match=r"classes \['d'\]"):
        model.partial_fit(X, ["d"] * 20)
    with pytest.raises(ValueError, match="not the same as in the first call"):
        model.partial_fit(X, ["a"] * 20, classes=["a", "b"])
    with pytest.raises(ValueError, match="class_weight='balanced'"):
        NetClassifier(class_weight="balanced").partial_fit(X, ["a", "b"] * 10)


# -- weights -------------------------------------------------------------------


def test_class_weight_equals_sample_weight(task):
    X, y = task
    table = {0: 1.0, 1: 5.0}
    by_class = quick(class_weight=table).fit(X, y).decision_function(X)
    by_row = quick().fit(X, y, sample_weight=np.where(y == 1, 5.0, 1.0))
    np.testing.assert_allclose(by_class, by_row.decision_function(X), atol=1e-6)


def test_class_weight_of_an_unknown_class(task):
    with pytest.raises(ValueError, match=r"class_weight names classes \['yes'\]"):
        quick(class_weight={"yes": 2.0}).fit(*task)


def test_zero_weight_is_removal_also_of_a_class(task):
    X, y = task[0], np.r_[np.full(10, 2), task[1][10:]]
    weight = np.r_[np.zeros(10), np.ones(110)]
    model = quick().fit(X, y, sample_weight=weight)
    assert list(model.classes_) == [0, 1]
    removed = quick().fit(X[10:], y[10:])
    np.testing.assert_array_equal(
        model.decision_function(X), removed.decision_function(X)
    )


# -- failure and interruption --------------------------------------------------


class FailAt(sc.Callback):
    """Raise in one epoch, counted from 1."""

    def __init__(self, epoch, error, event="on_epoch_begin"):
        self.epoch, self.error, self.event = epoch, error, event

    def notify(self, event, net):
        if event == self.event and len(net.history) == self.epoch:
            raise self.error

    def on_epoch_begin(self, net, **kwargs):
        self.notify("on_epoch_begin", net)

    def on_epoch_end(self, net, **kwargs):
        self.notify("on_epoch_end", net)


class StopAtOnce(sc.Callback):
    def on_batch_begin(self, net, **kwargs):
        raise KeyboardInterrupt


class Marked(sc.Callback):
    def on_train_begin(self, net, **kwargs):
        self.seen = True


def frozen(model):
    kept = {k: v for k, v in vars(model).items() if k not in ("net_", "callbacks")}
    return pickle.dumps(kept)


def test_a_failed_fit_leaves_the_estimator_as_it_was(task):
    X, y = task
    model = quick().fit(X, y)
    expected, net = model.decision_function(X), model.net_
    model.set_params(callbacks=[FailAt(3, RuntimeError("disk full"))])
    before = frozen(model)
    for Z in (X, X[:, :3], pd.DataFrame(X, columns=list("abcdef"))):
        with pytest.raises(RuntimeError, match="disk full"):
            model.fit(Z, y + 7)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((9, 2), np.nan), np.arange(9) % 2)
    assert frozen(model) == before
    assert model.net_ is net
    np.testing.assert_array_equal(model.decision_function(X), expected)


def test_a_failed_first_fit_leaves_an_unfitted_estimator(task):
    model = quick(callbacks=[FailAt(2, RuntimeError("no"))])
    with pytest.raises(RuntimeError):
        model.fit(*task)
    assert vars(model) == vars(quick()) | {"callbacks": model.callbacks}


def test_a_failed_partial_fit_does_not_touch_weights_or_optimizer(task):
    models = [quick().partial_fit(*task) for _ in range(2)]
    models[0].set_params(callbacks=[FailAt(1, RuntimeError("no"), "on_epoch_end")])
    with pytest.raises(RuntimeError):
        models[0].partial_fit(*task)
    models[0].set_params(callbacks=None)
    scores = [m.partial_fit(*task).decision_function(task[0]) for m in models]
    np.testing.assert_array_equal(*scores)


def test_interruption_keeps_a_usable_model(task):
    model = quick(callbacks=[FailAt(3, KeyboardInterrupt())], max_epochs=50)
    with pytest.warns(FitInterruptedWarning, match="interrupted in epoch 3 of 50"):
        model.fit(*task)
    assert model.n_iter_ == 2
    assert np.isfinite(model.decision_function(task[0])).all()


def test_interruption_before_the_first_epoch_ends(task):
    model = quick(callbacks=[StopAtOnce()])
    with pytest.warns(FitInterruptedWarning):
        model.fit(*task)
    assert model.n_iter_ == 0
    assert model.predict(task[0]).shape == (120,)
    pickle.loads(pickle.dumps(model)).predict(task[0])


def test_divergence_of_a_first_fit_keeps_finite_weights(task):
    X, y = task[0] * 1e3, task[1]
    model = quick(optimizer="sgd", lr=1e30)
    with pytest.raises(TrainingDivergedError, match=r"epoch \d+, step"):
        model.fit(X, y)
    assert np.isfinite(model.decision_function(task[0])).all()


def test_divergence_of_a_later_fit_keeps_the_earlier_model(task):
    model = quick().fit(*task)
    expected = model.decision_function(task[0])
    model.set_params(optimizer="sgd", lr=1e30)
    with pytest.raises(TrainingDivergedError):
        model.fit(task[0] * 1e3, task[1])
    np.testing.assert_array_equal(model.decision_function(task[0]), expected)


def test_divergence_survives_a_trip_between_processes():
    error = TrainingDivergedError("epoch 2", epoch=2, step=5)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.epoch, again.step) == ("epoch 2", 2, 5)


# -- modules of the user -------------------------------------------------------


def test_a_module_is_copied_and_never_trained_in_place(task):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh())
    before = {k: v.clone() for k, v in module.state_dict().items()}
    model = quick(backbone=module, max_epochs=60, lr=1e-2).fit(*task)
    assert model.score(*task) > 0.8
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert model.backbone is module
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(task[0]), model.predict(task[0]))


def test_a_callable_builds_the_backbone(task):
    def build(input_shape):
        return nn.Linear(input_shape[0], 4)

    model = quick(backbone=build, max_epochs=60, lr=1e-2)
    assert model.fit(*task).score(*task) > 0.8


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (nn.Linear(5, 3), "cannot take samples of shape"),
        (nn.Unflatten(1, (2, 3)), "must map a batch of n samples"),
        (lambda shape: "no module", "must build an nn.Module"),
    ],
)
def test_unusable_modules(task, backbone, message):
    with pytest.raises((ValueError, TypeError), match=message):
        quick(backbone=backbone).fit(*task)


@pytest.mark.parametrize("kind", [sc.EpochScoring, sc.BatchScoring])
@pytest.mark.parametrize("name", ["mine", None])
def test_callbacks_that_need_another_net_are_refused(task, kind, name):
    callback = kind("accuracy", on_train=True)
    given = callback if name is None else (name, callback)
    with pytest.raises(ValueError, match=r"callbacks: .*Scoring .*ScoringMonitor"):
        quick(callbacks=[given]).fit(*task)


def test_scoring_by_a_function_of_the_net_works(task):
    class Score(sc.Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("norm", float(net.module_.head.weight.detach().norm()))

    model = quick(callbacks=[Score()]).fit(*task)
    assert (model.history_["norm"] > 0).all()


def test_a_registered_backbone_need_not_know_its_width(task):
    def layers(input_shape):
        return nn.Sequential(nn.Linear(input_shape[0], 3), nn.Tanh())

    register_component("backbone", "seq", layers, summary="Layers.")
    try:
        model = quick(backbone="seq").fit(*task)
        assert model.net_.module_.head.in_features == 3
    finally:
        unregister_component("backbone", "seq")


def test_numbers_too_large_for_the_type_of_the_model(task):
    model = quick(dtype="float32").fit(*task)
    with pytest.raises(ValueError, match="too large for float32"):
        model.predict(np.full((2, 6), 1e39))


def test_large_losses_of_double_precision_are_not_divergence(task):
    X, y = task[0].astype(float) * 1e60, task[1]
    listener = sc.Callback()
    listener_class = type("L", (sc.Callback,), {"on_batch_end": lambda *a, **k: None})
    curves = [
        quick(callbacks=[c], lr=1e-30, max_epochs=2).fit(X, y).loss_curve_
        for c in (listener, listener_class())
    ]
    assert curves[0] == pytest.approx(curves[1])


def test_callbacks_are_copied(task):
    mine = Marked()
    quick(callbacks=[("mine", mine)]).fit(*task)
    assert not hasattr(mine, "seen")


# -- pickling ------------------------------------------------------------------


def test_a_pickle_holds_plain_arrays_only(task):
    model = quick().fit(*task)
    data = pickle.dumps(model)
    text = [str(arg) for op, arg, _ in pickletools.genops(data) if arg is not None]
    modules = {t.partition(" ")[0].partition(".")[0] for t in text}
    assert not modules & {"torch", "skorch"}
    n_weights = sum(w.numel() for w in model.net_.module_.parameters())
    assert len(data) < 4 * n_weights + 4000
    again = pickle.loads(data)
    np.testing.assert_array_equal(
        again.decision_function(task[0]), model.decision_function(task[0])
    )
    pd.testing.assert_frame_equal(again.history_, model.history_)


def test_unpickling_follows_the_model_not_later_parameters(task):
    model = quick().set_params(backbone__hidden=(7,)).fit(*task)
    model.set_params(backbone__hidden=(3,))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        again.decision_function(task[0]), model.decision_function(task[0])
    )


def test_an_unpickled_model_goes_on_training(task):
    model = pickle.loads(pickle.dumps(quick(warm_start=True).fit(*task)))
    first = model.loss_curve_[0]
    assert model.fit(*task).loss_curve_[-1] < first
    assert model.partial_fit(*task).n_iter_ == 11


def test_a_model_from_another_device_comes_to_the_cpu(task):
    model = quick().fit(*task)
    state = model.__getstate__()
    state["device_"] = "cuda:77"
    again = NetClassifier.__new__(NetClassifier)
    again.__setstate__(state)
    assert again.device_ == "cpu"
    np.testing.assert_array_equal(again.predict(task[0]), model.predict(task[0]))
