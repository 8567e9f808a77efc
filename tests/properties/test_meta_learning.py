"""What holds for meta-learners whatever the data."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mlmi_sklearn import MAMLClassifier, MAMLRegressor, MLPBackbone, ProtoNetClassifier
from mlmi_sklearn.model_selection.episodes import EpisodeSampler

QUICK = {
    "backbone": MLPBackbone(hidden=(6,)),
    "n_shot": 2,
    "n_query": 3,
    "meta_batch_size": 4,
    "max_epochs": 2,
    "random_state": 0,
}
few = settings(max_examples=15)
seeds = st.integers(0, 2**31 - 1)


def blobs(n_classes, n, seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(n_classes), n))
    return 3 * rng.normal(size=(n_classes, 3))[y] + rng.normal(size=(len(y), 3)), y


def lines(n_tasks, n, seed):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(n_tasks), n))
    X = rng.normal(size=(len(groups), 2))
    return X, (X * rng.normal(size=(n_tasks, 2))[groups]).sum(1), groups


@cache
def prior(kind, **params):
    if kind == "protonet":
        model = ProtoNetClassifier(n_way=3, episodes_per_epoch=8, **QUICK)
        return model.set_params(**params).fit(*blobs(8, 10, 0))
    if kind == "regressor":
        return (
            MAMLRegressor(inner_lr=0.1, **QUICK)
            .set_params(**params)
            .fit(*lines(8, 8, 0))
        )
    model = MAMLClassifier(n_way=5, inner_lr=0.1, episodes_per_epoch=8, **QUICK)
    return model.set_params(**params).fit(*blobs(8, 10, 0))


# -- episodes ------------------------------------------------------------------------


@given(
    cells=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=60
    ),
    n_way=st.none() | st.integers(1, 6),
    n_shot=st.integers(1, 5),
    n_query=st.integers(1, 6),
    seed=seeds,
)
def test_episodes(cells, n_way, n_shot, n_query, seed):
    groups, classes = np.array(cells).T
    groups = np.unique(groups, return_inverse=True)[1]
    sampler = EpisodeSampler(
        classes, groups, n_way=n_way, n_shot=n_shot, n_query=n_query
    )
    tasks = np.arange(sampler.n_tasks).repeat(2)
    drawn = sampler.draw(np.random.default_rng(seed), tasks)
    for i, task in enumerate(tasks):
        support, query = drawn.rows(i)
        both = np.r_[support, query]
        assert len(set(both)) == len(both)
        assert (groups[both] == task).all()
        present = np.unique(classes[groups == task])
        ways = drawn.classes[i][drawn.classes[i] >= 0]
        assert len(set(ways)) == len(ways) == min(len(present), sampler.n_way)
        for way, code in enumerate(drawn.classes[i]):
            s, q = drawn.support[i, way], drawn.query[i, way]
            s, q = s[s >= 0], q[q >= 0]
            n = int(((groups == task) & (classes == code)).sum())
            assert len(s) == min(n_shot, max(n - 1, min(n, 1)))
            assert len(q) == min(n_query, n - len(s))
            assert (classes[np.r_[s, q]] == code).all()


# -- adapting ------------------------------------------------------------------------

SETTINGS = [
    {},
    {"head": "proto"},
    {"head": "zero", "method": "anil"},
    {"backbone__norm": "batch"},
    {"backbone__norm": "batch", "norm": "frozen"},
]


@pytest.mark.parametrize("params", SETTINGS, ids=str)
@given(n_way=st.integers(2, 4), seed=seeds)
@few
def test_the_order_of_the_support_does_not_matter(params, n_way, seed):
    X, y = blobs(n_way, 4, seed)
    query = X + 0.5
    order = np.random.default_rng(seed).permutation(len(y))
    for meta in (prior("classifier", **params), prior("protonet")):
        a = meta.adapt(X, y).predict_proba(query)
        b = meta.adapt(X[order], y[order]).predict_proba(query)
        assert_allclose(a, b, atol=1e-8)


@given(seed=seeds, scale=st.floats(1e-3, 1e3))
@few
def test_the_order_of_numbers_does_not_matter(seed, scale):
    X, y, _ = lines(1, 6, seed)
    order = np.random.default_rng(seed).permutation(6)
    meta = prior("regressor")
    a = meta.adapt(X, scale * y).predict(X)
    b = meta.adapt(X[order], scale * y[order]).predict(X)
    assert_allclose(a, b, atol=1e-8 * max(scale, 1))


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@given(order=st.permutations(range(4)), seed=seeds)
@few
def test_prototypes_follow_the_names_of_classes(distance, order, seed):
    X, y = blobs(4, 3, seed)
    meta = prior("protonet", distance=distance)
    plain = meta.adapt(X, y)
    named = meta.adapt(X, np.array(order)[y])
    proba = plain.predict_proba(X)
    assert_allclose(named.predict_proba(X)[:, order], proba, atol=1e-12)
    best = np.sort(proba, axis=1)
    clear = best[:, -1] - best[:, -2] > 1e-9  # features may be all zero, say
    same = named.predict(X) == np.array(order)[plain.predict(X)]
    assert same[clear].all()


@given(order=st.permutations(range(4)), seed=seeds)
@few
def test_heads_without_classes_of_their_own_follow_names(order, seed):
    X, y = blobs(4, 3, seed)
    for head in ("proto", "zero", "shared"):
        meta = prior("classifier", head=head)
        plain = meta.adapt(X, y).predict_proba(X)
        named = meta.adapt(X, np.array(order)[y]).predict_proba(X)
        assert_allclose(named[:, order], plain, atol=1e-8)


@given(
    seed=seeds,
    rate=st.floats(1e-6, 1e9),
    steps=st.integers(0, 12),
    size=st.floats(1e-6, 1e9),
)
@few
def test_adapting_never_harms_the_support_nor_gives_nan(seed, rate, steps, size):
    X, y, _ = lines(1, 5, seed)
    meta = prior("regressor")
    model = meta.adapt(X, size * y, inner_lr=rate, inner_steps=steps)
    start = meta.adapt(X, size * y, inner_steps=0)
    assert np.isfinite(model.predict(X)).all()
    assert model.support_loss_ <= start.support_loss_


# -- training ------------------------------------------------------------------------


@given(names=st.permutations(range(5)), seed=seeds)
@settings(max_examples=4)
def test_names_of_tasks_do_not_matter(names, seed):
    """Tasks of two equal rows: whatever is drawn, a step sees the same numbers."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(5), 2)
    X, y = rng.normal(size=(5, 2))[groups], rng.normal(size=5)[groups]
    found = []
    for ids in (groups, np.array(names)[groups], np.array(list("edcba"))[groups]):
        model = MAMLRegressor(
            **{**QUICK, "n_shot": 1, "n_query": 1, "meta_batch_size": 5}
        ).fit(X, y, ids)
        assert model.n_tasks_ == 5
        found.append(model)
    for other in found[1:]:
        assert_allclose(other.loss_curve_, found[0].loss_curve_, rtol=1e-9)
        for name, value in found[0].meta_params_.items():
            assert_allclose(other.meta_params_[name], value, atol=1e-7)


@given(seed=seeds)
@settings(max_examples=4)
def test_scores_do_not_depend_on_what_names_are_made_of(seed):
    X, y, groups = lines(5, 6, seed)
    meta = prior("regressor")
    expected = meta.score(X, y, groups=groups)
    for ids in (np.array(list("abcde"))[groups], 10.5 * groups - 3, groups.tolist()):
        assert meta.score(X, y, groups=ids) == expected
