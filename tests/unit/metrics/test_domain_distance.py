"""Distances of domains: values known by hand, shapes of input, mistakes."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.stats import wasserstein_distance
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from mlmi_sklearn.metrics import (
    coral_distance,
    h_divergence,
    mmd,
    proxy_a_distance,
    sliced_wasserstein,
)
from mlmi_sklearn.metrics._domain_arrays import halves, in_order
from mlmi_sklearn.metrics.domain_distance import DEFAULT_C

DISTANCES = [proxy_a_distance, h_divergence, mmd, coral_distance, sliced_wasserstein]


def normal(n, d=3, seed=0, shift=0.0, scale=1.0):
    return np.random.RandomState(seed).normal(shift, scale, size=(n, d))


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_sample_is_at_no_distance_from_itself(distance):
    for seed in range(5):
        X = normal(31, d=40, seed=seed)
        assert distance(X, X) == pytest.approx(0, abs=1e-12)
        shuffled = X[np.random.RandomState(seed).permutation(31)]
        assert distance(X, shuffled) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_kinds_of_input_agree(distance):
    Xs = np.round(np.abs(normal(30)), 1) * (normal(30, seed=1) > 0)
    Xt = np.round(np.abs(normal(20, seed=2)), 1)
    expected = distance(Xs, Xt)
    assert type(expected) is float
    assert distance(Xs.tolist(), Xt.tolist()) == expected
    assert distance(pd.DataFrame(Xs), pd.DataFrame(Xt)) == expected
    assert distance(Xs.reshape(30, 3, 1), Xt.reshape(20, 1, 3)) == expected
    rows = sparse.csr_array(Xs), sparse.csr_matrix(Xt)
    if distance in (mmd, coral_distance, sliced_wasserstein):
        assert distance(*rows) == pytest.approx(expected, abs=1e-10)
    assert distance(*rows) == distance(rows[0], Xt)
    assert distance(*rows) >= 0


@pytest.mark.parametrize("distance", DISTANCES)
def test_mistakes_are_named(distance):
    X = normal(5)
    with pytest.raises(ValueError, match="same features, got 3 and 2"):
        distance(X, X[:, :2])
    with pytest.raises(ValueError, match="Xt contains NaN"):
        distance(X, np.where(X > 0, np.nan, X))
    with pytest.raises(ValueError, match="Expected 2D array"):
        distance(X, X[0])


@pytest.mark.parametrize("distance", [proxy_a_distance, h_divergence, coral_distance])
def test_one_row_is_too_few(distance):
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        distance(normal(5), normal(1))


@pytest.mark.parametrize("distance", [mmd, sliced_wasserstein])
def test_one_row_is_enough(distance):
    assert distance([[0.0]], [[0.0]]) == 0
    assert distance([[0.0]], [[3.0]]) > 0


class TestProxyADistance:
    def test_two_rows_of_either(self):
        assert proxy_a_distance([[0.0], [1.0]], [[10.0], [11.0]]) == 2
        assert proxy_a_distance([[0.0], [0.0]], [[0.0], [0.0]]) == 0

    def test_choosing_c_does_not_make_one_distribution_look_like_two(self):
        """The mean is what the fold at one half makes of chance, for any number of C.

        Choosing the best of ten on the testing half itself gives .35 here.
        """
        one, ten = [], []
        for seed in range(30):
            X = normal(120, d=10, seed=seed)
            one.append(proxy_a_distance(X[:60], X[60:], C=0.1))
            ten.append(proxy_a_distance(X[:60], X[60:], C=np.logspace(-5, 4, 10)))
        chance = 1.13 / np.sqrt(30)
        assert np.mean(one) == pytest.approx(chance, abs=0.09)
        assert np.mean(ten) == pytest.approx(chance, abs=0.09)

    def test_rows_in_both_samples_do_not_look_like_a_difference(self):
        """A machine that remembers rows would be wrong about each of their twins."""
        X = normal(40, d=200)
        again = X[np.random.RandomState(1).randint(40, size=80)]
        assert proxy_a_distance(X, again, C=1e4) < 0.7

    def test_unequal_sizes_do_not_matter(self):
        X = normal(1000, d=2)
        far = normal(20, d=2, seed=1)
        assert proxy_a_distance(X, far) < 0.9  # the larger one would be right 98 in 100
        assert proxy_a_distance(X, far + 100) == 2

    def test_weights_take_rows_out(self):
        X = np.r_[normal(60), normal(60, shift=50.0)]
        weight = np.repeat([1.0, 0.0], 60)
        there = proxy_a_distance(X, normal(60, seed=1), sample_weight=(weight, None))
        assert there < 0.7
        assert proxy_a_distance(X, normal(60, seed=1)) > there

    def test_weights_do_not_break_a_half_without_any(self):
        weight = np.eye(1, 10)[0]
        value = proxy_a_distance(
            normal(10), normal(10) + 1, sample_weight=(weight, None)
        )
        assert 0 <= value <= 2

    def test_seed(self):
        Xs, Xt = normal(40), normal(40, seed=1, shift=0.5)
        assert proxy_a_distance(Xs, Xt) == proxy_a_distance(Xs, Xt, random_state=0)
        values = {proxy_a_distance(Xs, Xt, random_state=seed) for seed in range(5)}
        assert len(values) > 1
        rng = np.random.RandomState(0)
        assert proxy_a_distance(Xs, Xt, random_state=rng) in values

    def test_constant_and_huge_features(self):
        X = np.c_[np.ones(20), normal(20) * 1e12]
        assert proxy_a_distance(X, X) == 0
        assert proxy_a_distance(X, X + 1e14) == 2

    def test_precision_does_not_matter(self):
        X = normal(20).astype(np.float32)
        assert proxy_a_distance(X, X.astype(float)) == 0

    @pytest.mark.parametrize("C", [0, -1.0, [], [1.0, 0.0], [[1.0]], np.nan])
    def test_bad_strengths(self, C):
        with pytest.raises(ValueError, match="C must be positive"):
            proxy_a_distance(normal(5), normal(5), C=C)

    @pytest.mark.parametrize(
        ("weight", "message"),
        [
            (np.ones(5), "must be a pair"),
            ((np.ones(5),), "must be a pair"),
            ((np.ones(4), None), "sample_weight.shape"),
            ((np.zeros(5), None), "zero"),
            ((None, -np.ones(5)), "[Nn]egative"),
        ],
    )
    def test_bad_weights(self, weight, message):
        with pytest.raises(ValueError, match=message):
            proxy_a_distance(normal(5), normal(5), sample_weight=weight)


def error_by_hand(predict, half):
    """The mean of the weighted shares of errors on either domain."""
    errors = [
        np.average(predict(sample.X) != k, weights=sample.weight)
        for k, sample in enumerate(half)
    ]
    return np.mean(errors)


def stacked(half):
    """Rows, 0 and 1 for their domains, and weights of mean 1 in either."""
    domain = np.repeat([0, 1], [len(sample.X) for sample in half])
    weights = [sample.weight / sample.weight.mean() for sample in half]
    return np.vstack([sample.X for sample in half]), domain, np.concatenate(weights)


class TestByHand:
    """The machine, the search for C and the error, from scikit-learn's parts."""

    def pair(self, n=40, m=24, shift=0.8):
        return normal(n), normal(m, seed=1, shift=shift, scale=1.5)

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("C", [1e-3, 1.0, [1e-4, 1e-2, 1.0], [10.0, 1e-3], None])
    def test_proxy_a_distance(self, C, weighted):
        Xs, Xt = self.pair()
        ws = np.random.RandomState(5).uniform(0, 2, 40) if weighted else None
        rng = np.random.RandomState(2)
        pair = in_order(Xs, Xt, ws)
        train, test = halves(*pair, rng)
        Z, domain, weight = stacked(train)
        scaler = StandardScaler().fit(Z)
        Z = scaler.transform(Z)

        def machine(strength, rows):
            counts = np.bincount(domain[rows])
            factor = len(rows) / (2 * counts[domain[rows]])
            svm = LinearSVC(C=strength, dual="auto", random_state=0)
            return svm.fit(Z[rows], domain[rows], weight[rows] * factor)

        strengths = sorted(np.atleast_1d(DEFAULT_C if C is None else C))
        best = strengths[0]
        if len(strengths) > 1:
            seed = rng.randint(np.iinfo(np.int32).max)
            folds = StratifiedKFold(3, shuffle=True, random_state=seed)
            errors = []
            for strength in strengths:
                wrong = np.empty(len(Z))
                for learn, judge in folds.split(Z, domain):
                    found = machine(strength, learn).predict(Z[judge])
                    wrong[judge] = found != domain[judge]
                errors.append(
                    np.mean([np.average(wrong[domain == d], weights=weight[domain == d])
                             for d in (0, 1)])
                )  # fmt: skip
            best = strengths[int(np.argmin(errors))]  # the smallest of equals
        svm = machine(best, np.arange(len(Z)))
        error = error_by_hand(lambda X: svm.predict(scaler.transform(X)), test)
        options = {} if C is None else {"C": C}
        found = proxy_a_distance(
            Xs, Xt, sample_weight=(ws, None), random_state=2, **options
        )
        assert found == pytest.approx(2 * abs(1 - 2 * error))
        assert 0 < found < 2

    @pytest.mark.parametrize("held_out", [True, False])
    def test_h_divergence(self, held_out):
        Xs, Xt = self.pair()
        pair = in_order(Xs, Xt)
        train = test = pair
        if held_out:
            train, test = halves(*pair, np.random.RandomState(2))
        Z, domain, _ = stacked(train)
        models = {
            None: make_pipeline(
                StandardScaler(),
                LogisticRegression(class_weight="balanced", max_iter=1000),
            ),
            KNeighborsClassifier(3): KNeighborsClassifier(3),
        }
        for given, model in models.items():
            error = error_by_hand(model.fit(Z, domain).predict, test)
            found = h_divergence(Xs, Xt, given, held_out=held_out, random_state=2)
            assert found == pytest.approx(2 * abs(1 - 2 * error))

    def test_the_defaults(self):
        Xs, Xt = self.pair(shift=0.4)
        said = {"C": [1e-5, 1e-3, 1e-1, 1e1, 1e3], "random_state": 0}
        assert proxy_a_distance(Xs, Xt) == proxy_a_distance(Xs, Xt, **said)
        said = {"held_out": True, "random_state": 0}
        assert h_divergence(Xs, Xt) == h_divergence(Xs, Xt, **said)


class TestHDivergence:
    def test_any_classifier(self):
        Xs, Xt = normal(60), normal(60, seed=1)
        assert h_divergence(Xs, Xt + 50, DecisionTreeClassifier()) == 2
        assert h_divergence(Xs, Xt + 50, DummyClassifier()) == 0

    def test_without_a_half_held_out(self):
        """One neighbour remembers every row: the definition sees nothing but that."""
        Xs, Xt = normal(60), normal(60, seed=1)
        nearest = KNeighborsClassifier(1)
        assert h_divergence(Xs, Xt, nearest, held_out=False) == 2
        assert h_divergence(Xs, Xt, nearest) < 0.8

    def test_a_negative_value_is_turned_round(self):
        class Wrong(DummyClassifier):
            def predict(self, X):
                return (np.asarray(X)[:, 0] < 50).astype(int)

        Xs, Xt = normal(10), normal(10, shift=100.0)
        assert h_divergence(Xs, Xt, Wrong()) == 2

    def test_regressors_are_refused(self):
        with pytest.raises(TypeError, match="estimator must be a classifier"):
            h_divergence(normal(5), normal(5), LinearRegression())

    def test_the_estimator_is_cloned(self):
        tree = DecisionTreeClassifier()
        h_divergence(normal(5), normal(5), tree)
        assert not hasattr(tree, "tree_")


class TestMMD:
    def test_by_hand(self):
        """Two rows each on a line, with kernels of width 1 written out."""

        def k(d):
            return np.exp(-(d**2) / 2)

        within, across = (2 + 2 * k(1)) / 4, (k(2) + k(3) + k(1) + k(2)) / 4
        expected = 2 * within - 2 * across
        args = [[0.0], [1.0]], [[2.0], [3.0]]
        assert mmd(*args, bandwidth=1.0, squared=True) == pytest.approx(expected)
        assert mmd(*args, bandwidth=1.0) == pytest.approx(np.sqrt(expected))
        free = 2 * k(1) - 2 * across
        value = mmd(*args, bandwidth=1.0, squared=True, unbiased=True)
        assert value == pytest.approx(free)

    def test_widths_are_averaged(self):
        Xs, Xt = normal(10), normal(12, seed=1)
        squares = [mmd(Xs, Xt, bandwidth=w, squared=True) for w in (0.5, 2.0)]
        both = mmd(Xs, Xt, bandwidth=[0.5, 2.0], squared=True)
        assert both == pytest.approx(np.mean(squares))

    def test_the_median_follows_the_unit(self):
        Xs, Xt = normal(10), normal(12, seed=1)
        assert mmd(1e6 * Xs, 1e6 * Xt) == pytest.approx(mmd(Xs, Xt))

    def test_an_offset_does_not_matter(self):
        Xs, Xt = normal(10), normal(12, seed=1)
        assert mmd(Xs + 1e6, Xt + 1e6) == pytest.approx(mmd(Xs, Xt), rel=1e-6)

    def test_unbiased_is_right_on_average(self):
        free, biased = [], []
        for seed in range(300):
            X = normal(40, seed=seed)
            free.append(mmd(X[:20], X[20:], bandwidth=1.5, squared=True, unbiased=True))
            biased.append(mmd(X[:20], X[20:], bandwidth=1.5, squared=True))
        assert abs(np.mean(free)) < 3 * np.std(free) / np.sqrt(300)
        assert min(free) < 0
        assert np.mean(biased) > 0.03
        worst = int(np.argmin(free))
        X = normal(40, seed=worst)
        assert mmd(X[:20], X[20:], bandwidth=1.5, unbiased=True) == 0

    def test_blocks_change_nothing(self, monkeypatch):
        from mlmi_sklearn.metrics import domain_discrepancy

        Xs, Xt = normal(23), normal(17, seed=1)
        whole = mmd(Xs, Xt)
        monkeypatch.setattr(domain_discrepancy, "BLOCK", 40)
        assert mmd(Xs, Xt) == pytest.approx(whole, rel=1e-12)

    @pytest.mark.parametrize("bandwidth", [0, -1.0, [], [1, 0], "mean", np.nan])
    def test_bad_widths(self, bandwidth):
        with pytest.raises(ValueError, match="bandwidth must be"):
            mmd(normal(5), normal(5), bandwidth=bandwidth)

    def test_unbiased_needs_two_rows(self):
        with pytest.raises(ValueError, match="minimum of 2"):
            mmd([[0.0]], [[1.0], [2.0]], unbiased=True)


def test_coral_against_numpy():
    Xs, Xt = normal(10, d=4), normal(15, d=4, seed=1, scale=2.0)
    difference = np.cov(Xs, rowvar=False) - np.cov(Xt, rowvar=False)
    expected = np.linalg.norm(difference) ** 2 / (4 * 4**2)
    assert coral_distance(Xs, Xt) == pytest.approx(expected)
    assert coral_distance(Xs, Xt + 7) == pytest.approx(expected)


class TestSlicedWasserstein:
    @pytest.mark.parametrize(("n", "m"), [(7, 7), (7, 12), (1, 5), (12, 4)])
    def test_one_feature_against_scipy(self, n, m):
        Xs, Xt = normal(n, d=1), normal(m, d=1, seed=1)
        expected = wasserstein_distance(Xs.ravel(), Xt.ravel())
        assert sliced_wasserstein(Xs, Xt, p=1) == pytest.approx(expected)

    def test_a_shift_in_the_plane(self):
        """Directions at angle a see a shift of 1 as cos a; its mean square is 1/2."""
        X = normal(5, d=2)
        value = sliced_wasserstein(X, X + np.eye(2)[0], n_projections=20_000)
        assert_allclose(value, np.sqrt(0.5), atol=0.01)

    @pytest.mark.parametrize(
        "bad", [{"n_projections": 0}, {"p": 0.5}, {"p": np.inf}, {"p": np.nan}]
    )
    def test_bad_parameters(self, bad):
        with pytest.raises(ValueError, match=next(iter(bad))):
            sliced_wasserstein(normal(5), normal(5), **bad)


# -- numbers that are all but zero ----------------------------------------------------

TINY = """
import numpy as np
from scipy import sparse
from mlmi_sklearn.metrics import proxy_a_distance
rng = np.random.default_rng({seed})
X = rng.integers(-9, 10, (2, 12, 2)) * np.finfo(float).smallest_subnormal
as_csr = sparse.csr_matrix
print(proxy_a_distance(*X), proxy_a_distance(*map(as_csr, X)))
"""


@pytest.mark.parametrize("seed", range(3))
def test_subnormal_numbers_come_to_an_end(seed):
    # liblinear does not return from them, and listens to no signal.
    done = subprocess.run(
        [sys.executable, "-c", TINY.format(seed=seed)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert len(done.stdout.split()) == 2, done.stderr


@pytest.mark.parametrize("measure", [proxy_a_distance, h_divergence])
@pytest.mark.parametrize("power", [-1020, -600, -340])
@pytest.mark.parametrize("as_csr", [False, True])
def test_a_common_power_of_two_changes_nothing(measure, power, as_csr):
    rng = np.random.default_rng(0)
    Xs, Xt = rng.normal(size=(40, 3)), rng.normal(0.7, 1, size=(30, 3))
    Xs[:, 1], Xt[:, 1] = np.ldexp(Xs[:, 1], 6), np.ldexp(Xt[:, 1], 6)
    pair = [np.ldexp(X, [0, power, 0]) for X in (Xs, Xt)]
    if as_csr:
        Xs, Xt, *pair = map(sparse.csr_matrix, (Xs, Xt, *pair))
    assert measure(*pair) == measure(Xs, Xt)
