"""ImageTranslator: what it learns, keeps, refuses, and never depends on."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from skorch.callbacks import Callback

from mlmi_sklearn.exceptions import TrainingDivergedError
from mlmi_sklearn.generation.translation import ImageTranslator
from mlmi_sklearn.generation.translation_quality import looks_of
from mlmi_sklearn.metrics import frechet_distance
from mlmi_sklearn.specs import make_spec

SMALL = make_spec("generator", "unet", channels=(8, 16))


def images(n=40, seed=0, shape=(8, 10), dtype=np.uint8):
    """Stripes of a random width and phase, 8-bit."""
    rng = np.random.default_rng(seed)
    place = np.arange(shape[-1]) / rng.uniform(1, 3, (n, 1))
    row = 0.5 + 0.5 * np.sin(place + rng.uniform(0, 6, (n, 1)))
    row = row.reshape(n, *[1] * (len(shape) - 1), shape[-1])
    X = np.broadcast_to(row, (n, *shape)) * 200 + 20
    return X.astype(dtype)


def fitted(X, y=None, X_target=None, **params):
    params = {"max_iter": 3, "batch_size": 4, "random_state": 0, **params}
    if np.ndim(X) > 2:
        params = {"generator": SMALL, **params}
    return ImageTranslator(**params).fit(X, y, X_target=X_target)


@pytest.fixture(scope="module")
def paired():
    X = images()
    return fitted(X, 255 - X, max_iter=120, batch_size=8), X


@pytest.fixture(scope="module")
def unpaired():
    X, Y = images(), images(30, seed=1).astype(np.int16) * -10
    return fitted(X, X_target=Y, max_iter=20), X, Y


# -- what is learned -----------------------------------------------------------------


def test_pairs_teach_a_function(paired):
    translator, _ = paired
    new = images(20, seed=7)
    error = np.abs(translator.transform(new) - (255.0 - new)).mean()
    assert error < 0.15 * np.abs(255.0 - 2.0 * new).mean()
    assert translator.score(new, 255 - new) > 0.8


def test_each_pixel_is_told_apart_from_its_neighbours():
    # A shift by a pixel cannot be learned pixel by pixel.
    X = images(60)
    Y = np.roll(X, 1, axis=2)
    new = images(20, seed=5)
    made = fitted(X, Y, max_iter=150, batch_size=8).transform(new)
    gap = np.abs(made[:, :, 2:-2].astype(float) - np.roll(new, 1, 2)[:, :, 2:-2])
    stay = np.abs(new[:, :, 2:-2].astype(float) - np.roll(new, 1, 2)[:, :, 2:-2])
    assert gap.mean() < 0.5 * stay.mean()


def test_unpaired_images_take_the_look_of_the_target():
    X, Y = images(40), images(40, seed=1) // 4 + 150
    translator = fitted(X, X_target=Y, max_iter=80, batch_size=8, identity=0.0)
    made = translator.transform(X).astype(float)
    assert abs(made.mean() - Y.mean()) < 0.3 * abs(X.mean() - Y.mean())
    looks = [looks_of(translator._target.codec.encode(A)) for A in (Y, X)]
    assert translator.score(X) > -0.3 * frechet_distance(*looks, features="raw")
    cycled = translator.inverse_transform(made)
    assert np.corrcoef(cycled.ravel(), X.ravel())[0, 1] > 0.8


def test_rows_are_translated_with_a_plain_net():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    Y = np.stack([X[:, 0] ** 2 * 1e4, X[:, 1] + X[:, 2]], 1)
    translator = fitted(X, Y, max_iter=300, batch_size=32)
    assert translator.score(X, Y) > 0.8
    assert translator.transform(X).shape == Y.shape


@pytest.mark.parametrize("loss", ["nonsaturating", "minimax", "hinge", "wgan-gp"])
@pytest.mark.parametrize("way", ["y", "X_target"])
def test_every_loss_trains(loss, way):
    X = images(10)
    translator = fitted(X, **{way: 255 - X}, loss=loss)
    assert np.isfinite(translator.history_.drop(columns="epoch").to_numpy()).all()


def test_weights_of_the_losses_count():
    X = images(20)
    far = fitted(X, 255 - X, l1=0.0, max_iter=40)
    near = fitted(X, 255 - X, l1=100.0, max_iter=40)
    assert near.history_["l1"].iloc[-1] < 0.7 * far.history_["l1"].iloc[-1]
    with_cycle = fitted(X, X_target=X[::-1], cycle=10.0, max_iter=25)
    without = fitted(X, X_target=X[::-1], cycle=0.0, max_iter=25)
    last = [t.history_["cycle"].iloc[-1] for t in (with_cycle, without)]
    assert last[0] < 0.7 * last[1]
    assert "identity" in with_cycle.history_
    assert "identity" not in without.history_


# -- shapes, types, units ------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((7, 9), (7, 9)),
        ((7, 9), (3, 7, 9)),
        ((2, 8, 5), (16, 10)),
        ((1, 4, 5, 6), (2, 4, 5, 6)),
        ((1, 1, 4), (1, 4)),
    ],
)
def test_any_shape_becomes_any_other_of_as_many_axes(source, target):
    X, Y = images(6, shape=source), images(6, 1, target).astype(np.int16) - 300
    for way in ("y", "X_target"):
        translator = fitted(X, **{way: Y}, max_iter=1)
        made = translator.transform(X[:5])
        assert made.shape == (5, *target)
        assert made.dtype == np.int16
        assert made.min() >= Y.min()
        assert made.max() <= Y.max()
    assert translator.inverse_transform(Y).shape == X.shape
    assert translator.inverse_transform(Y).dtype == X.dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, bool])
def test_images_keep_the_type_of_the_target(dtype):
    X = images(6)
    Y = (X > 100) if dtype is bool else X.astype(dtype) * 3
    assert fitted(X, Y).transform(X).dtype == dtype


def test_rows_keep_the_type_of_x_and_the_names_of_the_target():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=list("abc"))
    Y = pd.DataFrame({"p": X["a"], "q": X["b"]})
    translator = fitted(X, Y).set_output(transform="pandas")
    assert list(translator.transform(X).columns) == ["p", "q"]
    assert fitted(X, X_target=Y).get_feature_names_out().tolist() == ["p", "q"]
    assert fitted(X).get_feature_names_out().tolist() == ["a", "b", "c"]
    X32 = X.to_numpy(np.float32)
    assert fitted(X32, Y["p"]).transform(X32).dtype == np.float32
    assert fitted(X32, Y["p"]).transform(X32).shape == (20, 1)


def test_images_have_no_columns_and_survive_set_output():
    X = images(6)
    translator = fitted(X, X)
    assert not hasattr(translator, "get_feature_names_out")
    with config_context(transform_output="pandas"):
        assert isinstance(translator.transform(X), np.ndarray)


def test_without_a_target_x_is_its_own():
    X = images(12)
    translator = fitted(X, max_iter=60)
    assert translator.transform(X).dtype == X.dtype
    assert translator.score(X, X) > 0.5


# -- determinism ---------------------------------------------------------------------


@pytest.mark.parametrize("way", ["y", "X_target"])
def test_one_seed_one_result_and_global_generators_are_left_alone(way):
    X = images(12)
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = fitted(X, **{way: 255 - X}, augment=["flip", "translation"])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    torch.manual_seed(99)
    again = fitted(X, **{way: 255 - X}, augment=["flip", "translation"])
    assert (first.transform(X) == again.transform(X)).all()
    pd.testing.assert_frame_equal(
        first.history_.drop(columns="dur"), again.history_.drop(columns="dur")
    )
    other = fitted(X, **{way: 255 - X}, random_state=1)
    assert (first.transform(X) != other.transform(X)).any()


def test_an_image_does_not_see_its_companions(paired, unpaired):
    translator, X = paired
    whole = translator.transform(X)
    assert (translator.transform(X[3:4]) == whole[3:4]).all()
    assert (translator.transform(X[::-1]) == whole[::-1]).all()
    there_and_back, _, Y = unpaired
    back = there_and_back.inverse_transform(Y)
    assert (there_and_back.inverse_transform(Y[5:7]) == back[5:7]).all()


def test_rows_do_not_see_their_companions_to_the_last_bit():
    X = np.random.default_rng(0).normal(size=(1000, 5))
    translator = fitted(X, X[:, :2])
    whole = translator.transform(X)
    assert (translator.transform(X[700:703]) == whole[700:703]).all()


def test_inputs_are_left_as_they_are(unpaired):
    _, X, Y = unpaired
    a, b = X.copy(), Y.copy()
    for array in (a, b):
        array.setflags(write=False)
    translator = fitted(a, X_target=b)
    translator.transform(a)
    translator.inverse_transform(b)
    assert (a == X).all()
    assert (b == Y).all()


def test_training_pairs_are_changed_alike():
    """With Y = X, a net that copies stays right whatever the change."""
    X = images(12, dtype=np.float32)
    seen = []

    def change(batch, generator):
        seen.append(batch.clone())
        return batch.flip(-1)

    fitted(X, X, augment=change)
    assert all(b.shape[1] == 2 and torch.equal(b[:, 0], b[:, 1]) for b in seen)
    seen.clear()
    fitted(X, X_target=X, augment=change)
    assert all(b.shape[1] == 1 for b in seen)


# -- life cycle ----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["y", "X_target"])
def test_a_pickle_holds_plain_arrays_and_translates_alike(way):
    X = images(8)
    translator = fitted(X, **{way: 255 - X})
    state = translator.__getstate__()
    assert all(isinstance(w, np.ndarray) for w in state["net_"].values())
    again = pickle.loads(pickle.dumps(translator))
    assert (again.transform(X) == translator.transform(X)).all()
    assert hasattr(again, "inverse_transform") == (way == "X_target")
    again.partial_fit(X, **{way: 255 - X})


def test_steps_are_counted_exactly():
    X = images(10)
    translator = fitted(X, X, max_iter=101)
    assert translator.n_iter_ == 101
    assert translator.history_["step"].tolist() == [100, 101]
    translator.set_params(warm_start=True, max_iter=5).fit(X, X)
    assert translator.n_iter_ == 106
    translator.partial_fit(X, X)
    assert translator.n_iter_ == 109  # 10 rows in batches of 4


def test_warm_start_goes_on_from_the_weights():
    X = images(20)
    translator = fitted(X, 255 - X, max_iter=60, warm_start=True)
    first = translator.history_["l1"].iloc[0]
    translator.set_params(max_iter=1).fit(X, 255 - X)
    assert translator.history_["l1"].iloc[-1] < 0.7 * first


def test_a_failed_fit_leaves_the_estimator_as_it_was(paired):
    translator, X = paired
    before = translator.transform(X)
    copy = pickle.loads(pickle.dumps(translator))
    with pytest.raises(ValueError, match="inconsistent numbers"):
        copy.fit(X, X[:5])
    with pytest.raises(ValueError, match="shape"):
        copy.partial_fit(X[:, :4], X)
    assert (copy.transform(X) == before).all()
    fresh = ImageTranslator(max_iter=1)
    with pytest.raises(ValueError, match="holds rows"):
        fresh.fit(X, np.zeros(len(X)))
    assert not [a for a in vars(fresh) if a.endswith("_")]


def test_divergence_is_told():
    X = images(10)
    with pytest.raises(TrainingDivergedError):
        fitted(X, 255 - X, lr=1e30, max_iter=30, optimizer="sgd")


def test_callbacks_hear_every_batch():
    class Count(Callback):
        heard = 0

        def on_batch_end(self, net, **kwargs):
            type(self).heard += 1

    X = images(10)
    loud = fitted(X, 255 - X, callbacks=[Count()], max_iter=6)
    assert Count.heard == 6
    silent = fitted(X, 255 - X, max_iter=6)
    assert (loud.transform(X) == silent.transform(X)).all()


def test_verbose_shows_a_bar(capsys):
    X = images(8)
    fitted(X, X, verbose=1)
    assert "ImageTranslator" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["y", "X_target"])
def test_double_precision_and_other_nets(way):
    X = images(8)
    translator = fitted(
        X,
        **{way: 255 - X},
        dtype="float64",
        generator="conv",
        discriminator="strided-conv",
        ema=0.0,
        lr_schedule="constant",
    )
    assert next(translator.generator_.parameters()).dtype == torch.float64
    pairs = zip(
        translator.generator_.parameters(),
        translator.ema_generator_.parameters(),
        strict=True,
    )
    assert all(torch.equal(a, b) for a, b in pairs)
    assert translator.transform(X).shape == X.shape


def test_parameters_of_the_parts_can_be_searched():
    X = images(12)
    search = GridSearchCV(
        ImageTranslator("unet", max_iter=2, batch_size=4, random_state=0),
        {"generator__channels": [(4, 8), (8,)], "l1": [10.0]},
        cv=2,
        error_score="raise",
    ).fit(X, 255 - X)
    assert np.isfinite(search.best_score_)


def test_in_front_of_a_classifier():
    X, Y = images(20), images(15, seed=1) // 2
    labels = np.arange(20) % 2
    flat = make_pipeline(ImageTranslator(max_iter=2, random_state=0), SVC()).fit(
        X.reshape(20, -1), labels, imagetranslator__X_target=Y.reshape(15, -1)
    )
    assert set(flat.predict(X.reshape(20, -1))) <= {0, 1}
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(clone(flat[0]), SVC())
        routed.fit(X.reshape(20, -1), labels, X_target=Y.reshape(15, -1))
    assert (routed.predict(X.reshape(20, -1)) == flat.predict(X.reshape(20, -1))).all()


# -- scores --------------------------------------------------------------------------


def test_scores_are_what_they_say(paired):
    translator, X = paired
    truth = 255 - X
    made = translator.transform(X).astype(float)
    l1 = clone(translator).set_params(scoring="l1")
    l1.__dict__.update({**vars(translator), "scoring": "l1"})
    assert l1.score(X, truth) == pytest.approx(-np.abs(made - truth).mean())
    metrics = pytest.importorskip("skimage.metrics")
    width = float(truth.max()) - float(truth.min())
    wanted = [
        metrics.structural_similarity(a, b.astype(float), data_range=width)
        for a, b in zip(made, truth, strict=True)
    ]
    assert translator.score(X, truth) == pytest.approx(np.mean(wanted), abs=1e-6)


def test_without_truth_looks_are_compared(unpaired):
    translator, X, _ = unpaired
    assert translator.score(X) < 0
    far = pickle.loads(pickle.dumps(translator))
    far._looks = far._looks + 3.0
    assert far.score(X) < translator.score(X) - 10
    cycle = pickle.loads(pickle.dumps(translator)).set_params(scoring="cycle")
    back = translator.inverse_transform(translator.transform(X)).astype(float)
    assert cycle.score(X) == pytest.approx(-np.abs(back - X).mean())


def test_scores_are_weighted_means(paired, unpaired):
    translator, X = paired
    weight = np.zeros(len(X))
    weight[[2, 5]] = 1, 3
    for scoring in ("auto", "l1", "r2"):
        one = pickle.loads(pickle.dumps(translator)).set_params(scoring=scoring)
        rows = [2, 5, 5, 5]
        found = one.score(X, 255 - X, sample_weight=weight)
        assert found == pytest.approx(one.score(X[rows], 255 - X[rows]))
    with pytest.raises(ValueError, match="sample_weight is for means"):
        unpaired[0].score(X, sample_weight=weight)


@pytest.mark.parametrize(
    ("scoring", "message"),
    [("auto", "score needs y"), ("ssim", "score needs y"), ("cycle", "unpaired")],
)
def test_a_score_that_cannot_be_is_refused(paired, scoring, message):
    translator = pickle.loads(pickle.dumps(paired[0])).set_params(scoring=scoring)
    with pytest.raises(ValueError, match=message):
        translator.score(paired[1])


def test_similarity_of_rows_is_refused():
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match="'ssim' is for images"):
        fitted(X, X, scoring="ssim").score(X, X)


# -- errors --------------------------------------------------------------------------


def test_no_way_back_from_pairs(paired, unpaired):
    assert not hasattr(paired[0], "inverse_transform")
    with pytest.raises(AttributeError, match="inverse_transform") as caught:
        paired[0].inverse_transform(paired[1])
    assert "unpaired" in str(caught.value.__cause__)
    assert hasattr(unpaired[0], "inverse_transform")
    assert not hasattr(ImageTranslator(paired=True), "inverse_transform")
    assert hasattr(ImageTranslator(), "inverse_transform")


X8 = images(8)


@pytest.mark.parametrize(
    ("params", "arguments", "message"),
    [
        ({"paired": True}, {"y": X8, "X_target": X8}, "X_target was passed"),
        ({"paired": True}, {}, "got y=None"),
        ({"paired": False}, {"y": X8}, "needs X_target="),
        ({}, {"y": np.zeros((8, 4))}, "y of shape .8, 4. holds rows"),
        ({}, {"X_target": np.zeros(8)}, "X_target of shape .8,. holds rows"),
        ({}, {"y": np.full(X8.shape, np.nan)}, "Input y contains NaN"),
        ({"loss": "acgan"}, {"y": X8}, "teaches classes"),
        ({"preprocess": "log"}, {"y": X8}, "preprocess"),
        ({"preprocess": (3, 1)}, {"y": X8}, "low < high"),
        ({"pool_size": -1}, {"y": X8}, "pool_size"),
        ({"batch_size": 1}, {"y": X8}, "batch_size"),
        ({"generator": "mlp"}, {"y": X8}, "takes a vector"),
        ({"generator": "no-such"}, {"y": X8}, "no-such"),
    ],
)
def test_bad_arguments_are_named(params, arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageTranslator(max_iter=1, **params).fit(X8, **arguments)


def test_rows_refuse_what_is_for_images():
    X = np.random.default_rng(0).normal(size=(9, 3))
    with pytest.raises(ValueError, match="is for images"):
        fitted(X, X, preprocess="full")
    with pytest.raises(ValueError, match="judges images"):
        fitted(X, X, discriminator="patch")


def test_other_shapes_than_in_fit_are_refused(unpaired):
    translator, X, Y = unpaired
    with pytest.raises(ValueError, match=r"shape \(4, 10\)"):
        translator.transform(X[:, :4])
    with pytest.raises(ValueError, match=r"Y has samples of shape \(4, 10\)"):
        translator.inverse_transform(Y[:, :4])
    with pytest.raises(ValueError, match="unpaired samples, now they are paired"):
        pickle.loads(pickle.dumps(translator)).partial_fit(X, X)
    with pytest.raises(ValueError, match="Targets have shape"):
        pickle.loads(pickle.dumps(translator)).partial_fit(X, X_target=Y[:, :4])
