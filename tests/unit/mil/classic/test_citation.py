"""Distances between bags and Citation-kNN against plain loops over the definitions."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from mlmi_sklearn import Bags, CitationKNN, InstanceWise
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.mil import bag_distance_matrix
from mlmi_sklearn.mil.classic._blocks import bag_blocks


def directed(A, B, rank):
    nearest = np.sort(cdist(A, B).min(axis=1))
    return nearest[min(rank, len(nearest)) - 1]


REFERENCE = {
    ("min-hausdorff", 1): lambda A, B: cdist(A, B).min(),
    ("min-hausdorff", 2): lambda A, B: max(directed(A, B, 2), directed(B, A, 2)),
    ("max-hausdorff", 1): lambda A, B: max(directed(A, B, 99), directed(B, A, 99)),
    ("mean-hausdorff", 1): lambda A, B: np.mean(
        np.r_[cdist(A, B).min(axis=1), cdist(A, B).min(axis=0)]
    ),
}


@pytest.mark.parametrize(("kind", "rank"), REFERENCE)
@pytest.mark.parametrize("as_csr", [False, True])
@pytest.mark.parametrize("budget", [2**22, 19])
def test_distances_against_loops(kind, rank, as_csr, budget, witness, monkeypatch):
    monkeypatch.setattr("mlmi_sklearn.mil.classic._distances.BUDGET", budget)
    X, Y = witness(9)[0], witness(6, seed=8)[0]
    reference = REFERENCE[kind, rank]
    across = [[reference(A, B) for B in Y] for A in X]
    within = [[reference(A, B) for B in X] for A in X]
    if as_csr:
        X, Y = (b.with_values(sparse.csr_matrix(b.values)) for b in (X, Y))
    out = bag_distance_matrix(X, Y, kind, rank=rank)
    assert_allclose(out, across, atol=1e-9)
    out = bag_distance_matrix(X, kind=kind, rank=rank)
    assert_allclose(out, within, atol=1e-9)
    assert_array_equal(out, out.T)


def test_many_columns_are_cut_at_bags(witness, monkeypatch):
    bags, _ = witness(60)
    expected = bag_distance_matrix(bags, kind="max-hausdorff")
    monkeypatch.setattr(
        "mlmi_sklearn.mil.classic._distances.bag_blocks",
        lambda lengths, most: bag_blocks(lengths, 10),
    )
    assert_allclose(bag_distance_matrix(bags, kind="max-hausdorff"), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["min-hausdorff", "max-hausdorff", "mean-hausdorff"])
def test_equal_bags_far_from_the_origin_have_distance_zero(kind, dtype, witness):
    bags, _ = witness(8)
    far = bags.with_values((bags.values + 300).astype(dtype))
    out = bag_distance_matrix(far, far.compact(), kind)
    assert_array_equal(np.diagonal(out), 0.0)
    assert out.dtype == np.float64


def test_distances_serve_neighbours(witness):
    bags, y = witness()
    model = KNeighborsClassifier(1, metric="precomputed")
    model.fit(bag_distance_matrix(bags), y)
    assert model.score(bag_distance_matrix(bags, bags), y) == 1.0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"kind": "hausdorff"}, "kind='hausdorff' is unknown"),
        ({"rank": 0}, "rank must be"),
        ({"rank": 1.5}, "rank must be"),
        ({"Y": [[[1.0, 2.0]]]}, "features"),
        ({"Y": [[[np.nan] * 5]]}, "NaN"),
    ],
)
def test_bad_arguments_of_distances(args, message, witness):
    with pytest.raises(ValueError, match=message):
        bag_distance_matrix(witness()[0], **args)


def votes_by_loops(train, y, new, n_references, n_citers):
    """Count votes as the paper says, one bag at a time."""
    between = np.array([[cdist(a, b).min() for b in train] for a in train])
    near = np.array([[cdist(a, b).min() for b in train] for a in new])
    votes = np.zeros((len(new), len(np.unique(y))))
    for i, row in enumerate(near):
        for j in np.argsort(row, kind="stable")[:n_references]:
            votes[i, y[j]] += 1
        for j in range(len(train)):
            others = np.delete(between[j], j)
            rank = 1 + (others < row[j]).sum()
            votes[i, y[j]] += rank <= n_citers
    return votes


@pytest.mark.parametrize(
    ("n_references", "n_citers"), [(2, 4), (1, 0), (5, 1), (99, 99)]
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_votes_against_loops(n_references, n_citers, n_classes, witness):
    train, _ = witness(20)
    new, _ = witness(11, seed=2)
    y = np.random.default_rng(0).permutation(np.arange(20) % n_classes)
    model = CitationKNN(n_references, n_citers).fit(train, y)
    votes = votes_by_loops(train, y, new, n_references, n_citers)
    shares = votes / votes.sum(axis=1, keepdims=True)
    assert_allclose(model.predict_proba(new), shares)
    assert_array_equal(model.predict(new), shares.round(9).argmax(axis=1))


@pytest.mark.parametrize("kind", ["f4", "i8", "F", "csr", "view", "list"])
@pytest.mark.parametrize("distance", ["min-hausdorff", "max-hausdorff"])
def test_training_bags_in_another_form_get_the_same_votes(kind, distance, witness):
    bags, y = witness(60)
    whole = bags.values.round()
    # For single precision and integers the numbers have to be the same.
    values = whole if kind in ("f4", "i8") else bags.values + 100.0
    bags = bags.with_values(values)
    other: object = {
        "f4": lambda: bags.with_values(values.astype("f4")),
        "i8": lambda: bags.with_values(values.astype("i8")),
        "F": lambda: bags.with_values(np.asfortranarray(values)),
        "csr": lambda: bags.with_values(sparse.csr_matrix(values)),
        "view": lambda: bags[::-1].compact()[::-1],
        "list": bags.to_list,
    }[kind]()
    weight = np.arange(60) % 3 + 1
    model = CitationKNN(3, 5, distance=distance).fit(bags, y, weight)
    assert_array_equal(model.predict_proba(other), model.predict_proba(bags))
    alone = [model.predict_proba(bags[i : i + 1])[0] for i in range(60)]
    assert_array_equal(alone, model.predict_proba(bags))
    again = CitationKNN(3, 5, distance=distance).fit(other, y, weight)
    assert_array_equal(again.predict_proba(bags), model.predict_proba(bags))


def test_distances_a_rounding_error_apart_tie():
    # Both are as far from zero, but for rounding; the first in training counts.
    bags = Bags(np.array([[-0.1 - 0.2], [0.3]]), [1, 1])
    far, near = bag_distance_matrix(bags, [[[0.0]]])
    assert far > near
    model = CitationKNN(1, 0).fit(bags, ["a", "b"])
    assert model.predict([[[0.0]]]) == "a"


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_votes_do_not_depend_on_the_unit(scale, witness):
    bags, y = witness()
    new, _ = witness(15, seed=6)
    votes = CitationKNN().fit(bags, y).predict_proba(new)
    small, queries = (b.with_values(b.values * scale) for b in (bags, new))
    assert_allclose(CitationKNN().fit(small, y).predict_proba(queries), votes)


def test_ties_are_negative():
    bags = Bags(np.array([[0.0], [2.0], [100.0]]), [1, 1, 1])
    model = CitationKNN(2, 0).fit(bags, ["b", "a", "b"])
    assert_array_equal(model.predict_proba([[[1.0]]]), [[0.5, 0.5]])
    assert_array_equal(model.predict([[[1.0]]]), ["a"])


def test_weights_are_repetition_and_zero_is_removal(witness):
    train, y = witness(16)
    new, _ = witness(15, seed=6)
    weight = np.random.default_rng(2).integers(0, 4, 16)
    repeated = np.repeat(np.arange(16), weight)
    queries = Bags.concat([new, train])
    for params in ({}, {"n_references": 3, "n_citers": 2}, {"n_citers": 0}):
        weighted = CitationKNN(**params).fit(train, y, sample_weight=weight)
        copies = CitationKNN(**params).fit(train[repeated], y[repeated])
        assert_allclose(weighted.predict_proba(queries), copies.predict_proba(queries))
    assert len(weighted.bags_) == np.count_nonzero(weight)


def test_a_large_weight_wins_the_vote():
    bags = Bags(np.array([[0.0], [1.0], [5.0]]), [1, 1, 1])
    plain = CitationKNN(2, 0).fit(bags, [0, 0, 1])
    assert plain.predict([[[0.4]]]) == 0
    heavy = CitationKNN(4, 0).fit(bags, [0, 1, 1], sample_weight=[1.0, 2.5, 1.0])
    assert_allclose(heavy.predict_proba([[[0.4]]]), [[0.25, 0.75]])


@pytest.mark.parametrize("distance", ["min-hausdorff", "max-hausdorff"])
def test_every_form_of_bags_gives_the_same(distance, witness, in_all_forms):
    bags, y = witness()
    new, _ = witness(10, seed=5)
    labels = np.array(["no", "yes"])[y]
    expected = CitationKNN(distance=distance).fit(bags, labels).predict_proba(new)
    for form, X in in_all_forms(bags).items():
        out = CitationKNN(distance=distance).fit(X, labels).predict_proba(new)
        assert_allclose(out, expected, err_msg=form)


def test_equal_bags_as_a_block_of_numbers(witness):
    block = np.random.default_rng(0).normal(size=(10, 3, 2))
    y = np.arange(10) % 2
    expected = CitationKNN().fit(list(block), y).predict_proba(list(block))
    assert_allclose(CitationKNN().fit(block, y).predict_proba(block), expected)


def test_pipeline_search_pickle_and_clone(witness):
    bags, y = witness(40)
    model = make_pipeline(InstanceWise(), CitationKNN())
    grid = {"citationknn__n_citers": [0, 4], "citationknn__rank": [1, 2]}
    search = GridSearchCV(model, grid, cv=3, error_score="raise").fit(bags, y)
    assert cross_val_score(search.best_estimator_, bags, y, cv=4).mean() > 0.75
    copy = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(copy.predict(bags), search.predict(bags))
    again = clone(copy).fit(bags, y)
    assert_array_equal(again.predict(bags), search.predict(bags))


def test_one_bag_one_class():
    model = CitationKNN().fit([[[1.0, 2.0]]], ["only"])
    assert_array_equal(model.predict([[[0.0, 0.0]], [[1.0, 2.0]]]), ["only", "only"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y": None}, ValueError, "requires y"),
        ({"y": [0, 1]}, ValueError, "inconsistent numbers"),
        ({"y": np.linspace(0, 1, 24)}, ValueError, "continuous"),
        ({"y": np.full(24, np.nan)}, ValueError, "NaN"),
        ({"X": np.zeros((24, 5, 2, 2))}, BagError, "not vectors"),
        ({"X": []}, ValueError, "Expected 2D array"),
        ({"sample_weight": np.zeros(24)}, ValueError, "non-zero"),
        ({"sample_weight": -np.ones(24)}, ValueError, "[Nn]egative"),
        ({"sample_weight": [1.0]}, ValueError, "sample_weight"),
    ],
)
def test_a_refused_fit_leaves_the_model_as_it_was(change, error, message, witness):
    bags, y = witness()
    good = {"X": bags, "y": y}
    with pytest.raises(error, match=message):
        CitationKNN().fit(**{**good, **change})
    model = CitationKNN().fit(**good)
    expected, before = model.predict_proba(bags), dict(vars(model))
    with pytest.raises(error, match=message):
        model.fit(**{**good, **change})
    assert vars(model) == before
    assert_array_equal(model.predict_proba(bags), expected)


@pytest.mark.parametrize(
    "params", [{"n_references": 0}, {"n_citers": -1}, {"distance": "x"}, {"rank": 0}]
)
def test_parameters_out_of_range(params, witness):
    with pytest.raises(ValueError, match=next(iter(params))):
        CitationKNN(**params).fit(*witness())
