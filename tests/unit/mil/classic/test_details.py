"""Details of the classical methods against definitions that are written out again."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit
from sklearn.exceptions import DataConversionWarning
from sklearn.preprocessing import MaxAbsScaler

from mlmi_sklearn import (
    MISVC,
    BagFisherVector,
    Bags,
    BagStatistics,
    BagVLAD,
    CitationKNN,
    MILESTransformer,
    NormalizedSetKernel,
    SingleInstanceClassifier,
)
from mlmi_sklearn.mil import bag_distance_matrix, normalized_set_kernel
from mlmi_sklearn.mil.classic._blocks import (
    bag_blocks,
    by_length,
    default_gamma,
    reduce_rows,
    row_chunks,
)
from mlmi_sklearn.mil.classic._distances import smallest_of_bags, squared_distances
from mlmi_sklearn.mil.classic._statistics import quantile_of
from mlmi_sklearn.mil.classic.assumptions import BagRule
from mlmi_sklearn.mil.classic.bag_scores import _calibrate
from mlmi_sklearn.mil.classic.labelled import LabelledBags, digests, folds
from mlmi_sklearn.mil.classic.outputs import _probabilities, distance
from mlmi_sklearn.mil.classic.scaling import InstanceScaler
from mlmi_sklearn.mil.classic.thresholds import (
    best_cut,
    calibration_slope,
    half_balanced,
)

CLASSIFIERS = [MISVC(), SingleInstanceClassifier(), CitationKNN()]

# -- thresholds ---


def every_cut(low, high):
    """Return the middles between neighbouring ends, and a mean gap beyond the last."""
    ends = sorted({e for e in [*low, *high] if e != -np.inf})
    gap = (ends[-1] - ends[0]) / len(ends) or 1.0
    inner = [(a + b) / 2 for a, b in pairwise(ends)]
    return np.array([ends[0] - gap / 2, *inner, ends[-1] + gap / 2])


@pytest.mark.parametrize("two_ended", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_cut_is_the_middle_one_of_the_best(two_ended, share):
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 12):
        high = rng.integers(-8, 9, n).astype(float)
        low = np.where(rng.random(n) < two_ended, high - rng.integers(1, 6, n), -np.inf)
        truth, weight = rng.random(n) < share, rng.integers(1, 4, n).astype(float)
        cuts = every_cut(low, high)
        right = [weight @ (((low <= t) & (t < high)) == truth) for t in cuts]
        best = cuts[np.array(right) == max(right)]
        assert_allclose(best_cut(low, high, truth, weight), best[len(best) // 2])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_slope_maximises_the_smoothed_likelihood(scale):
    rng = np.random.default_rng(1)
    d = scale * rng.normal(size=30)
    truth, weight = rng.random(30) < expit(d / scale), rng.random(30) + 0.2
    positive, negative = weight[truth].sum(), weight[~truth].sum()
    target = np.where(truth, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(a):
        each = target * log_expit(a * d) + (1 - target) * log_expit(-a * d)
        return -(weight @ each)

    found = minimize_scalar(loss, (0.1 / scale, 1 / scale), tol=1e-10).x
    assert_allclose(calibration_slope(d, truth, weight), found, rtol=1e-4)


def test_the_slope_stays_within_bounds_of_the_mean_score():
    d, truth = np.array([-4.0, 4.0, 4.0]), np.array([True, False, False])
    assert calibration_slope(d, truth, np.ones(3)) == 1e-3 / 4
    weight = np.array([1.0, 3.0])
    wrong = calibration_slope(np.array([4.0, -8.0]), np.array([False, True]), weight)
    assert wrong == 1e-3 / 7
    assert calibration_slope(np.zeros(2), np.array([True, False]), weight) == 1.0
    sure = calibration_slope(np.array([1e-5, 1]), np.array([True, True]), 1e9 * weight)
    assert sure <= 1e3 / 0.7


def test_half_balanced_weights_written_out():
    truth, weight = np.array([True, False, False, False]), np.array([1.0, 2, 3, 4])
    found = half_balanced(truth, weight)
    expected = [
        1 * (0.5 + 0.25 * 10 / 1),
        *(w * (0.5 + 0.25 * 10 / 9) for w in (2, 3, 4)),
    ]
    assert_allclose(found, expected)


def test_each_class_is_calibrated_against_the_rest():
    rng = np.random.default_rng(0)
    codes, weight = np.arange(30) % 3, rng.random(30) + 0.5
    high = rng.normal(np.eye(3)[codes], 0.5)
    low = np.where(rng.random(high.shape) < 0.3, high - 0.5, -np.inf)
    cut, slope = _calibrate(low, high, codes, weight)
    for k in range(3):
        rest = codes == k
        own = best_cut(low[:, k], high[:, k], rest, half_balanced(rest, weight))
        assert cut[k] == own
        d = np.minimum(high[:, k] - own, own - low[:, k])
        assert_allclose(slope[k], calibration_slope(d, rest, weight))
    one, _ = _calibrate(low[:, :1], high[:, :1], codes == 1, weight)
    rest = codes == 1
    assert one == best_cut(low[:, 0], high[:, 0], rest, half_balanced(rest, weight))


# -- outputs ---


def test_decisions_are_distances_from_the_nearer_end():
    low, high = np.array([[-np.inf, 0.0], [1.0, -2.0]]), np.array([[3.0, 4], [5, 6]])
    found = distance(low, high, np.array([2.0, 1.0]), np.array([10.0, 0.5]))
    assert found.tolist() == [[10.0, 0.5], [10.0, 1.5]]


def test_probabilities_are_those_of_each_against_the_rest_made_to_sum_to_one():
    d = np.array([[1.0, -2.0, 0.5], [-800.0, -900.0, -801.0]])
    p = expit(d[0])
    assert_allclose(_probabilities(d)[0], p / p.sum())
    e = np.exp([0.0, -100, -1])
    assert_allclose(_probabilities(d)[1], e / e.sum())
    assert_allclose(_probabilities(d[:, :1]), np.c_[expit(-d[:, 0]), expit(d[:, 0])])


def test_a_class_is_predicted_where_it_is_largest(witness):
    X, y = witness(40)
    names = np.array(["no", "yes"])[y]
    model = SingleInstanceClassifier().fit(X, names)
    d, scores = model.decision_function(X), model.instance_scores(X, flat=True)
    assert_array_equal(model.predict(X), np.where(d > 0, "yes", "no"))
    found = model.predict_instances(X, flat=True)
    assert_array_equal(found, np.where(scores > 0, "yes", "no"))
    assert_allclose(model.predict_instances_proba(X, flat=True)[:, 1], expit(scores))
    for name in ("instance_scores", "predict_instances", "predict_instances_proba"):
        parts = getattr(model, name)(X)
        assert [len(part) for part in parts] == X.lengths.tolist()
        assert_array_equal(np.concatenate(parts), getattr(model, name)(X, flat=True))
    raw = model.estimator_.decision_function(model.scaler_.transform(X.values))
    assert_allclose(scores, model._slope * (raw - model.threshold_))


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda m: type(m).__name__)
def test_a_column_of_labels_is_flattened_with_a_warning(model, witness):
    X, y = witness()
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        found = model.fit(X, y[:, None]).predict_proba(X)
    assert_array_equal(found, model.fit(X, y).predict_proba(X))


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda m: type(m).__name__)
def test_weights_of_zero_take_no_part(model, witness):
    X, y = witness()
    weight = np.where(np.arange(24) % 4 == 0, 0.0, 1.0)
    out = np.flatnonzero(weight)
    values = X.values.copy()
    values[np.repeat(weight == 0, X.lengths)] = 1e3
    odd = X.with_values(values)
    found = model.fit(odd, y, sample_weight=weight).predict_proba(X)
    assert_allclose(found, model.fit(X[out], y[out]).predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("model", CLASSIFIERS[:2], ids=lambda m: type(m).__name__)
def test_a_table_after_bags_is_warned_about_in_full(model, witness):
    X, y = witness()
    model.fit(X, y)
    message = (
        rf"^X is a table, so each of its {X.n_instances} rows is read as a bag of one "
        r"instance, but the model was fitted on bags\. For a single bag pass \[X\]; "
        r"for instances use predict_instances\.$"
    )
    for method in ("predict", "decision_function", "instance_scores"):
        with pytest.warns(UserWarning, match=message):
            getattr(model, method)(X.values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X.values, np.repeat(y, X.lengths)).predict(X.values)


@pytest.mark.parametrize("kind", [MISVC, SingleInstanceClassifier])
def test_a_score_on_the_threshold_is_negative(kind, witness):
    X, y = witness()
    model = kind(threshold=0.0).fit(X, y)
    scores = model.decision_function(X)
    for bag in range(3):
        model = kind(threshold=float(scores[bag])).fit(X, y)
        assert model.decision_function(X)[bag] == 0.0
        assert_array_equal(model.predict(X), scores > scores[bag])
        instances = model.instance_scores(X, flat=True)
        assert (instances == 0.0).any()
        assert_array_equal(model.predict_instances(X, flat=True), instances > 0)


@pytest.mark.parametrize("n_references", [1, 2, 5, 39])
def test_of_many_bags_as_near_the_first_are_the_references(n_references):
    # Enough of them that a sort need not keep their order by chance.
    angles = np.arange(40) % 4 * (np.pi / 2)
    values = np.column_stack([np.cos(angles), np.sin(angles)]).round()
    y = np.random.default_rng(0).permutation(np.arange(40) % 3)
    model = CitationKNN(n_references, 0).fit(Bags(values, np.ones(40, int)), y)
    shares = np.bincount(y[:n_references], minlength=3) / n_references
    assert_allclose(model.predict_proba([[[0.0, 0.0]]]), [shares])


# -- rules ---


@pytest.mark.parametrize("least", [1, 2, 4])
@pytest.mark.parametrize("most", [None, 1, 2, 3])
def test_bounds_of_counts_are_ranks(least, most):
    rng = np.random.default_rng(0)
    lengths = np.array([1, 2, 5, 3])
    scores = rng.normal(size=(11, 2))
    low, high = BagRule("count", least, most).bounds(scores, lengths)
    for b, bag in enumerate(np.split(scores, np.cumsum(lengths)[:-1])):
        ordered = -np.sort(-bag, axis=0)
        assert_array_equal(high[b], ordered[min(least, len(bag)) - 1])
        over = most is not None and len(bag) > most
        assert_array_equal(low[b], ordered[most] if over else [-np.inf, -np.inf])


def test_rules_of_more_than_one_column_against_loops():
    rng = np.random.default_rng(0)
    lengths, scores = np.array([1, 4, 3]), rng.normal(0, 3, (8, 2))
    bags = np.split(scores, np.cumsum(lengths)[:-1])
    p = [1 - np.prod(1 - expit(bag), axis=0) for bag in bags]
    expected = {
        "max": [bag.max(axis=0) for bag in bags],
        "mean": [bag.mean(axis=0) for bag in bags],
        "noisy-or": [np.log(q / (1 - q)) for q in p],
        "log-sum-exp": [np.log(np.exp(bag).mean(axis=0)) for bag in bags],
    }
    for name, values in expected.items():
        low, high = BagRule(name).bounds(scores, lengths)
        assert_allclose(high, values, rtol=1e-9)
        assert (low == -np.inf).all()
    low, high = BagRule(lambda bag: bag.sum(axis=0)).bounds(scores, lengths)
    assert_allclose(high, [bag.sum(axis=0) for bag in bags])
    assert low.shape == high.shape
    assert high.dtype == np.float64


def test_a_wrong_pooling_is_told_what_to_return():
    message = (
        r"^pooling returned shape \(\) for the scores of a bag; it must map shape "
        r"\(n_instances, 2\) to \(2,\), as lambda scores: numpy\.quantile\(scores, "
        r"0\.9, axis=0\) does\.$"
    )
    with pytest.raises(ValueError, match=message):
        BagRule(np.max).bounds(np.zeros((3, 2)), np.array([2, 1]))


# -- blocks and distances ---


@pytest.mark.parametrize("most", [1, 3, 4, 7, 100])
def test_blocks_hold_whole_bags_up_to_a_size(most):
    lengths = np.array([2, 1, 4, 9, 1, 1, 3])
    ends = np.cumsum(lengths)
    next_bag = 0
    for bags, rows in bag_blocks(lengths, most):
        assert bags.start == next_bag
        next_bag = bags.stop
        assert (rows.start, rows.stop) == (ends[bags.start] - lengths[bags.start],
                                           ends[bags.stop - 1])  # fmt: skip
        size = rows.stop - rows.start
        assert size <= most or bags.stop - bags.start == 1
        if bags.stop < len(lengths):  # the next would not have fitted
            assert size + lengths[bags.stop] > most
    assert next_bag == len(lengths)


@pytest.mark.parametrize("most", [1, 4, 10, 11])
def test_chunks_of_rows_follow_each_other(most):
    chunks = [(c.start, c.stop) for c in row_chunks(10, most)]
    assert chunks == [(i, min(i + most, 10)) for i in range(0, 10, most)]


@pytest.mark.parametrize("ufunc", [np.minimum, np.add, np.maximum])
@pytest.mark.parametrize("chunk", [0, 1, 2, 3, 5, 8, 100])
def test_reductions_do_not_depend_on_the_chunk(ufunc, chunk):
    rng = np.random.default_rng(0)
    for lengths in ([4, 1, 1, 7, 2], [1], [9], [1, 1, 1, 1]):
        lengths = np.array(lengths)
        values = rng.integers(-9, 9, (lengths.sum(), 3)).astype(np.float32)
        asked = []

        def compute(rows, values=values, asked=asked):
            asked.append(rows.stop - rows.start)
            return values[rows]

        found = reduce_rows(ufunc, lengths, compute, chunk)
        parts = np.split(values, np.cumsum(lengths)[:-1])
        assert_array_equal(found, [ufunc.reduce(part, axis=0) for part in parts])
        assert found.dtype == np.float32
        assert max(asked) <= max(chunk, 1)


def test_bags_of_one_length_come_together():
    lengths = np.array([2, 3, 2, 1])
    found = {
        len(rows[0]): (bags.tolist(), rows.tolist())
        for bags, rows in by_length(lengths)
    }
    assert found == {
        1: ([3], [[7]]),
        2: ([0, 2], [[0, 1], [5, 6]]),
        3: ([1], [[2, 3, 4]]),
    }


@pytest.mark.parametrize("rank", [1, 2, 3, 9])
def test_the_smallest_of_each_bag_by_rank(rank):
    rng = np.random.default_rng(0)
    lengths = np.array([1, 4, 2, 4, 3])
    values = rng.normal(size=(14, 2)).astype(np.float32)
    found = smallest_of_bags(values, lengths, rank)
    parts = np.split(values, np.cumsum(lengths)[:-1])
    expected = [np.sort(p, axis=0)[min(rank, len(p)) - 1] for p in parts]
    assert_array_equal(found, expected)
    assert found.dtype == np.float32


def test_rows_a_little_apart_keep_their_distance():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 3)) + 100
    near = values + 1e-4
    norms = np.square(near).sum(axis=1)
    assert_allclose(
        np.diagonal(squared_distances(values, near, norms)), 3e-8, rtol=1e-2
    )


@pytest.mark.parametrize("kind", ["min-hausdorff", "max-hausdorff", "mean-hausdorff"])
@pytest.mark.parametrize("rank", [1, 2])
def test_distances_of_the_training_bags_are_kept_in_single_precision(
    kind, rank, witness
):
    bags, y = witness()
    model = CitationKNN(distance=kind, rank=rank).fit(bags, y)
    expected = bag_distance_matrix(bags, kind=kind, rank=rank)
    assert_allclose(model.distances_, expected, rtol=2.0**-24)
    # No more digits than those of single precision.
    assert_array_equal(model.distances_, model.distances_.astype(np.float32))
    assert model.distances_.dtype == np.float64


def test_unequal_votes_are_not_taken_for_equal():
    bags = Bags(np.array([[0.0], [1.0]]), [1, 1])
    for heavy in (0, 1):
        weight = np.where(np.arange(2) == heavy, 1 + 1e-6, 1.0)
        model = CitationKNN(2, 2).fit(bags, ["a", "b"], sample_weight=weight)
        model.set_params(n_references=3, n_citers=0)
        assert model.predict([[[0.5]]]) == ["a", "b"][heavy]


# -- widths ---


@pytest.mark.parametrize("as_csr", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_width_is_that_of_the_variance_of_all_numbers(as_csr, dtype):
    rng = np.random.default_rng(0)
    values = np.where(rng.random((9, 4)) < 0.4, rng.normal(3, 2, (9, 4)), 0).astype(
        dtype
    )
    given = sparse.csr_array(values) if as_csr else values
    wide = values.astype(float)
    assert_allclose(default_gamma("scale", given), 1 / (4 * wide.var()), rtol=1e-12)
    assert default_gamma(0.3, given) == 0.3


@pytest.mark.parametrize("as_csr", [False, True])
@pytest.mark.parametrize("number", [0.0, 5.0, 0.1, -1e9 / 3])
@pytest.mark.parametrize("n", [1, 3, 49, 1000])
def test_equal_numbers_have_width_one(as_csr, number, n):
    # The mean of equal numbers need not be that number to the last digit.
    constant = np.full((n, 3), number)
    given = sparse.csr_array(constant) if as_csr else constant
    assert default_gamma("scale", given) == 1.0
    constant[0] += 1e-6 * number
    given = sparse.csr_array(constant) if as_csr else constant
    varies = number != 0 and n > 1
    expected = 1 / (3 * constant.var()) if varies else 1.0
    assert_allclose(default_gamma("scale", given), expected, rtol=1e-6)


# -- kernels ---


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf"])
@pytest.mark.parametrize("unit", [1e-3, 1.0, 30.0])
def test_approximate_maps_have_unit_length_in_any_unit(kernel, unit, witness):
    bags, _ = witness()
    bags = bags.with_values(unit * bags.values)
    model = NormalizedSetKernel(kernel, approximation="nystroem", random_state=0)
    out = model.fit_transform(bags)
    norms = np.linalg.norm(out, axis=1)
    still = np.array([not bag.any() for bag in bags])
    assert_allclose(norms[~still | (kernel == "rbf")], 1.0)
    K = normalized_set_kernel(bags, kernel=kernel)
    assert_allclose(out @ out.T, K, atol=1e-6)


def test_approximations_have_as_many_columns_as_asked_for(witness):
    bags, _ = witness()
    few = NormalizedSetKernel(approximation="nystroem", n_components=7).fit(bags)
    assert few.transform(bags).shape == (24, 7)
    assert few.get_feature_names_out().shape == (7,)
    many = NormalizedSetKernel(approximation="nystroem", n_components=999).fit(bags)
    assert many.transform(bags).shape == (24, bags.n_instances)
    fourier = NormalizedSetKernel(approximation="rff", n_components=999).fit(bags)
    assert fourier.transform(bags).shape == (24, 999)
    for model in (few, many, fourier):
        assert model.bags_ is None
        assert model.gamma_ == default_gamma("scale", bags.values)
    exact = NormalizedSetKernel(gamma=0.3).fit(bags)
    assert exact.sampler_ is None
    assert exact.gamma_ == 0.3
    assert exact.get_feature_names_out()[-1] == "normalizedsetkernel23"


def test_bad_approximations_are_told_what_to_do(witness):
    message = (
        r"^approximation='rff' is for kernel='rbf', got kernel='linear'; use "
        r"approximation='nystroem'\.$"
    )
    with pytest.raises(ValueError, match=message):
        NormalizedSetKernel("linear", approximation="rff").fit(witness()[0])
    message = (
        r"^approximation='nystroem' needs a kernel by name, one of \('rbf', .*\); with "
        r"a callable use approximation=None\.$"
    )
    with pytest.raises(ValueError, match=message):
        NormalizedSetKernel(np.dot, approximation="nystroem").fit(witness()[0])


# -- statistics, prototypes, codebooks ---


@pytest.mark.parametrize(
    ("statistic", "level"),
    [("median", 0.5), ("q25", 0.25), ("q0", 0.0), ("q100", 1.0), ("q12.5", 0.125),
     (0, 0.0), (1, 1.0), (0.3, 0.3), (np.float32(0.5), 0.5), ("q101", None),
     ("q-1", None), (1.01, None), (-0.1, None), ("0.5", None), (True, None),
     (False, None), ("mean", None), (None, None), ("", None), ("q", None),
     ("Q25", None), (np.nan, None)],
)  # fmt: skip
def test_what_names_a_quantile(statistic, level):
    assert quantile_of(statistic) == level


def test_names_of_statistics_name_the_feature():
    bags = Bags(np.zeros((2, 2)), [1, 1], feature_names=["age", "size"])
    model = BagStatistics(("max", "count", 0.125, "q90")).fit(bags)
    assert model.get_feature_names_out().tolist() == [
        "max_age", "max_size", "count", "q12.5_age", "q12.5_size", "q90_age",
        "q90_size",
    ]  # fmt: skip
    assert model.get_feature_names_out().dtype == object


def test_prototypes_are_chosen_as_asked(witness):
    bags, _ = witness()
    n = bags.n_instances
    for asked in (None, n, n + 1):
        model = MILESTransformer(asked).fit(bags)
        assert_array_equal(model.prototype_indices_, np.arange(n))
        assert_array_equal(model.prototypes_, bags.values)
    model = MILESTransformer(n - 1, random_state=0).fit(bags)
    assert len(model.prototypes_) == n - 1
    assert (np.diff(model.prototype_indices_) > 0).all()
    model = MILESTransformer(3, selection="kmeans", random_state=0).fit(bags)
    assert model.prototype_indices_ is None
    assert model.get_feature_names_out().tolist() == [
        f"milestransformer{i}" for i in "012"
    ]


@pytest.mark.parametrize("kind", [BagVLAD, BagFisherVector])
def test_projections_are_no_wider_than_the_sample(kind, witness):
    bags, _ = witness()
    tiny = kind(1, projection=4, subsample=3, random_state=0).fit(bags)
    assert tiny.projection_.n_components_ == 3
    same = kind(1, projection=0.9, subsample=1, random_state=0).fit(bags)
    assert same.projection_ is None
    assert np.isfinite(same.transform(bags)).all()
    constant = bags.with_values(np.ones_like(bags.values))
    assert kind(1, projection=2).fit(constant).projection_ is None
    whole = kind(1, projection=2, subsample=bags.n_instances, random_state=0).fit(bags)
    plain = kind(1, projection=2, subsample=None, random_state=0).fit(bags)
    assert_array_equal(whole.transform(bags), plain.transform(bags))


# -- scale ---


@pytest.mark.parametrize("as_csr", [False, True])
def test_features_of_many_zeros_are_divided_by_their_largest(as_csr, monkeypatch):
    monkeypatch.setattr("mlmi_sklearn.mil.classic.scaling.BUDGET", 9)
    rng = np.random.default_rng(0)
    values = rng.normal(2, 3, (20, 4))
    values[:12, 0] = values[:10, 1] = values[:9, 2] = 0
    given = sparse.csr_matrix(values) if as_csr else values
    model = InstanceScaler().fit(given)
    # Half of the entries or more: as MaxAbsScaler does.
    largest = MaxAbsScaler().fit(values).scale_
    assert_allclose(model.scale_[:2], largest[:2])
    assert_allclose(model.center_, [0, 0, *values[:, 2:].mean(axis=0)])
    assert_allclose(model.scale_[2:], values[:, 2:].std(axis=0))
    out = model.transform(given)
    out = out.toarray() if as_csr else out
    assert_allclose(out, (values - model.center_) / model.scale_, atol=1e-12)


# -- folds ---


def labelled(codes, groups=None, repeat=1):
    n = len(codes)
    values = np.random.default_rng(0).normal(size=(n, 1))
    take = np.arange(n).repeat(repeat)
    bags = Bags(values[take], np.ones(len(take), int), groups=groups)
    return LabelledBags(
        bags, np.asarray(codes)[take], np.ones(len(take)), digests(bags)
    )


@pytest.mark.parametrize("cv", [2, 3, 5, np.int64(3)])
@pytest.mark.parametrize("counts", [(2, 9), (3, 3), (6, 5), (4, 4, 2)])
def test_there_are_as_many_folds_as_each_class_can_spare(cv, counts):
    codes = np.repeat(np.arange(len(counts)), counts)
    for repeat in (1, 2):  # copies count once
        data = labelled(codes, repeat=repeat)
        found = folds(cv, data, data.codes, np.arange(len(data.codes)))
        assert len(found) == min(cv, *counts)
        tests = np.sort(np.concatenate([test for _, test in found]))
        assert_array_equal(tests, np.arange(len(data.codes)))
        for train, test in found:
            assert_array_equal(np.sort([*train, *test]), np.arange(len(data.codes)))
            assert set(data.codes[train]) == set(codes)


def test_there_are_as_many_folds_as_groups_of_each_class():
    codes = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    groups = np.array(list("aabbccdd"))
    data = labelled(codes, groups)
    found = folds(5, data, codes, np.arange(8))
    assert len(found) == 2
    for train, test in found:
        assert not set(groups[train]) & set(groups[test])
