"""Marginalised denoising: against formulas by hand and against drawn corruption."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from mlmi_sklearn import MSDATransformer


def counts(n=30, d=5, seed=0):
    return np.random.default_rng(seed).poisson(0.8, (n, d)).astype(float)


def by_hand(X, noise, ridge=0.0):
    """Return [W, b] of the paper: E[P] E[Q]^-1 with a bias that is never corrupted."""
    with_bias = np.column_stack([X, np.ones(len(X))])
    q = np.append(np.full(X.shape[1], 1 - noise), 1.0)
    scatter = with_bias.T @ with_bias
    Q = scatter * np.outer(q, q)
    np.fill_diagonal(Q, q * np.diag(scatter))
    Q += ridge * np.diag(np.append(np.ones(X.shape[1]), 0))
    P = scatter[:-1] * q
    return P @ np.linalg.inv(Q)


@pytest.mark.parametrize("noise", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("ridge", [0.0, 1e-5, 2.0])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_layers_are_those_of_the_paper(noise, ridge, container):
    X = counts()
    model = MSDATransformer(3, noise, regularization=ridge)
    out = model.fit_transform(container(X))
    hidden, parts = X, [X]
    for mapping, intercept in zip(model.mappings_, model.intercepts_, strict=True):
        expected = by_hand(hidden, noise, ridge)
        assert np.allclose(mapping, expected[:, :-1], atol=1e-8)
        assert np.allclose(intercept, expected[:, -1], atol=1e-8)
        hidden = np.tanh(hidden @ expected[:, :-1].T + expected[:, -1])
        parts.append(hidden)
    assert np.allclose(out, np.hstack(parts), atol=1e-8)


def test_moments_are_those_of_many_corrupted_copies():
    rng = np.random.default_rng(0)
    X, noise = counts(n=20, d=3), 0.4
    copies = np.repeat(X, 20_000, axis=0)
    corrupted = copies * (rng.random(copies.shape) > noise)
    with_bias = np.column_stack([corrupted, np.ones(len(copies))])
    drawn = np.linalg.lstsq(with_bias, copies, rcond=None)[0].T
    model = MSDATransformer(1, noise, regularization=0.0).fit(X)
    assert np.allclose(model.mappings_[0], drawn[:, :-1], atol=0.01)
    assert np.allclose(model.intercepts_[0], drawn[:, -1], atol=0.01)


def test_no_other_map_restores_better():
    rng = np.random.default_rng(0)
    X, noise = counts(n=40, d=4), 0.5
    model = MSDATransformer(1, noise, regularization=0.0).fit(X)
    copies = np.repeat(X, 3000, axis=0)
    corrupted = copies * (rng.random(copies.shape) > noise)

    def loss(mapping, intercept):
        return np.square(copies - corrupted @ mapping.T - intercept).mean()

    best = loss(model.mappings_[0], model.intercepts_[0])
    for _ in range(5):
        step = 0.1 * rng.normal(size=(4, 4))
        assert loss(model.mappings_[0] + step, model.intercepts_[0]) > best
        assert loss(model.mappings_[0], model.intercepts_[0] + step[0]) > best


def test_words_of_one_domain_point_to_those_of_the_other():
    rng = np.random.default_rng(0)
    n = 400
    y, domain = rng.integers(0, 2, n), np.arange(n) < n // 2
    # 0/1: words of both domains; 2/3 only of the source, 4/5 only of the target.
    X = np.zeros((n, 6))
    for row, (label, source) in enumerate(zip(y, domain, strict=True)):
        own = (2 if source else 4) + label
        X[row, [label, own]] = rng.random(2) < 0.6
    source, target = X[domain], X[~domain]
    plain = LogisticRegression().fit(source, y[domain])
    model = MSDATransformer(2).fit(X)
    deep = LogisticRegression().fit(model.transform(source), y[domain])
    # Where the shared words are lacking, only the company of words helps.
    lacking = (target[:, :2].sum(axis=1) == 0) & (target[:, 4:].sum(axis=1) > 0)
    wanted = y[~domain][lacking]
    assert deep.score(model.transform(target[lacking]), wanted) > 0.95
    assert plain.score(target[lacking], wanted) < 0.8


def test_a_feature_that_never_occurs_stays_silent():
    X = counts()
    X[:, 2] = 0
    for ridge in (0.0, 1e-5):
        model = MSDATransformer(2, regularization=ridge).fit(X)
        assert np.allclose(model.mappings_[0][2], 0)
        assert np.allclose(model.mappings_[0][:, 2], 0)
        fresh = X.copy()
        fresh[0, 2] = 5
        out, expected = model.transform(fresh), model.transform(X)
        assert np.array_equal(out[:, 5:], expected[:, 5:])


def test_a_constant_feature_is_known_from_the_bias():
    X = counts()
    X[:, 1] = 0.7
    model = MSDATransformer(1, regularization=0.0).fit(X)
    assert np.allclose(model.mappings_[0][1], 0, atol=1e-12)
    assert np.isclose(model.intercepts_[0][1], 0.7)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("n_frequent", [1, 3, 4, 7])
def test_blocks_are_averaged(container, n_frequent):
    X = counts(n=50, d=8)
    X[:, ::2] *= np.random.default_rng(1).random((50, 4)) < 0.3
    model = MSDATransformer(2, n_frequent=n_frequent, regularization=1e-5)
    out = model.fit_transform(container(X))
    ranked = np.argsort(-(X > 0).sum(axis=0), kind="stable")
    frequent = np.sort(ranked[:n_frequent])
    assert model.frequent_features_.tolist() == frequent.tolist()
    n_blocks = int(np.ceil(8 / n_frequent))
    total = np.zeros((50, n_frequent))
    for k in range(n_blocks):
        block = ranked[k::n_blocks]
        # Restoring more from a block changes nothing about the rest.
        q, centred = 0.5, X - X.mean(axis=0)
        C = centred[:, block].T @ centred[:, block]
        Q = q * q * C
        Q += np.diag(q * (1 - q) * np.square(X[:, block]).sum(axis=0) + 1e-5)
        W = q * centred[:, frequent].T @ centred[:, block] @ np.linalg.inv(Q)
        b = X[:, frequent].mean(axis=0) - q * W @ X[:, block].mean(axis=0)
        total += X[:, block] @ W.T + b
    first = np.tanh(total / n_blocks)
    assert np.allclose(out[:, 8 : 8 + n_frequent], first, atol=1e-8)
    assert [m.shape for m in model.mappings_] == [
        (n_frequent, 8),
        (n_frequent, n_frequent),
    ]
    assert out.shape == (50, 8 + 2 * n_frequent)


def test_as_many_frequent_ones_as_there_are_is_all():
    X = counts()
    exact = MSDATransformer(2).fit_transform(X)
    assert np.array_equal(MSDATransformer(2, n_frequent=5).fit_transform(X), exact)
    assert np.array_equal(MSDATransformer(2, n_frequent=99).fit_transform(X), exact)


@pytest.mark.parametrize("n_frequent", [None, 20])
def test_float32_is_safe(n_frequent):
    rng = np.random.default_rng(0)
    # Collinear columns, rare ones and others a thousand times as large.
    X = rng.random((60, 90)) * (rng.random((60, 90)) < 0.2)
    X[:, 40:60] = X[:, :20]
    X[:, 60:] *= 1e3
    model = MSDATransformer(5, n_frequent=n_frequent, output="last")
    wide = model.fit_transform(X)
    narrow = clone(model).fit_transform(X.astype(np.float32))
    assert wide.dtype == np.float64
    assert narrow.dtype == np.float32
    assert np.abs(wide - narrow).max() < 2e-3
    integers = clone(model).fit_transform((X > 0).astype(np.int16))
    assert integers.dtype == np.float32


def test_output():
    X = counts()
    model = MSDATransformer(3).fit(X)
    out = model.transform(X)
    assert out.shape == (30, 20)
    assert np.array_equal(out[:, :5], X)
    last = clone(model).set_params(output="last").fit(X)
    assert np.array_equal(last.transform(X), out[:, 15:])
    assert len(model.get_feature_names_out()) == 20
    assert last.get_feature_names_out()[0] == "msdatransformer0"
    # What transform returns may be chosen after the fit.
    assert np.array_equal(model.set_params(output="last").transform(X), out[:, 15:])
    assert len(model.get_feature_names_out()) == 5


def test_fit_transform_is_fit_and_transform():
    X = counts()
    model = MSDATransformer(2)
    assert np.array_equal(model.fit_transform(X), model.transform(X))
    assert np.array_equal(model.transform(X[:1]), model.transform(X)[:1])
    dense, csr = model.transform(X), model.transform(sparse.csr_array(X))
    assert isinstance(csr, np.ndarray)
    assert np.allclose(dense, csr)


def test_frames_and_pickle():
    frame = pd.DataFrame(counts(), columns=list("abcde"))
    model = MSDATransformer(1).set_output(transform="pandas").fit(frame)
    out = model.transform(frame)
    assert out.shape == (30, 10)
    assert out.columns[0] == "msdatransformer0"
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.transform(frame), out)


def test_the_input_is_not_changed():
    for X in (counts(), sparse.csr_matrix(counts())):
        before = X.copy()
        MSDATransformer(2).fit_transform(X)
        assert abs(X - before).max() == 0


def test_in_a_search():
    X = counts(n=60)
    y = (X[:, 0] > X[:, 1]).astype(int)
    pipe = make_pipeline(MSDATransformer(), LogisticRegression(max_iter=500))
    grid = {
        "msdatransformer__noise": [0.3, 0.8],
        "msdatransformer__n_layers": [1, 2],
        "msdatransformer__output": ["all", "last"],
    }
    assert GridSearchCV(pipe, grid, cv=2).fit(X, y).best_score_ > 0.8


def test_one_row_and_one_feature():
    out = MSDATransformer(2).fit_transform([[0.3, 0.0]])
    assert np.allclose(out[:, 2:4], np.tanh([[0.3, 0.0]]))
    assert np.isfinite(out).all()
    assert MSDATransformer(2).fit_transform([[1.0], [0.0], [1.0]]).shape == (3, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"n_layers": 0},
        {"noise": 0.0},
        {"noise": 1.0},
        {"n_frequent": 0},
        {"regularization": -1.0},
        {"output": "first"},
    ],
    ids=str,
)
def test_bad_parameters(change):
    with pytest.raises(ValueError, match=f"'{next(iter(change))}' parameter"):
        MSDATransformer(**change).fit(counts())


def test_a_failed_fit_changes_nothing():
    model = MSDATransformer(1).fit(counts())
    before = dict(vars(model))
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(np.full((4, 3), np.nan))
    assert vars(model) == before
    with pytest.raises(ValueError, match="features"):
        model.transform(np.ones((2, 3)))
