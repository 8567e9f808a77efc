"""What calibration errors and ensembles keep, whatever the data."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from mlmi_sklearn import Bags, DeepEnsembleClassifier, MILClassifier
from mlmi_sklearn.datasets import make_digit_bags
from mlmi_sklearn.metrics import expected_calibration_error, predictive_uncertainty

OPTIONS = st.fixed_dictionaries(
    {
        "n_bins": st.integers(1, 20),
        "strategy": st.sampled_from(["uniform", "quantile"]),
        "norm": st.sampled_from(["l1", "l2", "max"]),
    }
)


@st.composite
def predictions(draw):
    n = draw(st.integers(1, 20))
    p = draw(arrays(float, n, elements=st.floats(0, 1)))
    y = draw(arrays(int, n, elements=st.integers(0, 1)))
    weight = draw(arrays(int, n, elements=st.integers(0, 3)))
    return y, p, weight


@given(predictions(), OPTIONS)
def test_calibration_error(data, options):
    y, p, weight = data
    error = expected_calibration_error(y, p, **options)
    assert 0 <= error <= 1
    backwards = expected_calibration_error(y[::-1], p[::-1], **options)
    assert_allclose(error, backwards, atol=1e-12)
    assert expected_calibration_error(y, y.astype(float), **options) == 0
    assume(weight.any())
    assert_allclose(
        expected_calibration_error(y, p, sample_weight=weight, **options),
        expected_calibration_error(
            np.repeat(y, weight), np.repeat(p, weight), **options
        ),
        atol=1e-12,
    )


@given(predictions(), st.integers(1, 20), st.sampled_from(["uniform", "quantile"]))
def test_order_of_the_norms(data, n_bins, strategy):
    y, p, _ = data
    first, second, largest = (
        expected_calibration_error(y, p, n_bins=n_bins, strategy=strategy, norm=norm)
        for norm in ("l1", "l2", "max")
    )
    assert first <= second + 1e-12
    assert second <= largest + 1e-12


@given(predictions())
def test_one_bin_compares_the_means(data):
    y, p, _ = data
    assert_allclose(
        expected_calibration_error(y, p, n_bins=1),
        abs(y.mean() - p.mean()),
        atol=1e-12,
    )


@pytest.fixture(scope="module")
def ensemble():
    X, y = make_digit_bags(n_bags=30, random_state=0)
    model = MILClassifier(max_epochs=5)
    return DeepEnsembleClassifier(model, n_estimators=3, random_state=0).fit(X, y)


@st.composite
def bags(draw):
    lengths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    seed = draw(st.integers(0, 2**31 - 1))
    values = np.random.default_rng(seed).uniform(size=(sum(lengths), 64))
    return Bags(values.astype(np.float32), lengths)


@settings(max_examples=20)
@given(bags())
def test_ensemble_on_any_bags(ensemble, X):
    proba = ensemble.predict_proba(X)[:, 1]
    of_instances = ensemble.predict_instances_proba(X)
    for i, bag in enumerate(of_instances):
        assert proba[i] >= bag[:, 1].max() - 1e-6
    alone = np.concatenate([ensemble.predict_proba([bag])[:, 1] for bag in X])
    assert_allclose(alone, proba, atol=1e-6)
    single = [instance[None] for bag in X for instance in bag]
    assert_allclose(
        ensemble.predict_proba(single), np.concatenate(of_instances), atol=1e-6
    )
    joined = ensemble.predict_proba([X.values])[0, 1]
    assert joined >= proba.max() - 1e-6
    members = ensemble.predict_members_proba(X)
    order = np.arange(len(X))[::-1]
    assert_allclose(
        ensemble.predict_members_proba(X[order]), members[:, order], atol=1e-6
    )
    doubt = predictive_uncertainty(members)
    assert_array_equal(ensemble.predict_uncertainty(X), doubt)
    assert (doubt["mutual_information"] <= np.log(2) + 1e-9).all()
