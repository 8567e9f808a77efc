"""What the figures of a fit are taken to say, at both sides of every threshold."""

import numpy as np
import pytest
import torch
from sklearn.utils import Bunch

from mlmi_sklearn.domain_adaptation import diagnostics
from mlmi_sklearn.domain_adaptation.diagnostics import (
    _accuracy_path,
    _distance,
    _judge,
    _shares,
    _variation,
)
from mlmi_sklearn.metrics import h_divergence, proxy_a_distance

NAN = float("nan")


def report(**figures):
    known = {
        "n_target": 10,
        "lambda_": 0.3,
        "pad_input": 1.5,
        "pad_features": 0.7,
        "pad_features_apart": NAN,
        "label_shift": 0.0,
        "label_shift_is_sure": True,
        "warnings": [],
    }
    return Bunch(**{**known, **figures})


def judged(path=(), epochs=10, estimator=None, **figures):
    found = report(**figures)
    _judge(estimator or Bunch(label_shift=None), found, np.array(path), epochs)
    return found


# -- the verdict


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"n_target": 0, "lambda_": 0}, "no rows of a target"),
        ({"lambda_": 0}, "lambda_ is 0"),
        ({"pad_features": NAN}, "Adapted, not judged"),
        ({"pad_input": 0.49}, "little to adapt: the domains are alike"),
        ({"pad_input": 0.5, "pad_features": 0.3}, "closer than their inputs"),
        ({"pad_features": 1.39}, "closer than their inputs"),
        ({"pad_features": 1.41}, "tells the domains apart by the features as well"),
        ({"pad_features": 1.9}, "tells the domains apart by the features as well"),
        ({"pad_features": 1.9, "pad_features_apart": 1.3}, "closer than"),
        ({"pad_features": 1.3, "pad_features_apart": 1.9}, "closer than"),
        ({"pad_features": 1.9, "pad_features_apart": 1.8}, "as well as by the"),
    ],
)
def test_verdicts(figures, words):
    found = judged(**figures)
    assert words in found.verdict
    assert found.verdict.endswith(".")
    assert found.warnings == []


def test_a_verdict_quotes_its_figures():
    found = judged(pad_input=1.5, pad_features=0.716, pad_features_apart=0.25)
    for part in ("1.50 of inputs", "0.72 of features", "0.25 of features with batch"):
        assert part in found.verdict
    assert "batch statistics" not in judged().verdict


# -- warnings

CHANCE = [0.5, 0.481, 0.519, 0.5, 0.51]


@pytest.mark.parametrize(
    ("path", "figures", "warned"),
    [
        (CHANCE, {}, True),
        (CHANCE, {"pad_input": NAN}, True),  # not known to be alike
        (CHANCE, {"pad_input": 0.5}, True),
        (CHANCE, {"pad_input": 0.49}, False),
        (CHANCE[:4], {}, False),
        ([*CHANCE[:4], 0.521], {}, False),
        ([0.479, *CHANCE], {}, False),
        ([], {}, False),
    ],
)
def test_a_critic_at_chance_throughout_is_stuck(path, figures, warned):
    texts = judged(path, **figures).warnings
    assert [("at chance from the first" in text) for text in texts] == [True] * warned


@pytest.mark.parametrize(
    ("path", "warned"),
    [
        ([0.6, 0.9, 0.995, 1.0], True),
        ([0.6, 0.9, 0.994, 1.0], False),
        ([0.6, 0.9, 1.0, 0.994], False),
        ([0.5, 0.999], True),
        ([0.999], True),
        ([0.6, 0.9, 0.999, 0.999, 0.999], True),
        ([0.6, 0.9, 0.99, 0.999, 0.999], False),
        ([], False),
    ],
)
def test_a_critic_without_error_to_the_end_teaches_little(path, warned):
    texts = judged(path).warnings
    assert len(texts) == warned
    if warned:
        assert f"without error to the end (accuracy {path[-1]:.3f})" in texts[0]


@pytest.mark.parametrize(
    ("epochs", "shift", "sure", "option", "warned"),
    [
        (5, 0.21, True, None, True),
        (5, 0.2, True, None, False),
        (4, 0.9, True, None, False),
        (5, 0.9, False, None, False),
        (5, 0.9, True, "em", False),
        (5, NAN, True, None, False),
    ],
)
def test_a_shift_of_labels_is_said(epochs, shift, sure, option, warned):
    texts = judged(
        epochs=epochs,
        estimator=Bunch(label_shift=option),
        label_shift=shift,
        label_shift_is_sure=sure,
    ).warnings
    assert len(texts) == warned
    if warned:
        assert f"total variation {shift:.2f}" in texts[0]


def test_an_estimator_without_the_option_is_warned_as_well():
    assert len(judged(label_shift=0.9, estimator=Bunch()).warnings) == 1


def test_several_warnings_come_together():
    found = judged([1.0] * 5, label_shift=0.5)
    assert len(found.warnings) == 2
    assert "without error" in found.warnings[0]
    assert "Shares of classes" in found.warnings[1]


@pytest.mark.parametrize("figures", [{"n_target": 0}, {"lambda_": 0}])
def test_where_nothing_was_adapted_nothing_is_wrong(figures):
    assert judged([1.0] * 6, label_shift=0.9, **figures).warnings == []


# -- figures


def test_epochs_without_an_accuracy_are_left_out():
    rows = [{}, {"discriminator_accuracy": 0.7}, {"discriminator_accuracy": None},
            {"discriminator_accuracy": 0.0}]  # fmt: skip
    assert _accuracy_path(Bunch(history=rows)).tolist() == [0.7, 0.0]
    assert _accuracy_path(Bunch(history=[])).shape == (0,)


def test_the_distance_is_the_larger_of_a_linear_and_a_curved_one():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 2))
    ring = 5 * X[:80] / np.linalg.norm(X[:80], axis=1, keepdims=True)
    assert proxy_a_distance(X[80:], ring) < 1  # no line parts a ring from its middle
    assert _distance(X[80:], ring) > 1.8
    moved = X[:80] + 3 * np.eye(2)[0]
    assert _distance(X[80:], moved) >= proxy_a_distance(X[80:], moved)
    assert _distance(X[80:], moved) >= h_divergence(X[80:], moved) - 0.1
    assert _distance(X, X) == 0


def test_total_variation_is_half_the_sum_of_differences():
    assert _variation(np.array([0.2, 0.8]), np.array([0.5, 0.5])) == pytest.approx(0.3)
    assert _variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def sides(p_source, y, p_target):
    """The two sides as diagnostics see them, and a net whose scores are logs."""

    def side(p, labels):
        return Bunch(raw=np.log(p), y=np.asarray(labels))

    net = Bunch(to_probabilities_=lambda raw: torch.softmax(raw, 1))
    return net, side(p_source, y), side(p_target, [-1] * len(p_target))


def test_class_shares_are_counted_among_known_rows():
    p = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]])
    y = np.array([0] * 6 + [1] * 3 + [2] + [-1] * 4)
    net, source, target = sides(p[y], y, p[[0] * 2 + [1] * 6 + [2] * 2])
    encoded = Bunch(y=y)
    own, em, bbse = _shares(net, source, target, encoded)
    np.testing.assert_allclose(own, [0.6, 0.3, 0.1])
    for found in (em, bbse):
        assert found.sum() == pytest.approx(1)
        assert found.argmax() == 1
    np.testing.assert_allclose(em, [0.2, 0.6, 0.2], atol=0.05)
    # A class of the net without a row of the source has no share.
    net, source, target = sides(p[y[:9]], y[:9], p[[0, 1, 1]])
    own, em, bbse = _shares(net, source, target, encoded)
    np.testing.assert_allclose(own, [2 / 3, 1 / 3, 0])
    assert em[2] == bbse[2] == 0


def test_there_are_no_shares_of_numbers_of_several_labels_or_of_one_class():
    p = np.full((4, 2), 0.5)
    net, source, target = sides(p, [0, 1, 0, 1], p)
    known = Bunch(y=np.array([0, 1, 0, 1]))
    assert _shares(net, source, target, known) is not None
    assert _shares(net, source, target, Bunch(y=np.zeros((4, 2)))) is None
    assert _shares(Bunch(to_probabilities_=None), source, target, known) is None
    net, source, target = sides(p, [1, 1, -1, -1], p)
    assert _shares(net, source, target, known) is None


# -- rows that are looked at


@pytest.mark.parametrize("most", [12, 30, 31])
@pytest.mark.parametrize("weighted", [False, True])
def test_so_many_rows_of_either_side_are_looked_at(
    toy, dann, most, weighted, monkeypatch
):
    """All rows, or a choice without repeats, with features, scores and codes."""
    X, y, ids = toy
    seen = []

    def figures(estimator, net, sides, encoded, report):
        seen.extend(sides)
        return {}

    monkeypatch.setattr(diagnostics, "_ROWS", most)
    monkeypatch.setattr(diagnostics, "_figures", figures)
    weight = np.linspace(1, 2, 70) if weighted else None
    model = dann(diagnostics=True, dtype="float64").fit(X, y, ids, weight)
    own = X[:, 0].tolist()
    for side, sign, n in zip(seen, (1, -1), (40, 30), strict=True):
        assert len(side.inputs) == min(n, most)
        rows = [own.index(x) for x in side.inputs[:, 0]]
        assert rows == sorted(set(rows))  # each once, in their order
        assert (ids[rows] == sign).all()
        np.testing.assert_array_equal(side.inputs, X[rows])
        np.testing.assert_allclose(side.features, model.transform(X[rows]))
        p = torch.softmax(torch.from_numpy(side.raw), 1).numpy()
        np.testing.assert_allclose(p, model.predict_proba(X[rows]))
        np.testing.assert_array_equal(side.y, np.where(sign < 0, -1, y[rows]))
        if weighted:
            np.testing.assert_allclose(side.weight, weight[rows])
        # Under statistics of their own, these rows are centred.
        assert side.own.shape == side.features.shape
        assert not np.allclose(side.own, side.features)


def test_features_of_a_shared_norm_are_measured_once(toy, dann):
    model = dann(diagnostics=True, domain_norm="shared").fit(*toy)
    assert set(model.pad_) == {"input", "features"}
    assert np.isnan(model.adaptation_report_.pad_features_apart)
    apart = dann(diagnostics=True).fit(*toy)
    assert set(apart.pad_) == {"input", "features", "features_apart"}


def test_without_a_critic_the_accuracy_is_that_of_the_distance(toy, dann):
    model = dann(diagnostics=True, divergence="mmd").fit(*toy)
    expected = 0.5 + model.pad_["features"] / 4
    assert model.discriminator_accuracy_ == pytest.approx(expected)
    assert model.adaptation_report_.discriminator_accuracy == expected
    dann_report = dann(diagnostics=True).fit(*toy)
    last = dann_report.history_["discriminator_accuracy"].iloc[-1]
    assert dann_report.discriminator_accuracy_ == pytest.approx(last)


def test_a_report_counts_and_quotes(toy, dann):
    X, y, ids = toy
    found = dann(diagnostics=True, lambda_=0.7).fit(X, y, ids)
    quoted = found.adaptation_report_
    assert (quoted.n_source, quoted.n_target, quoted.lambda_) == (40, 30, 0.7)
    assert quoted.pad_input == found.pad_["input"] == _distance(X[ids > 0], X[ids < 0])
    assert isinstance(quoted.label_shift, float)
    shares = np.bincount(y[ids > 0]) / 40
    shift = 0.5 * np.abs(found.class_shares_ - shares).sum()
    assert quoted.label_shift == pytest.approx(shift)
    blind = dann().fit(X, y, ids).adaptation_report_
    for name in ("pad_input", "pad_features", "pad_features_apart", "label_shift"):
        assert np.isnan(blind[name])
    assert blind.label_shift_is_sure is False
