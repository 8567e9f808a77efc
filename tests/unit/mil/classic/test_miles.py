"""MILESTransformer against its definition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.spatial.distance import cdist

from mlmi_sklearn import Bags, MILESTransformer


def similarities(bags, prototypes, gamma):
    return np.stack(
        [np.exp(-gamma * cdist(bag, prototypes) ** 2).max(axis=0) for bag in bags]
    )


def test_against_the_definition(witness):
    bags, _ = witness()
    new, _ = witness(9, seed=3)
    model = MILESTransformer(gamma=0.3).fit(bags)
    expected = similarities(new, bags.values, 0.3)
    assert_allclose(model.transform(new), expected, rtol=1e-9)
    scale = 1 / (5 * bags.values.var())
    out = MILESTransformer().fit(bags).transform(new)
    assert_allclose(out, similarities(new, bags.values, scale), rtol=1e-9)


def test_a_bag_has_similarity_one_to_its_own_instances_exactly(witness):
    bags, _ = witness()
    far = bags.with_values(1000.0 + bags.values)  # rounding must not show
    out = MILESTransformer(gamma=10.0).fit_transform(far)
    owner = np.repeat(np.arange(len(bags)), bags.lengths)
    assert_array_equal(out[owner, np.arange(len(owner))], 1.0)


def test_random_prototypes_are_instances_without_repetition(witness):
    bags, _ = witness()
    model = MILESTransformer(6, random_state=3).fit(bags)
    assert len(set(model.prototype_indices_)) == 6
    assert_array_equal(model.prototypes_, bags.values[model.prototype_indices_])
    other = MILESTransformer(6, random_state=4).fit(bags)
    assert not np.array_equal(other.prototype_indices_, model.prototype_indices_)


def test_centres_lie_among_the_clusters():
    rng = np.random.default_rng(0)
    values = np.r_[rng.normal(0, 0.1, (30, 2)), rng.normal(9, 0.1, (30, 2))]
    bags = Bags(values, [10] * 6)
    for X in (bags, bags.with_values(sparse.csr_matrix(values))):
        model = MILESTransformer(2, selection="kmeans", random_state=0).fit(X)
        assert model.prototype_indices_ is None
        assert_allclose(np.sort(model.prototypes_[:, 0]), [0, 9], atol=0.2)


@pytest.mark.parametrize("n_prototypes", [None, 10_000])
def test_all_instances_where_fewer_than_asked_for(n_prototypes, witness):
    bags, _ = witness()
    model = MILESTransformer(n_prototypes, selection="kmeans").fit(bags)
    assert_array_equal(model.prototypes_, bags.values)
    assert_array_equal(model.prototype_indices_, np.arange(bags.n_instances))


@pytest.mark.parametrize("params", [{"gamma": 0}, {"n_prototypes": 0}, {"gamma": "x"}])
def test_parameters_out_of_range(params, witness):
    with pytest.raises(ValueError, match=next(iter(params))):
        MILESTransformer(**params).fit(witness()[0])


def test_similarities_that_are_no_numbers_are_refused(witness):
    X, _ = witness()
    far = X.with_values((X.values * 1e30).astype(np.float32))
    with pytest.raises(ValueError, match="X holds rows on which the outputs"):
        MILESTransformer().fit(far).transform(far)
