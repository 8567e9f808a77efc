"""What metrics of synthetic data keep, whatever the data."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlmi_sklearn.metrics import (
    distance_to_closest_record,
    frechet_distance,
    kernel_inception_distance,
    marginal_gaps,
    mode_collapse_report,
    parzen_log_likelihood,
    prdc,
    robust_features,
    within_class_variance_ratio,
)

VALUES = st.floats(-100, 100).map(lambda x: round(x, 2))


@st.composite
def samples(draw, number=2, smallest=4):
    d = draw(st.integers(1, 20))
    sizes = [draw(st.integers(smallest, 12)) for _ in range(number)]
    return [draw(arrays(float, (n, d), elements=VALUES)) for n in sizes]


@st.composite
def frames(draw, number=2):
    def frame():
        n = draw(st.integers(4, 9))
        words = st.sampled_from(["x", "y", None])
        numbers = st.one_of(st.none(), VALUES)
        return pd.DataFrame(
            {
                "a": draw(st.lists(numbers, min_size=n, max_size=n)),
                "b": draw(st.lists(words, min_size=n, max_size=n)),
            }
        ).astype({"a": float, "b": object})

    return [frame() for _ in range(number)]


@given(samples(), st.data())
def test_values_are_in_range_and_do_not_depend_on_order(pair, data):
    X, S = pair
    found = prdc(X, S, n_neighbors=2)
    assert all(0 <= found[name] <= 1 for name in ("precision", "recall", "coverage"))
    assert found["density"] >= 0
    order = list(data.draw(st.permutations(range(len(S)))))
    assert prdc(X, S[order], n_neighbors=2) == pytest.approx(found)
    for distance in (frechet_distance, kernel_inception_distance):
        value = distance(X, S)
        assert distance(X, S[order]) == pytest.approx(value, rel=1e-6, abs=1e-6)
    assert frechet_distance(X, S) >= 0


@given(samples())
def test_copies(pair):
    X, S = pair
    found = prdc(X, X, n_neighbors=2)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert frechet_distance(X, X) == pytest.approx(0, abs=1e-8)
    assert marginal_gaps(X, X).eq(0).all()
    ratio = within_class_variance_ratio(X, None, X, None)
    assert np.isnan(ratio) if not np.ptp(X, axis=0).any() else ratio == pytest.approx(1)
    near = distance_to_closest_record(X, S, X)
    assert near >= 0.5


@given(samples(), st.floats(0.01, 100), st.floats(-50, 50))
def test_units_do_not_matter(pair, factor, shift):
    X, S = pair
    one = prdc(X, S, n_neighbors=2)
    other = prdc(factor * X + shift, factor * S + shift, n_neighbors=2)
    varies = np.ptp(X, axis=0) > 0
    if varies.all():
        assert other == pytest.approx(one, abs=0.51)  # a tie may fall the other way
        assert frechet_distance(
            factor * X + shift, factor * S + shift
        ) == pytest.approx(frechet_distance(X, S), rel=1e-4, abs=1e-4)


@given(samples(number=3))
def test_either_real_set_is_nearer(triple):
    A, B, S = triple
    raw = {"features": "raw", "n_draws": 1}
    size = min(len(A), len(B))
    A, B = A[:size], B[:size]
    to_one = distance_to_closest_record(A, B, S, **raw)
    assert 0 <= to_one <= 1
    assert distance_to_closest_record(B, A, S, **raw) == pytest.approx(1 - to_one)


@settings(max_examples=15)
@given(samples(smallest=5))
def test_reports_and_likelihoods_are_finite(pair):
    X, S = pair
    assert np.isfinite(parzen_log_likelihood(X, S))
    report = mode_collapse_report(X, S)
    values = {name: value for name, value in report.items() if name != "variance_ratio"}
    assert not np.isnan(list(values.values())).any()
    assert report.collapsed == bool(report.reasons)


@given(frames())
def test_frames_with_gaps(pair):
    real, made = pair
    found = robust_features(real, made)
    assert np.isfinite(np.concatenate(found)).all()
    gaps = marginal_gaps(real, made)
    assert gaps.between(0, 1).all()
    # Rows are equal in the space if and only if they are equal in the table.
    joined = pd.concat([real, made], ignore_index=True)
    same = joined.duplicated(keep=False).sum()
    rows = pd.DataFrame(np.concatenate(found)).round(9)
    if joined["a"].notna().all():
        assert rows.duplicated(keep=False).sum() == same
