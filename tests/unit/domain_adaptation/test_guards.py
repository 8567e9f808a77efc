"""What goes wrong is said, and nothing is lost by it."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.exceptions import DomainWarning, TrainingDivergedError

PARTS = ["pad_", "adaptation_report_", "lambda_path_", "discriminator_accuracy_"]


def messages(model, *data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*data)
    found = [str(w.message) for w in caught if w.category is DomainWarning]
    assert found == model.adaptation_report_.warnings
    return found


def test_a_good_fit_is_silent(domains, dann):
    X, y, ids = domains(n=120, m=120, n_classes=2)
    model = dann(diagnostics=True, max_epochs=15)
    assert messages(model, X, y, ids) == []
    report = model.adaptation_report_
    assert report.pad_features < report.pad_input
    assert "closer than their inputs" in report.verdict
    assert model.pad_ == {
        "input": report.pad_input,
        "features": report.pad_features,
        "features_apart": report.pad_features_apart,
    }
    assert 0 <= model.discriminator_accuracy_ <= 1
    assert model.class_shares_.sum() == pytest.approx(1)
    np.testing.assert_allclose(model.class_shares_, [0.5, 0.5], atol=0.15)


class Blind(nn.Module):
    """A critic that learns nothing."""

    adversarial = True

    def __init__(self, in_features, accuracy):
        super().__init__()
        self.accuracy = accuracy
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, zs, zt):
        return 0 * (zs.sum() + zt.sum()) * self.scale

    def domain_accuracy(self, zs, zt):
        return torch.tensor(self.accuracy)


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [(0.5, "at chance from the first epoch to the last"), (1.0, "without error")],
)
def test_a_critic_that_is_stuck_or_saturated(domains, dann, accuracy, words):
    X, y, ids = domains(n=120, m=120, n_classes=2)

    def critic(in_features):
        return Blind(in_features, accuracy)

    model = dann(divergence=critic, diagnostics=True, max_epochs=5)
    found = messages(model, X, y, ids)
    assert any(words in text for text in found)
    assert model.discriminator_accuracy_ == accuracy
    # Chance is no fault where the domains are alike.
    if accuracy == 0.5:
        X, y, ids = domains(n=120, m=120, n_classes=2, shift=0.0)
        assert not any(words in text for text in messages(model, X, y, ids))


def test_other_class_shares_in_the_target(domains, dann):
    X, y, ids = domains(n=150, m=150, n_classes=2, shift=0.5)
    keep = (ids > 0) | (y == 1) | (np.arange(300) % 10 == 0)
    model = dann(diagnostics=True, max_epochs=10)
    found = messages(model, X[keep], y[keep], ids[keep])
    assert any("Shares of classes seem to differ" in text for text in found)
    assert model.class_shares_[1] > 0.75
    silent = messages(model.set_params(label_shift="em"), X[keep], y[keep], ids[keep])
    assert not any("Shares of classes" in text for text in silent)


def test_negative_transfer(toy, dann, monkeypatch):
    X, y, ids = toy

    def judge(model, rows, labels, domains, random_state):
        assert (model.selection, model.warm_start) == (None, False)
        assert domains is not None
        return 0.5 if model.lambda_ > 0 else 0.8

    place = "mlmi_sklearn.domain_adaptation.transfer.reverse_validation_score"
    monkeypatch.setattr(place, judge)
    hurts = dann(selection="check", lambda_=3.0, warm_start=True, diagnostics=True)
    found = messages(hurts, X, y, ids)
    report = hurts.adaptation_report_
    assert report.reverse_validation == 0.5
    assert report.reverse_validation_source_only == 0.8
    assert any("negative transfer" in text for text in found)
    assert any("Lower lambda_" in text for text in found)
    plain = dann(lambda_=3.0).fit(X, y, ids)
    np.testing.assert_array_equal(hurts.predict_proba(X), plain.predict_proba(X))

    safe = dann(selection="safe", lambda_=3.0)
    assert any("source alone is kept" in text for text in messages(safe, X, y, ids))
    assert safe.adaptation_report_.reverse_validation == 0.5
    alone = dann(lambda_=0).fit(X, y, ids)
    np.testing.assert_array_equal(safe.predict_proba(X), alone.predict_proba(X))
    assert safe.get_params()["lambda_"] == 3.0
    assert safe.lambda_path_.tolist() == [0.0, 0.0]


@pytest.fixture
def judged(monkeypatch):
    """Notes what reverse validation is asked for, and lets scores be chosen."""
    calls, scores = [], {"own": 0.8, "control": 0.8}

    def judge(model, rows, labels, domains, random_state):
        calls.append((model, rows, labels, domains, random_state))
        return scores["own" if model.lambda_ > 0 else "control"]

    place = "mlmi_sklearn.domain_adaptation.transfer.reverse_validation_score"
    monkeypatch.setattr(place, judge)
    return calls, scores


@pytest.mark.parametrize(
    ("seed", "expected"),
    [(7, 7), (np.int64(3), 3), (np.random.RandomState(0), 0), (None, 0)],
    ids=str,
)
def test_both_candidates_are_judged_alike(toy, dann, judged, seed, expected):
    X, y, ids = toy
    calls, _ = judged
    model = dann(
        selection="check", random_state=seed, entropy=0.2, label_shift="em",
        diagnostics=True, callbacks=[], warm_start=True,
    ).fit(X, y, ids)  # fmt: skip
    assert [(m.lambda_, m.entropy) for m, *_ in calls] == [(0.3, 0.2), (0.0, 0.0)]
    for candidate, rows, labels, domains, random_state in calls:
        assert candidate is not model
        assert (candidate.selection, candidate.label_shift) == (None, "em")
        assert (candidate.diagnostics, candidate.warm_start) == (False, False)
        assert candidate.callbacks is None
        assert rows is X
        np.testing.assert_array_equal(labels, y)
        np.testing.assert_array_equal(domains, ids)
        assert random_state == expected
        assert type(random_state) is int


@pytest.mark.parametrize("selection", ["check", "safe"])
@pytest.mark.parametrize(("own", "warned"), [(0.795, False), (0.785, True)])
def test_a_difference_within_the_noise_is_none(
    toy, dann, judged, selection, own, warned
):
    X, y, ids = toy
    judged[1]["own"] = own
    model = dann(selection=selection)
    found = messages(model, X, y, ids)
    assert len(found) == warned
    if warned:
        assert f"scores {own:.3f}, and 0.800 for the source alone. " in found[0]
        end = {"safe": "source alone is kept.", "check": "safe_select choose."}
        assert found[0].endswith(end[selection])
    report = model.adaptation_report_
    assert report.reverse_validation == own
    assert report.reverse_validation_source_only == 0.8
    kept = dann(lambda_=0 if warned and selection == "safe" else 0.3).fit(X, y, ids)
    np.testing.assert_array_equal(model.predict_proba(X), kept.predict_proba(X))


def test_there_is_nothing_to_judge_without_a_divergence(toy, dann, judged):
    X, y, ids = toy
    dann(selection="safe", lambda_=0.0).fit(X, y, ids)
    dann(selection=None).fit(X, y, ids)
    assert judged[0] == []


def test_what_is_kept_of_a_safe_fit_is_trained_with_the_weights(toy, dann, judged):
    X, y, ids = toy
    weight = np.linspace(0.2, 3, 70)
    judged[1]["own"] = 0.1
    with pytest.warns(DomainWarning, match="is kept"):
        safe = dann(selection="safe", entropy=0.3, label_shift="em").fit(
            X, y, ids, weight
        )
    # Weights that make up for a shift of labels are kept as well.
    alone = dann(lambda_=0, label_shift="em").fit(X, y, ids, weight)
    np.testing.assert_array_equal(safe.predict_proba(X), alone.predict_proba(X))
    np.testing.assert_array_equal(safe.class_shares_, alone.class_shares_)
    assert (safe.selection, safe.lambda_, safe.entropy) == ("safe", 0.3, 0.3)
    assert safe.label_shift == "em"


def test_selection_that_is_content_is_silent(domains, dann):
    X, y, ids = domains(n=80, m=80, n_classes=2)
    for selection in ("check", "safe"):
        model = dann(selection=selection, max_epochs=5, lambda_=0.1)
        assert messages(model, X, y, ids) == []
        plain = dann(max_epochs=5, lambda_=0.1).fit(X, y, ids)
        np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
        assert model.adaptation_report_.reverse_validation > 0.5
    names = np.where(ids < 0, "t", "s")
    named = dann(selection="check", max_epochs=5, lambda_=0.1, target_domains=["t"])
    assert messages(named, X, y, names) == []
    ours, theirs = named.adaptation_report_, model.adaptation_report_
    assert ours.reverse_validation == theirs.reverse_validation


def test_selection_without_enough_rows(toy, dann):
    X, y, ids = toy
    rows = np.r_[np.flatnonzero(ids > 0), np.flatnonzero(ids < 0)[:1]]
    found = messages(dann(selection="safe"), X[rows], y[rows], ids[rows])
    assert any("could not be checked" in text for text in found)
    source = ids > 0
    with pytest.warns(DomainWarning, match="no row of a target"):
        dann(selection="safe").fit(X[source], y[source], ids[source])


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"domain_norm": "shared"},
        {"domain_norm": "adabn"},
        {"divergence": "mmd"},
        {"divergence": "coral"},
        {"divergence": "wasserstein"},
        {"divergence": "cdan"},
        {"divergence": "mdd"},
        {"target_labels": "use"},
        {"label_shift": "bbse"},
        {"partial": True},
        {"entropy": 0.1},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::mlmi_sklearn.exceptions.DomainWarning")
@pytest.mark.parametrize("m", [1, 2, 5])
def test_a_target_smaller_than_a_batch(toy, dann, params, m):
    X, y, ids = toy
    rows = np.r_[np.flatnonzero(ids > 0), np.flatnonzero(ids < 0)[:m]]
    model = dann(diagnostics=True, max_epochs=3, **params)
    model.fit(X[rows], y[rows], ids[rows])
    assert model.n_target_ == m
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(model.history_["domain_loss"]).all()
    alone = dann(max_epochs=3, lambda_=0).fit(X[ids > 0], y[ids > 0])
    assert not np.array_equal(model.predict_proba(X), alone.predict_proba(X))
    measured = {"input", "features"}
    if params.get("domain_norm") != "shared":
        measured |= {"features_apart"}
    assert set(model.pad_) == (set() if m == 1 else measured)


def test_a_source_smaller_than_a_batch(toy, dann):
    X, y, ids = toy
    rows = np.r_[np.flatnonzero(ids > 0)[:5], np.flatnonzero(ids < 0)]
    model = dann(batch_size=64).fit(X[rows], y[rows], ids[rows])
    assert model.n_source_ == 5
    assert model.history_["train_loss"].gt(0).all()


def test_a_target_of_one_class(toy, dann):
    X, y, ids = toy
    keep = (ids > 0) | (y == 2)
    model = dann(diagnostics=True).fit(X[keep], y[keep], ids[keep])
    assert model.classes_.tolist() == [0, 1, 2]
    assert np.isfinite(model.score(X, y, ids))


def test_equal_rows(toy, dann):
    X, y, ids = toy
    model = dann(diagnostics=True).fit(np.ones_like(X), y, ids)
    assert model.pad_["input"] == 0
    assert "little to adapt" in model.adaptation_report_.verdict


def test_one_source_row_and_batch_statistics(toy, dann):
    X, _, ids = toy
    rows = np.r_[np.flatnonzero(ids > 0)[:1], np.flatnonzero(ids < 0)]
    y = np.full(70, -1)
    y[rows[:3]] = [0, 1, 2]
    with pytest.raises(ValueError, match="one labelled row of a source"):
        dann(target_labels="use").fit(X[rows], y[rows], ids[rows])


def test_divergence_of_a_first_fit(toy, dann):
    X, y, ids = toy
    model = dann(lr=1e25, diagnostics=True)
    with pytest.raises(TrainingDivergedError, match="smaller lr"):
        model.fit(X, y, ids)
    assert all(hasattr(model, name) for name in PARTS)
    assert "diverged" in model.adaptation_report_.verdict
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("bad", ["lr", "X", "ids"])
def test_a_failed_fit_keeps_what_was(toy, dann, bad):
    X, y, ids = toy
    model = dann(diagnostics=True).fit(X, y, ids)
    before, state = model.predict_proba(X), dict(vars(model))
    if bad == "lr":
        with pytest.raises(TrainingDivergedError):
            model.set_params(lr=1e25).fit(X, y, ids)
        model.set_params(lr=state["lr"])
    elif bad == "X":
        with pytest.raises(ValueError, match="NaN"):
            model.fit(np.where(X > 2, np.nan, X), y, ids)
    else:
        with pytest.raises(ValueError, match="sample_domain"):
            model.fit(X, y, ids[1:])
    assert vars(model).keys() == state.keys()
    assert all(vars(model)[name] is state[name] for name in [*PARTS, "net_"])
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_without_diagnostics(toy, dann):
    model = dann().fit(*toy)
    assert model.pad_ == {}
    assert "not judged" in model.adaptation_report_.verdict
    # The critic of the training has its say all the same.
    accuracy = model.history_["discriminator_accuracy"].iloc[-1]
    assert model.discriminator_accuracy_ == pytest.approx(accuracy)


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"lambda_": -1}, "lambda_"),
        ({"lambda_schedule": "linear"}, "lambda_schedule"),
        ({"gamma": 0}, "gamma"),
        ({"discriminator_rate": "half"}, "discriminator_rate"),
        ({"domain_norm": "both"}, "domain_norm"),
        ({"target_labels": "some"}, "target_labels"),
        ({"selection": "best"}, "selection"),
        ({"label_shift": "rlls"}, "label_shift"),
        ({"reject_threshold": 2}, "reject_threshold"),
        ({"divergence": "nothing"}, "divergence"),
        ({"discriminator": (0,)}, "at least 1|positive"),
        ({"hidden_layer_sizes": (0,)}, "at least 1|positive"),
        ({"divergence": nn.ReLU()}, "adversarial"),
        ({"divergence": lambda in_features: 3}, "nn.Module"),
    ],
    # Not the value: addresses differ between workers.
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_parameters_that_are_refused(toy, params, word):
    with pytest.raises((ValueError, TypeError), match=word):
        DANNClassifier(**params).fit(*toy)
