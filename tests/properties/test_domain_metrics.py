"""What distances of domains and scores without labels keep, whatever the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression

from mlmi_sklearn.metrics import (
    coral_distance,
    h_divergence,
    make_domain_scorer,
    mmd,
    proxy_a_distance,
    sliced_wasserstein,
)
from mlmi_sklearn.metrics.domain_scorers._make import SCORERS

FAST = {
    "pad": lambda a, b: proxy_a_distance(a, b, C=[1e-2, 1.0]),
    "h": h_divergence,
    "mmd": mmd,
    "coral": coral_distance,
    "wasserstein": lambda a, b: sliced_wasserstein(a, b, n_projections=5),
}
LARGEST = {"pad": 2, "h": 2, "mmd": np.sqrt(2)}
VALUES = st.floats(-100, 100).map(lambda x: round(x, 2))


@st.composite
def samples(draw, number=2):
    d = draw(st.integers(1, 4))
    sizes = [draw(st.integers(2, 9)) for _ in range(number)]
    return [draw(arrays(float, (n, d), elements=VALUES)) for n in sizes]


@pytest.mark.parametrize("name", FAST)
@settings(max_examples=25)
@given(pair=samples(), data=st.data())
def test_distances(name, pair, data):
    distance = FAST[name]
    Xs, Xt = pair
    value = distance(Xs, Xt)
    assert 0 <= value <= LARGEST.get(name, np.inf)
    exact = name in ("pad", "h")
    close = {"rel": 0 if exact else 1e-6, "abs": 0 if exact else 1e-7}
    assert distance(Xt, Xs) == pytest.approx(value, **close)
    order = data.draw(st.permutations(range(len(Xs))))
    assert distance(Xs[list(order)], Xt) == pytest.approx(value, **close)
    assert distance(Xs, Xs[list(order)]) == pytest.approx(0, abs=1e-7)


@given(samples(number=1), st.floats(1, 50))
def test_a_shift_is_what_it_is_under_wasserstein(one, shift):
    (X,) = one
    near, far = (sliced_wasserstein(X, X + s * shift) for s in (1, 2))
    assert far == pytest.approx(2 * near)
    assert near <= shift * np.sqrt(X.shape[1]) * (1 + 1e-9)


@pytest.mark.parametrize("name", ["pad", "h", "mmd", "wasserstein"])
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_distances_grow_with_a_shift(name, seed):
    rng = np.random.RandomState(seed)
    Xs, Xt = rng.normal(size=(2, 60, 2))
    near, far, farther = (FAST[name](Xs, Xt + shift) for shift in (0.0, 1.5, 6.0))
    assert near < far < farther


@st.composite
def tables(draw):
    """Rows of both domains, labels of the source, and what else might be said."""
    n = draw(st.integers(6, 14))
    X = draw(arrays(float, (n, 2), elements=VALUES))
    y = np.arange(n) % 3
    domain = np.where(np.arange(n) % 6 < 3, draw(st.integers(0, 3)), -1)
    domain[:6] = [0, 0, 0, -2, -2, -2]
    other = draw(st.permutations(y[domain < 0].tolist()))
    return X, y, domain, np.array(other)


@pytest.mark.parametrize("name", SCORERS)
@settings(max_examples=15)
@given(table=tables())
def test_labels_of_the_target_are_not_read(name, table):
    X, y, domain, other = table
    model = LogisticRegression().fit(X[domain >= 0], y[domain >= 0])
    scorer = make_domain_scorer(name)
    score = scorer(model, X, y, domain)
    assert np.isfinite(score)
    changed = y.copy()
    changed[domain < 0] = other
    assert scorer(model, X, changed, domain) == score
    changed[domain < 0] = -1
    assert scorer(model, X, changed, domain) == score
    assert scorer(model, X, changed) == score


BOUNDS = {
    "entropy": (-np.log(3), 0),
    "im": (0, np.log(3)),
    "bnm": (0, 1),
    "mixval": (0, 1),
    "pad": (-2, 0),
    "source": (0, 1),
    "importance-weighted": (0, 1),
    "reverse": (0, 1),
}


@pytest.mark.parametrize("name", BOUNDS)
@settings(max_examples=15)
@given(table=tables())
def test_ranges(name, table):
    X, y, domain, _ = table
    model = LogisticRegression().fit(X[domain >= 0], y[domain >= 0])
    score = make_domain_scorer(name)(model, X, y, domain)
    lowest, highest = BOUNDS[name]
    assert lowest - 1e-9 <= score <= highest + 1e-9
