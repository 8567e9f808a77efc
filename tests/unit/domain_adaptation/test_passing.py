"""The ways of passing source and target, and what is refused."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from mlmi_sklearn.exceptions import DomainWarning


def same(model, other, X):
    return np.array_equal(model.predict_proba(X), other.predict_proba(X))


def test_the_ways_agree(toy, dann):
    X, y, ids = toy
    target = ids < 0
    order = np.argsort(target, kind="stable")
    whole = dann().fit(X[order], y[order], ids[order])
    marked = np.where(target, -1, y)[order]
    assert same(dann().fit(X[order], marked), whole, X)
    assert same(dann().fit(X[~target], y[~target], X_target=X[target]), whole, X)
    full = dann().fit(X[~target], y[~target], X_target=X[target], y_target=y[target])
    assert same(full, whole, X)
    floats = np.where(target, np.nan, y)[order]
    assert same(dann().fit(X[order], floats), whole, X)
    assert (whole.n_source_, whole.n_target_) == (40, 30)


@pytest.mark.parametrize("marker", [None, np.nan, pd.NA])
def test_markers_beside_strings(toy, dann, marker):
    X, y, ids = toy
    names = np.array(["cat", "dog", "emu"], dtype=object)[y]
    masked = names.copy()
    masked[ids < 0] = marker
    model = dann().fit(X, masked)
    assert model.classes_.tolist() == ["cat", "dog", "emu"]
    assert (model.n_source_, model.n_target_) == (40, 30)
    assert set(model.predict(X)) <= {"cat", "dog", "emu"}
    assert same(model, dann().fit(X, names, ids), X)


@pytest.mark.parametrize("labels", [[-1, 1], ["no", "yes"], [False, True], [0.0, 1.0]])
def test_any_labels_with_ids(domains, dann, labels):
    X, y, ids = domains(n_classes=2)
    named = np.array(labels)[y]
    model = dann().fit(X, named, ids)
    assert model.classes_.tolist() == labels
    assert same(model, dann().fit(X, y, ids), X)
    rows = ids < 0
    accuracy = np.mean(model.predict(X[rows]) == named[rows])
    assert model.score(X, named, ids) == pytest.approx(accuracy)


def test_minus_one_and_one_are_classes_without_ids(domains, dann):
    X, y, _ = domains(n_classes=2)
    model = dann().fit(X, 2 * y - 1)
    assert model.classes_.tolist() == [-1, 1]
    assert model.n_target_ == 0


CONTAINERS = {
    "list": lambda a: a.tolist(),
    "frame": pd.DataFrame,
    "tensor": torch.from_numpy,
    "csr": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "fortran": np.asfortranarray,
    "reversed view": lambda a: a[::-1].copy()[::-1],
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers(toy, dann, kind):
    X, y, ids = toy
    expected = dann().fit(X, y, ids).predict_proba(X)
    wrap = CONTAINERS[kind]
    model = dann().fit(wrap(X), y, ids)
    np.testing.assert_allclose(model.predict_proba(wrap(X)), expected, atol=1e-9)
    s = ids > 0
    apart = dann().fit(wrap(X[s]), y[s], X_target=wrap(X[~s]))
    stacked = dann().fit(
        np.vstack([X[s], X[~s]]), np.r_[y[s], y[~s]], np.r_[ids[s], ids[~s]]
    )
    expected = stacked.predict_proba(X)
    np.testing.assert_allclose(apart.predict_proba(X), expected, atol=1e-9)


@pytest.mark.parametrize(
    "wrap",
    [list, pd.Series, torch.tensor, lambda a: pd.Series(a, index=a[::-1].argsort())],
)
def test_containers_of_ids_and_labels(toy, dann, wrap):
    X, y, ids = toy
    expected = dann().fit(X, y, ids)
    model = dann().fit(X, wrap(y), wrap(ids))
    assert same(model, expected, X)
    assert model.score(X, wrap(y), wrap(ids)) == expected.score(X, y, ids)


def test_strings_where_targets_are_named(toy, dann):
    X, y, ids = toy
    names = np.where(ids < 0, "Bern", "Basel")
    expected = dann().fit(X, y, ids)
    for named in (["Bern"], {"Bern"}, np.array(["Bern"])):
        model = dann(target_domains=named).fit(X, y, names)
        assert same(model, expected, X)
        assert model.domains_.tolist() == ["Basel", "Bern"]
        assert model.score(X, y, names) == expected.score(X, y, ids)
    frame = pd.Series(names, dtype="category")
    assert same(dann(target_domains=["Bern"]).fit(X, y, frame), expected, X)
    # Any ids may be targets then, also numbers of sources.
    assert dann(target_domains=[1]).fit(X, y, ids).n_target_ == 40


def test_a_scalar_is_the_id_of_all(toy, dann):
    X, y, _ = toy
    with pytest.warns(DomainWarning, match="names no row of a target"):
        model = dann().fit(X, y, 3)
    assert model.domains_.tolist() == [3]
    every = np.mean(model.predict(X) == y)
    assert model.score(X, y, -4) == pytest.approx(every)
    assert model.score(X, y, 5) == pytest.approx(every)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a"] * 70, "do not say what is a target"),
        ([1] * 69, r"sample_domain has shape \(69,\), but X has 70 rows"),
        ([[1, 1]] * 70, "one id a"),
        ([None] + [1] * 69, "missing values"),
        ([np.nan] + [1.0] * 69, "missing values"),
        ([True] * 70, "True and False"),
        ([-1] * 70, "only rows of target"),
    ],
)
def test_ids_that_are_refused(toy, dann, ids, message):
    X, y, _ = toy
    with pytest.raises(ValueError, match=message):
        dann().fit(X, y, ids)


def test_mixtures_of_ways_are_refused(toy, dann):
    X, y, ids = toy
    with pytest.raises(ValueError, match=r"either sample_domain.* or X_target"):
        dann().fit(X, y, ids, X_target=X)
    with pytest.raises(ValueError, match="y_target needs X_target"):
        dann().fit(X, y, y_target=y)
    with pytest.raises(ValueError, match="X_target has 70 rows, but y_target has 69"):
        dann().fit(X, y, X_target=X, y_target=y[1:])
    with pytest.raises(ValueError, match="X has 70 rows, but y has 69"):
        dann().fit(X, y[1:], X_target=X)
    with pytest.raises(ValueError, match=r"\(4,\), but X_target has \(3,\)"):
        dann().fit(X, y, X_target=X[:, :3])
    frame = pd.DataFrame(X, columns=list("abcd"))
    with pytest.raises(ValueError, match="same columns"):
        dann().fit(frame, y, X_target=frame[list("bacd")])


def test_a_fit_on_a_named_string_needs_a_list(toy, dann):
    with pytest.raises(ValueError, match="target_domains"):
        dann(target_domains="Bern").fit(*toy)


def test_no_warning_in_the_plain_mode(toy, dann):
    X, y, ids = toy
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = dann(diagnostics=True).fit(X, y)
        dann().fit(X, np.where(ids < 0, -1, y))
    assert (model.n_source_, model.n_target_, model.pad_) == (70, 0, {})
    assert model.domains_.size == 0
    assert "source alone" in model.adaptation_report_.verdict
    with pytest.warns(DomainWarning, match="names no row of a target"):
        dann().fit(X, y, X_target=X[:0])


def test_no_row_of_a_source_with_a_label(toy, dann, mme):
    X, y, ids = toy
    for model in (dann(target_labels="use"), mme()):
        with pytest.raises(ValueError, match="No row of a source has a target"):
            model.fit(X, y, np.full(70, -1))
        with pytest.raises(ValueError, match="No row of a source has a target"):
            model.fit(X, np.where(ids > 0, -1, y), ids)
        assert not hasattr(model, "net_")
    with pytest.raises(ValueError, match="no label"):
        dann().fit(X, np.where(ids > 0, np.nan, y), ids)


def test_sources_may_be_labelled_in_part(toy, dann):
    X, y, ids = toy
    blank = np.flatnonzero(ids > 0)[:10]
    partly = y.copy()
    partly[blank] = -1
    model = dann().fit(X, partly, ids)
    rest = np.setdiff1d(np.arange(70), blank)
    assert same(model, dann().fit(X[rest], y[rest], ids[rest]), X)


def test_kinds_of_target_labels(toy, mme):
    """Markers of another kind than the labels stay markers."""
    X, y, ids = toy
    s = ids > 0
    shown = np.arange((~s).sum()) < 6
    for labels in (y, np.array(["cat", "dog", "emu"])[y]):
        known = labels[~s].astype(object)
        known[~shown] = None
        expected = mme().fit(X[s], labels[s], X_target=X[~s], y_target=known)
        assert expected.classes_.tolist() == np.unique(labels).tolist()
        assert expected.classes_.dtype == labels.dtype
        blind = mme().fit(X[s], labels[s], X_target=X[~s])
        for marker in (-1, np.nan):
            marks = np.full((~s).sum(), marker)
            model = mme().fit(X[s], labels[s], X_target=X[~s], y_target=marks)
            assert model.classes_.tolist() == np.unique(labels).tolist()
            assert same(model, blind, X)
        assert not same(expected, blind, X)
    floats = np.where(shown, y[~s], np.nan)
    model = mme().fit(X[s], y[s], X_target=X[~s], y_target=floats)
    assert model.classes_.dtype.kind == "i"
