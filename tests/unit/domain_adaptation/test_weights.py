"""Weights of rows and classes, on either side."""

import numpy as np
import pytest

EXACT = {"batch_size": 500, "dtype": "float64", "max_epochs": 3, "lr": 0.05}
DIVERGENCES = ["dann", "cdan", "mmd", "coral", "mdd"]


def close(model, other, X, atol=1e-8):
    np.testing.assert_allclose(
        model.predict_proba(X), other.predict_proba(X), rtol=0, atol=atol
    )


@pytest.mark.parametrize("norm", ["separate", "shared"])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_weight_2_is_the_row_twice(toy, dann, name, norm):
    X, y, ids = toy
    twice = np.arange(70) % 3 == 0  # of both sides
    rows = np.r_[np.arange(70), np.flatnonzero(twice)]
    settings = {**EXACT, "divergence": name, "domain_norm": norm, "entropy": 0.1}
    weighted = dann(**settings).fit(X, y, ids, 1.0 + twice)
    repeated = dann(**settings).fit(X[rows], y[rows], ids[rows])
    plain = dann(**settings).fit(X, y, ids)
    close(weighted, repeated, X)
    assert np.abs(weighted.predict_proba(X) - plain.predict_proba(X)).max() > 1e-5


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("norm", ["separate", "shared", "adabn"])
def test_weight_0_is_absence(toy, dann, mme, norm, side):
    X, y, ids = toy
    gone = (np.arange(70) % 4 == 0) & ((ids > 0) == (side == "source"))
    far = np.where(gone[:, None], 1e6, X)
    wrong = np.where(gone, 9, y)
    keep = ~gone
    for make in (dann, mme):
        settings = {"domain_norm": norm, "target_labels": "use", "diagnostics": True}
        with np.errstate(all="raise"):
            weighted = make(**settings).fit(far, wrong, ids, keep.astype(float))
        absent = make(**settings).fit(X[keep], y[keep], ids[keep])
        assert weighted.classes_.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(
            weighted.predict_proba(X), absent.predict_proba(X)
        )
        assert weighted.n_source_ == absent.n_source_
        assert weighted.pad_ == absent.pad_


@pytest.mark.parametrize("side", [1, -1])
def test_weights_of_either_side_matter_alone(toy, dann, mme, side):
    X, y, ids = toy
    weight = np.where((ids == side) & (X[:, 2] > 0), 5.0, 1.0)
    masked = np.where((ids < 0) & (np.arange(70) % 6 > 0), -1, y)
    for make, labels in ((dann, y), (mme, masked)):
        plain = make(**EXACT).fit(X, labels, ids)
        weighted = make(**EXACT).fit(X, labels, ids, weight)
        gap = np.abs(weighted.predict_proba(X) - plain.predict_proba(X)).max()
        assert gap > 1e-5


def test_weight_2_is_the_row_twice_in_minimax_entropy(toy, mme):
    X, y, ids = toy
    y = np.where((ids < 0) & (np.arange(70) % 6 > 0), -1, y)
    twice = np.arange(70) % 3 == 0
    rows = np.r_[np.arange(70), np.flatnonzero(twice)]
    weighted = mme(**EXACT).fit(X, y, ids, 1.0 + twice)
    repeated = mme(**EXACT).fit(X[rows], y[rows], ids[rows])
    close(weighted, repeated, X)


@pytest.mark.parametrize("factor", [1.0, 3.0, 1e-12])
def test_equal_weights_are_none(toy, dann, factor):
    X, y, ids = toy
    plain = dann().fit(X, y, ids)
    weighted = dann().fit(X, y, ids, np.full(70, factor))
    close(weighted, plain, X, 1e-6)


def test_weights_beside_a_target_that_comes_apart(toy, dann):
    X, y, ids = toy
    s = ids > 0
    weight = np.linspace(0.5, 2, s.sum())
    apart = dann(**EXACT).fit(X[s], y[s], sample_weight=weight, X_target=X[~s])
    order = np.r_[np.flatnonzero(s), np.flatnonzero(~s)]
    whole = dann(**EXACT).fit(
        X[order], y[order], ids[order], np.r_[weight, np.ones((~s).sum())]
    )
    close(apart, whole, X, 0)
    with pytest.raises(ValueError, match="sample_weight"):
        dann().fit(X[s], y[s], sample_weight=weight[1:], X_target=X[~s])


@pytest.mark.parametrize("bad", [np.ones(69), -np.ones(70), np.zeros(70)])
@pytest.mark.parametrize("label_shift", [None, "em"])
def test_weights_that_are_refused(toy, dann, bad, label_shift):
    with pytest.raises(ValueError, match=r"(?i)sample.weight|negative"):
        dann(label_shift=label_shift).fit(*toy, bad)


def test_class_weight_is_a_weight_of_source_rows(toy, dann):
    X, y, ids = toy
    by_class = dann(**EXACT, class_weight={0: 4.0}).fit(X, y, ids)
    by_row = dann(**EXACT).fit(X, y, ids, np.where((y == 0) & (ids > 0), 4.0, 1.0))
    close(by_class, by_row, X)
    balanced = dann(**EXACT, class_weight="balanced")
    keep = (ids < 0) | (y > 0) | (np.arange(70) % 2 == 0)
    count = np.bincount(y[keep & (ids > 0)])
    factors = count.sum() / (3 * count)
    weight = np.where(ids > 0, factors[y], 1.0)[keep]
    expected = dann(**EXACT).fit(X[keep], y[keep], ids[keep], weight)
    close(balanced.fit(X[keep], y[keep], ids[keep]), expected, X)


def test_score_with_weights(toy, dann):
    X, y, ids = toy
    model = dann().fit(X, y, ids)
    weight = np.random.default_rng(0).uniform(0, 2, 70)
    t = ids < 0
    expected = np.average(model.predict(X[t]) == y[t], weights=weight[t])
    assert model.score(X, y, ids, weight) == pytest.approx(expected)
