"""Properties of domain-adversarial estimators on random data."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.containers.domains import resolve_domains
from mlmi_sklearn.domain_adaptation import pack_domains, unpack_domains
from mlmi_sklearn.domain_adaptation.objective import ganin_schedule

DIVERGENCES = st.sampled_from(["dann", "cdan", "mmd", "coral", "wasserstein", "mdd"])
NORMS = st.sampled_from(["separate", "shared", "adabn"])


def quick(**params):
    return DANNClassifier(
        max_epochs=2, batch_size=8, random_state=0, diagnostics=False, **params
    )


@st.composite
def problems(draw):
    """Return rows, labels and ids: at least 4 rows of sources, 0 or more of targets."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    n, m = draw(st.integers(4, 30)), draw(st.integers(2, 20))
    ids = np.r_[rng.integers(0, draw(st.integers(1, 3)), n),
                -1 - rng.integers(0, draw(st.integers(1, 2)), m)]  # fmt: skip
    y = np.r_[np.arange(n) % draw(st.integers(2, 4)), rng.integers(0, 2, m)]
    X = rng.normal(size=(n + m, 3))
    order = rng.permutation(n + m)
    return X[order], y[order], ids[order]


@settings(max_examples=15)
@given(problems(), DIVERGENCES, NORMS, st.randoms(use_true_random=False))
def test_labels_of_targets_never_matter(problem, name, norm, random):
    X, y, ids = problem
    other = y.copy()
    for row in np.flatnonzero(ids < 0):
        other[row] = random.choice([-1, 0, 1, 99])
    first, second = (
        quick(divergence=name, domain_norm=norm).fit(X, labels, ids)
        for labels in (y, other)
    )
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


@settings(max_examples=15)
@given(problems(), DIVERGENCES, NORMS.filter(lambda norm: norm != "adabn"))
def test_lambda_0_is_source_only(problem, name, norm):
    X, y, ids = problem
    source = ids >= 0
    params = {"divergence": name, "domain_norm": norm, "lambda_": 0.0}
    ours = quick(**params).fit(X, y, ids)
    alone = quick(**params).fit(X[source], y[source])
    np.testing.assert_array_equal(ours.predict_proba(X), alone.predict_proba(X))


@settings(max_examples=15)
@given(problems(), DIVERGENCES)
def test_every_row_is_predicted_and_the_score_is_that_of_targets(problem, name):
    X, y, ids = problem
    model = quick(divergence=name).fit(X, y, ids)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(1), 1)
    assert len(model.predict(X)) == len(model.transform(X)) == len(X)
    t = ids < 0
    score = np.mean(model.predict(X[t]) == y[t])
    assert np.isclose(model.score(X, y, ids), score)
    assert model.n_source_ + model.n_target_ == len(X)
    assert ((model.lambda_path_ >= 0) & (model.lambda_path_ <= 0.3)).all()


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 50))
def test_lambda_rises_from_0_towards_1(p, q, gamma):
    low, high = (ganin_schedule(share, gamma) for share in sorted((p, q)))
    assert 0 <= low <= high <= 1
    expected = 2 / (1 + np.exp(-gamma * max(p, q))) - 1
    assert np.isclose(high, expected, atol=1e-12)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20))
def test_domains_are_those_of_the_signs(ids):
    domains = resolve_domains(ids, len(ids))
    names, codes = domains.names, domains.codes(domains.names)
    assert names[codes].tolist() == ids
    assert sorted(names.tolist()) == sorted(set(ids))
    assert (codes[domains.is_target] >= domains.n_sources).all()
    assert (codes[~domains.is_target] < domains.n_sources).all()
    named = [name for name in set(ids) if name < 0]
    same = resolve_domains(
        list(map(str, ids)), len(ids), target_domains=map(str, named)
    )
    assert same.is_target.tolist() == domains.is_target.tolist()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 3))
def test_packing_round_trip(sizes, n_targets):
    def block(k, n):
        return np.full((n, 2), k, float), np.arange(n)

    source = {f"s{k}": block(k, n) for k, n in enumerate(sizes)}
    target = {f"t{k}": block(-k, 2) for k in range(n_targets)}
    X, y, ids = pack_domains(source, target=target)
    parts = unpack_domains(X, y, ids)
    assert len(parts) == len(sizes) + n_targets
    for k, (rows, labels) in enumerate([*source.values()], start=1):
        np.testing.assert_array_equal(parts[k][0], rows)
        np.testing.assert_array_equal(parts[k][1], labels)
    assert sum(len(labels) for _, labels in parts.values()) == len(X)
