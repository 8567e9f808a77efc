"""Targets with other classes: more, fewer, or in other shares."""

import numpy as np
import pytest

from mlmi_sklearn.domain_adaptation.open_set import unknown_label_for
from mlmi_sklearn.exceptions import DomainWarning

pytestmark = pytest.mark.filterwarnings("ignore::mlmi_sklearn.exceptions.DomainWarning")


@pytest.mark.parametrize(
    ("labels", "unknown"),
    [
        (np.array([0, 1, 2]), -1),
        (np.array([0, 1, 2], dtype=np.uint8), -1),
        (np.array([0.0, 1.0, 2.0]), -1),
        (np.array(["a", "b", "c"]), "unknown"),
        (np.array(["cat", "dog", "emu"], dtype=object), "unknown"),
    ],
    ids=str,
)
def test_rejected_rows_get_a_label(toy, dann, labels, unknown):
    X, y, ids = toy
    model = dann(max_epochs=5).fit(X, labels[y], ids)
    plain, p = model.predict(X), model.predict_proba(X).max(axis=1)
    threshold = float(np.median(p))
    found = model.set_params(reject_threshold=threshold).predict(X)
    assert (found[p >= threshold] == plain[p >= threshold]).all()
    assert (found[p < threshold] == unknown).all()
    assert 0 < (p < threshold).sum() < 70
    assert set(model.classes_) == set(labels)  # not a class
    assert (model.set_params(reject_threshold=0.0).predict(X) == plain).all()
    assert (model.set_params(reject_threshold=1.0).predict(X) == unknown).all()


def test_binary_and_mme(domains, dann, mme):
    X, y, ids = domains(n_classes=2)
    for make in (dann, mme):
        model = make(reject_threshold=0.7, unknown_label=9).fit(X, y, ids)
        sure = model.predict_proba(X).max(axis=1) >= 0.7
        found = model.predict(X)
        assert (found[~sure] == 9).all()
        assert np.isin(found[sure], [0, 1]).all()


def test_the_score_counts_unknown_rows_by_name(domains, dann):
    X, y, ids = domains(n=60, m=60)
    names = np.array(["a", "b", "unknown"])[y]
    known = (ids < 0) | (y < 2)
    X, names, ids = X[known], names[known], ids[known]
    model = dann(reject_threshold=0.8, max_epochs=10).fit(X, names, ids)
    assert model.classes_.tolist() == ["a", "b"]
    t = ids < 0
    expected = np.mean(model.predict(X[t]) == names[t])
    assert model.score(X, names, ids) == pytest.approx(expected)
    numbers = np.array([0, 1, 7])[np.searchsorted(["a", "b", "unknown"], names)]
    model = dann(reject_threshold=0.8, unknown_label=7, max_epochs=10)
    assert model.fit(X, numbers, ids).score(X, numbers, ids) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "unknown", "message"),
    [
        ([0, 1, 2], 1, "is one of the classes"),
        (["a", "b", "unknown"], "auto", "is one of the classes"),
        ([0, 1, 2], "other", "not of the type"),
        (["a", "b", "c"], -1, "not of the type"),
    ],
)
def test_labels_of_rejected_rows_that_are_refused(toy, dann, labels, unknown, message):
    X, y, ids = toy
    model = dann(reject_threshold=0.5, unknown_label=unknown)
    with pytest.raises(ValueError, match=message):
        model.fit(X, np.array(labels)[y], ids)
    model.set_params(reject_threshold=None).fit(X, np.array(labels)[y], ids)
    assert unknown_label_for("auto", np.array([1.5])) == -1


def test_margins_are_no_probabilities(domains, dann):
    X, y, ids = domains(n_classes=2)
    with pytest.raises(ValueError, match="scores of loss='hinge' are margins"):
        dann(loss="hinge", reject_threshold=0.5).fit(X, y, ids)


@pytest.mark.parametrize(
    "params", [{"partial": True}, {"reject_threshold": 0.5}, {"label_shift": "em"}]
)
def test_several_labels_a_row(toy, dann, params):
    X, y, ids = toy
    labels = np.c_[y > 0, y > 1].astype(int)
    with pytest.raises(ValueError, match="not defined for multi-label y"):
        dann(**params).fit(X, labels, ids)


# -- fewer classes


def test_partial_adaptation_weighs_classes_by_what_the_target_has(domains, dann):
    X, y, ids = domains(n=120, m=120, n_classes=4, shift=0.5)
    keep = (ids > 0) | (y < 2)
    X, y, ids = X[keep], y[keep], ids[keep]
    # Statistics of each domain's own would hide that classes are absent.
    settings = {"domain_norm": "shared", "max_epochs": 12, "lr": 0.05}
    model = dann(partial=True, **settings).fit(X, y, ids)
    factors = model.net_.class_factors_.numpy()
    assert factors.max() == 1
    assert (factors > 0).all()
    assert factors[2:].max() < 0.5 * factors[:2].min()
    plain = dann(**settings).fit(X, y, ids)
    assert not np.array_equal(plain.predict_proba(X), model.predict_proba(X))
    one = dann(partial=True, max_epochs=1).fit(X, y, ids)  # weights begin at 1
    alone = dann(max_epochs=1).fit(X, y, ids)
    np.testing.assert_array_equal(one.predict_proba(X), alone.predict_proba(X))


def test_partial_adaptation_of_two_classes_and_lambda_0(domains, dann):
    X, y, ids = domains(n_classes=2)
    model = dann(partial=True, max_epochs=3).fit(X, y, ids)
    assert model.net_.class_factors_.shape == (2,)
    dann(partial=True, lambda_=0).fit(X, y, ids)


# -- other shares


def shifted(seed=2, n=300, share=0.9):
    """Two overlapping classes: one in two in the source, 9 of 10 in the target."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(n) % 2, (rng.random(n) < share).astype(int)]
    X = rng.normal(size=(2 * n, 4))
    X[:, 0] += 1.8 * y
    return X, y, np.repeat([1, -1], n)


@pytest.mark.parametrize("method", ["em", "bbse"])
def test_label_shift_is_estimated_and_made_up_for(dann, method):
    X, y, ids = shifted()
    settings = {"lambda_": 0.1, "max_epochs": 15, "lr": 0.02, "batch_size": 32}
    blind = dann(**settings).fit(X, y, ids)
    ours = dann(label_shift=method, **settings).fit(X, y, ids)
    assert ours.class_shares_[1] == pytest.approx(0.9, abs=0.1)
    assert ours.class_shares_.sum() == pytest.approx(1)
    target = ours.adaptation_report_.target_shares
    np.testing.assert_array_equal(target, ours.class_shares_)
    assert ours.score(X, y, ids) > blind.score(X, y, ids) + 0.03


def test_label_shift_is_no_more_than_weights(dann):
    X, y, ids = shifted(n=80)
    ours = dann(label_shift="em").fit(X, y, ids)
    s = ids > 0
    weight = np.ones(160)
    weight[s] = (ours.class_shares_ / 0.5)[y[s]]
    by_hand = dann().fit(X, y, ids, weight)
    np.testing.assert_allclose(
        ours.predict_proba(X), by_hand.predict_proba(X), atol=1e-6
    )
    # Weights that are given are multiplied.
    given = np.random.default_rng(0).uniform(0.5, 2, 160)
    ours = dann(label_shift="em").fit(X, y, ids, given)
    own = np.bincount(y[s], weights=given[s])
    weight = given.copy()
    weight[s] *= (ours.class_shares_ / (own / own.sum()))[y[s]]
    by_hand = dann().fit(X, y, ids, weight)
    np.testing.assert_allclose(
        ours.predict_proba(X), by_hand.predict_proba(X), atol=1e-5
    )


def test_label_shift_with_unlabelled_and_weightless_rows(toy, dann):
    X, y, ids = toy
    source = np.flatnonzero(ids > 0)
    partly = y.copy()
    partly[source[:6]] = -1
    model = dann(label_shift="em").fit(X, partly, ids)
    assert model.class_shares_.shape == (3,)
    weight = np.where((ids > 0) & (y == 1), 0.0, 1.0)
    model = dann(label_shift="em").fit(X, y, ids, weight)
    assert model.classes_.tolist() == [0, 2]
    assert model.class_shares_.shape == (2,)
    names = np.array(["a", "b", "c"], dtype=object)[y]
    names[source[:6]] = None
    other = dann(label_shift="em").fit(X, names, ids)
    np.testing.assert_allclose(
        other.class_shares_, dann(label_shift="em").fit(X, partly, ids).class_shares_
    )


def test_label_shift_and_labels_of_the_target(toy, dann):
    X, y, ids = toy
    t = np.flatnonzero(ids < 0)
    few = np.where(ids < 0, -1, y)
    few[t[:6]] = y[t[:6]]
    use = {"label_shift": "bbse", "target_labels": "use"}
    assert dann(**use).fit(X, few, ids).class_shares_.shape == (3,)
    few[t[0]] = 5
    with pytest.raises(ValueError, match=r"no row of a source has the classes \[5\]"):
        dann(**use).fit(X, few, ids)


def test_label_shift_without_a_target(toy, dann):
    X, y, _ = toy
    with pytest.warns(DomainWarning, match="no row of a target"):
        model = dann(label_shift="em").fit(X, y, 1)
    plain = dann().fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_both_options(toy, dann):
    X, y, ids = toy
    model = dann(label_shift="em", selection="safe", random_state=3).fit(X, y, ids)
    again = dann(label_shift="em", selection="safe", random_state=3).fit(X, y, ids)
    np.testing.assert_array_equal(model.class_shares_, again.class_shares_)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    assert "reverse_validation" in model.adaptation_report_
