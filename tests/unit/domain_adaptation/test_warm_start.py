"""Training that goes on: partial_fit, warm_start, early stopping, callbacks."""

import numpy as np
import pytest
from skorch.callbacks import Callback

from mlmi_sklearn.exceptions import DomainWarning


class Listener(Callback):
    """Listens to batches, which takes the net onto skorch's own path."""

    def on_batch_end(self, net, batch=None, **kwargs):
        assert len(batch[0]) > 0


SETTINGS = [
    {},
    {"target_labels": "use"},
    {"divergence": "cdan", "entropy": 0.1, "partial": True},
    {"domain_norm": "shared", "early_stopping": True},
]


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("params", SETTINGS, ids=str)
def test_listeners_change_nothing(domains, dann, params, several):
    X, y, ids = domains(n=60, m=37)
    if several:
        ids = np.where(ids > 0, np.arange(97) % 2, ids)
    lean = dann(**params, max_epochs=3).fit(X, y, ids)
    skorch = dann(**params, max_epochs=3, callbacks=[Listener()]).fit(X, y, ids)
    ours, theirs = (m.net_.module_.state_dict() for m in (lean, skorch))
    for name, value in ours.items():
        np.testing.assert_array_equal(value.numpy(), theirs[name].numpy())
    for column in ("train_loss", "domain_loss", "lambda"):
        # Means of weighted losses count batches by their weights, or by their rows.
        rtol = 0.02 if column == "train_loss" else 1e-6
        np.testing.assert_allclose(
            lean.history_[column], skorch.history_[column], rtol=rtol
        )


def test_the_history_has_the_loss_of_labels_alone(toy, dann):
    """The weights of the first epoch are the same, so its first loss must be."""
    X, y, ids = toy
    settings = {"max_epochs": 1, "batch_size": 100, "domain_norm": "separate"}
    plain = dann(lambda_=0, **settings).fit(X, y, ids)
    ours = dann(lambda_=5.0, lambda_schedule="constant", entropy=1.0, **settings)
    ours.fit(X, y, ids)
    assert ours.loss_curve_[0] == pytest.approx(plain.loss_curve_[0], rel=1e-5)
    assert ours.history_["domain_loss"][0] > 0.5


def test_partial_fit_announces_classes(toy, dann):
    X, y, ids = toy
    model = dann(diagnostics=True)
    some = (ids < 0) | (y < 2)
    model.partial_fit(X[some], y[some], [0, 1, 2], ids[some])
    assert model.classes_.tolist() == [0, 1, 2]
    model.partial_fit(X, y, sample_domain=ids)
    assert model.predict_proba(X).shape == (70, 3)
    with pytest.raises(ValueError, match="not the same as in the first call"):
        model.partial_fit(X, y, [0, 1], ids)
    with pytest.raises(ValueError, match="knows only"):
        model.partial_fit(X, np.where(ids > 0, y + 1, y), sample_domain=ids)


def test_partial_fit_with_markers(toy, dann, mme):
    X, y, ids = toy
    masked = np.where(ids < 0, -1, y)
    for model in (dann(), mme()):
        model.partial_fit(X, masked, [0, 1, 2]).partial_fit(X, masked)
        assert (model.n_iter_, model.n_target_) == (2, 30)


def test_epochs_of_partial_fit_are_counted_in_the_schedules(toy, dann):
    X, y, ids = toy
    whole = dann(max_epochs=4).fit(X, y, ids)
    steps = dann(max_epochs=4)
    for _ in range(4):
        steps.partial_fit(X, y, sample_domain=ids)
    assert steps.n_iter_ == 4
    np.testing.assert_allclose(steps.lambda_path_, whole.lambda_path_)
    np.testing.assert_allclose(steps.history_["lr"], whole.history_["lr"])
    assert len(steps.history_) == len(steps.lambda_path_)


def test_targets_that_come_and_go(toy, dann):
    X, y, ids = toy
    s = ids > 0
    model = dann(warm_start=True, diagnostics=True).fit(X[s], y[s])
    assert (model.n_target_, model.domains_.size) == (0, 0)
    model.fit(X, y, ids)
    assert (model.n_target_, model.domains_.tolist()) == (30, [1, -1])
    assert set(model.pad_) >= {"input", "features"}
    model.fit(X[s], y[s])
    assert (model.n_target_, model.pad_) == (0, {})
    assert model.lambda_path_[[0, 1, 4, 5]].tolist() == [0] * 4
    assert (model.lambda_path_[2:4] > 0).all()
    model.fit(X, y, np.where(s, 3, -8))  # two domains more
    assert model.domains_.tolist() == [1, -1, 3, -8]
    assert np.isfinite(model.predict_proba(X)).all()


def test_warm_start_continues_and_a_plain_fit_does_not(toy, dann):
    X, y, ids = toy
    model = dann(warm_start=True, max_epochs=4).fit(X, y, ids)
    losses = list(model.loss_curve_)
    model.fit(X, y, ids)
    assert model.loss_curve_[:4] == losses
    assert model.n_iter_ == 8
    assert model.loss_curve_[4] < losses[0]
    model.set_params(warm_start=False).fit(X, y, ids)
    assert model.loss_curve_ == losses


@pytest.mark.parametrize("name", ["dann", "cdan"])
def test_a_critic_of_several_domains_learns_no_new_one(toy, dann, name):
    X, y, ids = toy
    three = np.where(ids > 0, np.arange(70) % 2, ids)
    model = dann(divergence=name).partial_fit(X, y, sample_domain=three)
    model.partial_fit(X, y, sample_domain=ids)  # a part of them
    model.partial_fit(X[ids > 0], y[ids > 0])  # and none at all
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"new domains \[7\]"):
        model.partial_fit(X, y, sample_domain=np.where(ids > 0, 7, ids))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert sorted(model.domains_.tolist()) == [-1, 0, 1]


def test_what_needs_all_data_at_once(toy, dann):
    X, y, ids = toy
    for params, word in (
        ({"label_shift": "em"}, "label_shift"),
        ({"selection": "safe"}, "selection"),
        ({"class_weight": "balanced"}, "class_weight"),
    ):
        with pytest.raises(ValueError, match=f"{word}=.*needs all data at once"):
            dann(**params).partial_fit(X, y, sample_domain=ids)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("params", [{}, {"lambda_": 0}, {"verbose": 1}], ids=str)
def test_early_stopping_judges_the_source(domains, dann, params, several, capsys):
    X, y, ids = domains(n=80, m=30)
    if several:
        ids = np.where(ids > 0, np.arange(110) % 3, ids)
    model = dann(
        early_stopping=True, max_epochs=30, n_iter_no_change=2, tol=1.0, **params
    ).fit(X, y, ids)
    assert model.n_iter_ < 30
    assert model.history_["valid_score"].between(0, 1).all()
    other = dann(
        early_stopping=True, max_epochs=30, n_iter_no_change=2, tol=1.0, **params
    ).fit(X, np.where(ids < 0, 2, y), ids)
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))
    capsys.readouterr()


def test_verbose_with_several_sources(toy, dann, capsys):
    X, y, ids = toy
    dann(verbose=1).fit(X, y, np.where(ids > 0, np.arange(70) % 2, ids))
    assert "score" in capsys.readouterr().err


def test_a_target_that_is_gone_is_said_only_if_meant(toy, dann):
    X, y, ids = toy
    model = dann().partial_fit(X, y, sample_domain=ids)
    with pytest.warns(DomainWarning, match="names no row of a target"):
        model.partial_fit(X, y, sample_domain=np.abs(ids))
