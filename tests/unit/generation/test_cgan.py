"""CGANSampler: every choice trains, samples are as asked, failures name a cause."""

from __future__ import annotations

import pickle
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

from mlmi_sklearn import CGANSampler
from mlmi_sklearn.exceptions import FitInterruptedWarning, TrainingDivergedError
from mlmi_sklearn.generation.net import GANNet

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = np.arange(60) % 3
X[:, 0] += 4 * Y
FRAME = pd.DataFrame(
    {
        "age": RNG.integers(20, 90, 60),
        "sex": RNG.choice(["f", "m"], 60),
        "site": pd.Categorical(RNG.choice(["a", "b", "c"], 60)),
        "dose": np.round(RNG.gamma(2, 1, 60), 1),
        "ill": RNG.random(60) < 0.4,
        "marker": np.where(RNG.random(60) < 0.2, np.nan, RNG.normal(size=60)),
    }
)
IMAGES = RNG.normal(size=(20, 1, 9, 12)).astype(np.float32)


def sampler(**params):
    return CGANSampler(**{"max_iter": 12, "random_state": 0, **params})


CHOICES = [
    {"loss": "minimax"},
    {"loss": "lsgan"},
    {"loss": "hinge"},
    {"loss": "wgan-gp"},
    {"loss": "acgan"},
    {"conditioning": "projection"},
    {"r1": 0.0},
    {"gradient_penalty": 1.0},
    {"spectral_norm": True},
    {"minibatch_std": True},
    {"diversity": 0.5},
    {"ema": 0.0},
    {"n_critic": 3},
    {"lr_discriminator": 1e-4},
    {"lr_schedule": "cosine"},
    {"optimizer": "rmsprop"},
    {"optimizer": "adamw", "weight_decay": 0.1},
    {"balanced_batches": False},
    {"preprocess": StandardScaler()},
    {"augment": "noise"},
    {"augment": ["noise", "feature-dropout"]},
    {"dtype": "float64"},
    {"latent_dim": 1},
    {"generator": "mlp", "discriminator": "mlp"},
]


@pytest.fixture(scope="module")
def plain():
    """Return samples of a model without any choice."""
    return sampler().fit(X, Y).sample(7, random_state=0)[0]


@pytest.mark.parametrize("params", CHOICES, ids=str)
def test_every_choice_changes_the_model_and_draws_finite_samples(params, plain):
    model = sampler(**params).fit(X, Y)
    samples, y = model.sample(7, random_state=0)
    assert samples.shape == (7, 4)
    assert np.isfinite(samples).all()
    assert set(y) <= {0, 1, 2}
    if params not in ({"generator": "mlp", "discriminator": "mlp"},):
        assert not np.array_equal(samples, plain)


@pytest.mark.parametrize("augment", ["translation", "cutout", "flip", "brightness"])
def test_augmentations_of_images(augment):
    model = sampler(augment=augment, max_iter=3).fit(IMAGES, np.arange(20) % 2)
    assert model.sample(2)[0].shape == (2, 1, 9, 12)


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (RNG.integers(0, 60000, (12, 9, 14)).astype(np.uint16), (9, 14)),
        (RNG.integers(-900, 900, (12, 1, 8, 8)).astype(np.int16), (1, 8, 8)),
        (RNG.normal(size=(12, 2, 5, 6, 7)), (2, 5, 6, 7)),
    ],
)
def test_images_come_back_in_their_type_and_range(images, shape):
    found, _ = sampler(max_iter=3).fit(images, np.arange(12) % 2).sample(5)
    assert found.shape == (5, *shape)
    assert found.dtype == images.dtype
    assert images.min() <= found.min() <= found.max() <= images.max()


# -- tables ---------------------------------------------------------------------------


def test_table_comes_back_in_its_columns_types_and_grids():
    found, _ = sampler(max_iter=60).fit(FRAME).sample(200)
    assert (found.dtypes == FRAME.dtypes).all()
    assert list(found.site.cat.categories) == ["a", "b", "c"]
    for column in ("sex", "ill"):
        assert found[column].isin(FRAME[column]).all()
    assert_allclose(found.dose * 10, np.round(found.dose * 10), atol=1e-9)
    assert found.age.between(FRAME.age.min(), FRAME.age.max()).all()
    assert found.marker.isna().any()


def test_shares_of_categories_are_those_of_the_data():
    frame = pd.DataFrame({"x": RNG.normal(size=400)})
    frame["site"] = RNG.choice(["a", "b", "c"], 400, p=[0.9, 0.06, 0.04])
    found, _ = sampler(max_iter=150).fit(frame).sample(20_000, random_state=0)
    real, made = (f.site.value_counts(normalize=True) for f in (frame, found))
    assert (real - made).abs().max() < 0.02


def test_polars_and_object_arrays():
    polars = pytest.importorskip("polars")
    model = sampler().fit(polars.from_pandas(FRAME[["age", "dose"]]))
    assert list(model.sample(2)[0].columns) == ["age", "dose"]
    words, _ = (
        sampler(categorical_features=[0, 1]).fit([["a", "x"], ["b", "y"]] * 9).sample(9)
    )
    assert set(np.asarray(words)[:, 0]) <= {"a", "b"}
    mixed = np.array([[1.5, "a"], [2.5, "b"], [0.5, "a"]] * 6, dtype=object)
    found, _ = sampler(categorical_features=[1]).fit(mixed).sample(9)
    assert set(np.asarray(found)[:, 1]) <= {"a", "b"}


# -- conditions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", [np.array([2, 0, 0]), [2, 0, 0], pd.Series([2, 0, 0], index=[5, 6, 7])]
)
def test_conditions_are_returned_as_asked(asked):
    _, y = sampler().fit(X, Y).sample(y=asked)
    assert_array_equal(np.asarray(y), [2, 0, 0])


def test_a_constant_condition_is_obeyed():
    model = sampler(max_iter=400).fit(X, Y)
    means = [model.sample(200, y=c, random_state=0)[0][:, 0].mean() for c in range(3)]
    assert_allclose(means, [0, 4, 8], atol=1.0)


def test_continuous_condition_is_obeyed():
    y = RNG.uniform(-1, 1, 300)
    values = np.c_[3 * y + RNG.normal(0, 0.1, 300), RNG.normal(size=300)]
    model = sampler(max_iter=600).fit(values, y)
    found, given = model.sample(y=np.repeat([-0.8, 0.0, 0.8], 100), random_state=0)
    assert np.corrcoef(found[:, 0], given)[0, 1] > 0.9
    assert not hasattr(model, "classes_")


def test_table_of_conditions_and_a_vector_beside_it():
    conditions = FRAME[["sex", "age"]]
    model = sampler().fit(X, conditions, condition=X[:, :2])
    found, y = model.sample(y=conditions.iloc[:5], condition=X[:5, :2])
    assert found.shape == (5, 4)
    pd.testing.assert_frame_equal(y, conditions.iloc[:5])
    found, y = model.sample(3, condition=X[:1, :2])
    assert len(found) == len(y) == 3


def test_maps_of_another_size_are_resized():
    maps = RNG.normal(size=(20, 2, 5, 6))
    model = sampler(max_iter=3).fit(IMAGES, condition=maps)
    found, y = model.sample(condition=maps[:4])
    assert found.shape == (4, 1, 9, 12)
    assert y is None
    other, _ = model.sample(condition=-maps[:4], random_state=0)
    assert not np.array_equal(
        other, model.sample(condition=maps[:4], random_state=0)[0]
    )


def test_conditions_drawn_are_those_of_training():
    y = np.repeat(["rare", "common"], [6, 54])
    _, found = sampler().fit(X, y).sample(2000, random_state=0)
    assert abs((found == "rare").mean() - 0.1) < 0.03


# -- randomness -----------------------------------------------------------------------


def test_global_generators_are_left_alone():
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    model = sampler(augment="noise").fit(X, Y)
    model.sample(3)
    model.score(X, Y)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])


def test_pickle_draws_the_same_and_goes_on_with_the_series():
    model = sampler().fit(FRAME, Y)
    model.sample(2)
    copied = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(model.sample(4)[0], copied.sample(4)[0])
    assert_array_equal(model.score_samples(FRAME, Y), copied.score_samples(FRAME, Y))


def test_many_rows_need_no_more_memory_than_they_hold():
    model = sampler().fit(X, Y)
    found, _ = model.sample(3000, y=1, random_state=0)
    assert_array_equal(found[:700], model.sample(700, y=1, random_state=0)[0])


# -- judging --------------------------------------------------------------------------


def zero_logits(model):
    for weight in model.discriminator_.parameters():
        nn.init.zeros_(weight)
    return model


@pytest.mark.parametrize("loss", ["nonsaturating", "hinge", "minimax"])
def test_objective_at_zero_logits(loss):
    model = zero_logits(sampler(loss=loss).fit(X, Y))
    assert_allclose(model.objective(X, Y), [np.log(2), np.log(2) / 2], rtol=1e-6)


def test_objective_is_the_formula():
    model = sampler().fit(X, Y)
    on_fake = np.full(60, 0.7)

    class Fixed(nn.Module):
        """Says 0.7 of samples, and what it said of real ones."""

        def forward(self, x, *_):
            return torch.full((len(x),), 0.7)

    on_real = model.score_samples(X, Y)
    judged, _ = model.objective(X, Y)
    d_real = 1 / (1 + np.exp(-on_real))
    assert judged > -0.5 * np.log(d_real).mean()  # the other term is positive
    model.net_.module_.discriminator = Fixed()
    judged, made = model.objective(X, Y)
    d = 1 / (1 + np.exp(-on_fake))
    wanted = -0.5 * np.log(d).mean() - 0.5 * np.log(1 - d).mean()
    assert_allclose([judged, made], [wanted, -0.5 * np.log(d).mean()], rtol=1e-6)


def test_score_samples_without_conditions_averages_odds():
    model = sampler().fit(X, Y)
    found = model.score_samples(X)
    each = np.stack([model.score_samples(X, np.full(60, c)) for c in range(3)])
    assert (found <= each.max(0) + 1e-9).all()
    assert (found >= each.min(0) - 1e-9).all()


@pytest.mark.parametrize("scoring", ["tstr", "coverage", "c2st", "frechet"])
def test_scores_are_repeatable(scoring):
    model = sampler(scoring=scoring).fit(X, Y)
    assert model.score(X, Y) == model.score(X, Y)


def test_own_scoring_sees_real_and_synthetic_rows():
    seen = {}

    def scoring(X, y, X_synthetic, y_synthetic):
        seen.update(real=X, y=y, made=X_synthetic, asked=y_synthetic)
        return 0.25

    assert sampler(scoring=scoring).fit(X, Y).score(X, Y) == 0.25
    assert_array_equal(seen["asked"], seen["y"])
    assert seen["made"].shape == X.shape


def test_weights_of_zero_leave_rows_out():
    model = sampler(scoring=lambda X, y, a, b: X[:, 0].max()).fit(X, Y)
    weight = (Y == 0).astype(float)
    assert model.score(X, Y, sample_weight=weight) <= X[Y == 0, 0].max()


def test_evaluate_has_the_real_reference_beside_each_metric():
    found = (
        sampler().fit(X, Y).evaluate(X, Y, ["tstr", "coverage"], X_train=X, y_train=Y)
    )
    assert set(found) == {"tstr", "tstr_real", "coverage", "coverage_real"}
    assert found["tstr_real"] > 0.8


def test_sampler_in_a_grid_search():
    search = GridSearchCV(sampler(), {"lr": [1e-3, 1e-4], "generator__hidden": [(8,)]})
    search.set_params(estimator__generator="mlp", cv=2).fit(X, Y)
    assert search.best_estimator_.sample(2)[0].shape == (2, 4)


# -- training -------------------------------------------------------------------------


def test_steps_are_counted_as_asked():
    model = sampler(max_iter=130).fit(X, Y)
    assert model.n_iter_ == model.best_iter_ == 130
    assert model.history_.step.tolist() == [100, 130]
    assert {"discriminator_loss", "generator_loss"} <= set(model.history_)


def test_schedule_ends_where_training_does():
    model = sampler(max_iter=130, lr_schedule="linear").fit(X, Y)
    assert_allclose(model.history_.lr, [1e-3 * (1 - 99 / 130), 1e-3 * (1 - 129 / 130)])


def test_early_stopping_keeps_the_best_generator():
    scores = iter([0.1, 0.9, 0.2, 0.3, 0.1, 0.0])
    model = sampler(
        max_iter=2000,
        early_stopping=True,
        n_iter_no_change=2,
        scoring=lambda *_: next(scores),
    ).fit(X, Y)
    assert model.best_iter_ == 200
    assert model.n_iter_ == 400
    rising = iter([0.1, 0.2])
    shorter = sampler(
        max_iter=200, early_stopping=True, scoring=lambda *_: next(rising)
    )
    shorter.fit(X, Y)
    expected = shorter.sample(5, random_state=0)[0]
    assert_allclose(model.sample(5, random_state=0)[0], expected, rtol=1e-5)


def test_warm_start_and_partial_fit_go_on():
    model = sampler(warm_start=True).fit(X, Y)
    before = model.sample(3, random_state=0)[0]
    model.fit(X, Y)
    assert model.n_iter_ == 24
    assert not np.array_equal(before, model.sample(3, random_state=0)[0])
    online = sampler().partial_fit(X, np.minimum(Y, 1), classes=[0, 1, 2])
    online.partial_fit(X, Y)
    assert online.n_iter_ == 2
    assert_array_equal(online.classes_, [0, 1, 2])


def test_divergence_is_said_and_keeps_what_was_there():
    model = sampler().fit(X, Y)
    before = model.sample(3, random_state=0)[0]
    wild = {"lr": 1e30, "optimizer": "sgd", "max_iter": 200}
    with pytest.raises(TrainingDivergedError, match=r"step \d+"):
        model.set_params(**wild).fit(X, Y)
    assert_array_equal(model.sample(3, random_state=0)[0], before)


def test_ctrl_c_keeps_the_model_so_far(monkeypatch):
    play = GANNet._play

    def interrupted(self, batch):
        if self.steps_done_ == 130:
            raise KeyboardInterrupt
        return play(self, batch)

    monkeypatch.setattr(GANNet, "_play", interrupted)
    model = sampler(max_iter=500)
    with pytest.warns(FitInterruptedWarning, match="interrupted"):
        model.fit(X, Y)
    assert model.best_iter_ == 130
    assert np.isfinite(model.sample(3)[0]).all()


def test_callbacks_that_listen_to_batches_hear_every_step():
    class Count(Callback):
        heard = 0

        def on_batch_end(self, net, **kwargs):
            Count.heard += 1

    listened = sampler(callbacks=[Count()]).fit(X, Y)
    assert Count.heard == 12
    expected = sampler().fit(X, Y).sample(4, random_state=0)[0]
    assert_array_equal(listened.sample(4, random_state=0)[0], expected)


def test_own_modules_are_copied_not_trained():
    critic = nn.Sequential(nn.Linear(4 + 3, 5), nn.LeakyReLU())
    before = critic[0].weight.detach().clone()
    sampler(discriminator=critic).fit(X, Y)
    assert torch.equal(critic[0].weight, before)


# -- errors ---------------------------------------------------------------------------


@cache
def fitted():
    return sampler().fit(X, Y)


@cache
def beside():
    return sampler().fit(X, Y, condition=X[:, 0])


ERRORS = [
    (lambda: fitted().sample(0), ValueError, "n_samples must be at least 1"),
    (lambda: fitted().sample(1.5), TypeError, "whole number"),
    (lambda: fitted().sample(y=[0, 9]), ValueError, r"y contains \[9\]"),
    (lambda: fitted().sample(3, y=[0, 1]), ValueError, "y has 2 rows"),
    (lambda: fitted().sample(condition=[1.0]), ValueError, "fitted without one"),
    (lambda: beside().sample(2), ValueError, "Pass condition="),
    (lambda: beside().sample(y=[0, 1], condition=X[:3, 0]), ValueError, "as many"),
    (lambda: sampler().fit(X).sample(y=[1]), ValueError, "fitted with no y"),
    (lambda: sampler().fit(X, Y[:5]), ValueError, "X has 60, but y has 5"),
    (lambda: sampler().fit(X, condition=X[:5]), ValueError, "condition has 5 rows"),
    (
        lambda: sampler().fit(X, condition=np.zeros((60, 1, 3, 3))),
        ValueError,
        "maps need images",
    ),
    (
        lambda: sampler(max_iter=2).fit(IMAGES, condition=np.zeros((20, 4, 4, 4, 4))),
        ValueError,
        "condition has shape",
    ),
    (lambda: sampler(loss="acgan").fit(X, X[:, 0]), ValueError, "column of classes"),
    (lambda: sampler(generator="conv").fit(X), ValueError, "makes images"),
    (lambda: sampler(generator="cov").fit(X), ValueError, "conv"),
    (lambda: sampler(loss="hing").fit(X), ValueError, "hinge"),
    (lambda: sampler(scoring="tst").fit(X, Y).score(X, Y), ValueError, "tstr"),
    (lambda: sampler(batch_size=1).fit(X), ValueError, "batch_size"),
    (lambda: sampler(condition="class").fit(X, [None] * 60), ValueError, "y"),
    (lambda: fitted().score_samples(X[:, :2]), ValueError, "2 features"),
    (lambda: sampler().fit(np.where(X > 3, np.inf, X)), ValueError, "infinity"),
    (
        lambda: sampler().fit(FRAME.assign(dose=np.inf)),
        ValueError,
        "infinity.*'dose'",
    ),
    (lambda: sampler().sample(2), NotFittedError, "not fitted"),
    (lambda: sampler().fit([["a", "1"], ["b", "2"]]), ValueError, "Pass a DataFrame"),
    (lambda: sampler().set_params(generator__hidden=8), ValueError, "Name it"),
]


@pytest.mark.parametrize(("run", "kind", "message"), ERRORS)
def test_errors_name_the_argument(run, kind, message):
    with pytest.raises(kind, match=message):
        run()


def test_no_warnings_on_real_data():
    values, labels = load_breast_cancer(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampler().fit(values, labels).sample(3)
        sampler().fit(*load_diabetes(return_X_y=True)).sample(3)


def test_clone_is_unfitted_and_equal():
    copied = clone(fitted())
    assert not hasattr(copied, "net_")
    assert copied.get_params() == fitted().get_params()
