"""What holds for class shares whatever the classifier says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmi_sklearn.domain_adaptation._mixture import mixture_shares
from mlmi_sklearn.domain_adaptation.class_shares import (
    estimate_class_shares,
    reweight_probabilities,
)

METHODS = st.sampled_from(["em", "bbse"])


@st.composite
def predictions(draw):
    """Labels and probabilities that agree more or less, of both domains."""
    n_classes = draw(st.integers(2, 4))
    n, m = draw(st.integers(n_classes, 60)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    strength = draw(st.floats(0, 5))
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])
    t = rng.choice(n_classes, m, p=rng.dirichlet(np.ones(n_classes)))

    def proba(codes):
        logits = rng.normal(strength * np.eye(n_classes)[codes], 1.0)
        p = np.exp(logits)
        return p / p.sum(axis=1, keepdims=True)

    return y, proba(y), proba(t)


@given(predictions(), METHODS)
@settings(deadline=None)
def test_shares_are_on_the_simplex(data, method):
    shares = estimate_class_shares(*data, method=method)
    assert (shares >= 0).all()
    assert np.isclose(shares.sum(), 1)


@given(predictions(), METHODS)
@settings(deadline=None)
def test_no_shift_no_change(data, method):
    y, source, _ = data
    shares = estimate_class_shares(y, source, source, method=method)
    assert np.allclose(shares, np.bincount(y) / len(y), atol=1e-4)


@given(predictions(), METHODS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_names_of_classes_do_not_matter(data, method, random):
    y, source, target = data
    order = list(range(source.shape[1]))
    random.shuffle(order)
    shares = estimate_class_shares(y, source, target, method=method)
    renamed = estimate_class_shares(
        np.argsort(order)[y], source[:, order], target[:, order], method=method
    )
    assert np.allclose(renamed, shares[order], atol=2e-3)


@given(predictions(), METHODS)
@settings(deadline=None)
def test_order_of_rows_does_not_matter(data, method):
    y, source, target = data
    shares = estimate_class_shares(y, source, target, method=method)
    again = estimate_class_shares(y[::-1], source[::-1], target[::-1], method=method)
    assert np.allclose(shares, again, atol=2e-3)


@given(predictions())
def test_every_step_raises_the_likelihood(data):
    _, _, densities = data
    values = [
        np.log(densities @ mixture_shares(densities, max_iter=k)).mean()
        for k in range(1, 12)
    ]
    assert (np.diff(values) >= -1e-12).all()


@given(predictions())
@settings(deadline=None)
def test_the_maximum_is_reached(data):
    _, _, densities = data
    shares = mixture_shares(densities, tol=1e-6, max_iter=100_000)
    value = np.log(densities @ shares).mean()
    rng = np.random.default_rng(0)
    others = rng.dirichlet(np.ones(densities.shape[1]), 50)
    others = np.vstack([others, np.eye(densities.shape[1])])
    assert (np.log(densities @ others.T).mean(axis=0) <= value + 2e-6).all()


@given(predictions(), st.floats(0.1, 10))
def test_correction_there_and_back(data, factor):
    y, _, target = data
    here = np.bincount(y) / len(y)
    there = here * factor ** np.arange(len(here))
    moved = reweight_probabilities(target, here, there)
    assert np.allclose(moved.sum(axis=1), 1)
    assert np.allclose(reweight_probabilities(moved, there, here), target, atol=1e-6)
    assert np.allclose(reweight_probabilities(target, here, here), target)
