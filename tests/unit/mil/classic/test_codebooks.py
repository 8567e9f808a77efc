"""VLAD and Fisher vectors against plain loops over their definitions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.decomposition import PCA

from mlmi_sklearn import BagFisherVector, Bags, BagVLAD


def finished(codes):
    roots = np.sign(codes) * np.sqrt(np.abs(codes))
    return roots / np.linalg.norm(roots)


def test_vlad_against_loops(witness):
    bags, _ = witness()
    new, _ = witness(8, seed=7)
    model = BagVLAD(3, random_state=0).fit(bags)
    centres = model.kmeans_.cluster_centers_
    for bag, out in zip(new, model.transform(new), strict=True):
        codes = np.zeros_like(centres)
        for x in bag:
            nearest = np.linalg.norm(x - centres, axis=1).argmin()
            codes[nearest] += x - centres[nearest]
        assert_allclose(out, finished(codes.ravel()), atol=1e-9)


def test_fisher_vector_against_loops(witness):
    bags, _ = witness()
    new, _ = witness(8, seed=7)
    model = BagFisherVector(2, projection=None, random_state=0).fit(bags)
    mixture = model.mixture_
    for bag, out in zip(new, model.transform(new), strict=True):
        codes = []
        for k, w in enumerate(mixture.weights_):
            z = (bag - mixture.means_[k]) / np.sqrt(mixture.covariances_[k])
            g = mixture.predict_proba(bag)[:, k]
            codes.append((g @ z) / (len(bag) * np.sqrt(w)))
            codes.append((g @ (z**2 - 1)) / (len(bag) * np.sqrt(2 * w)))
        assert_allclose(out, finished(np.concatenate(codes)), atol=1e-9)


def test_fisher_vector_is_the_gradient_of_the_likelihood():
    rng = np.random.default_rng(0)
    bags = Bags(rng.normal(size=(60, 2)), [60])
    model = BagFisherVector(2, projection=None, random_state=0).fit(bags)
    mixture, step, new = model.mixture_, 1e-6, rng.normal(size=(7, 2))
    gradients = np.empty((2, 2))
    for k in range(2):
        for d in range(2):
            ends = []
            for sign in (-1, 1):
                mixture.means_[k, d] += sign * step
                ends.append(mixture.score(new))
                mixture.means_[k, d] -= sign * step
            scale = np.sqrt(mixture.covariances_[k, d] / mixture.weights_[k])
            gradients[k, d] = (ends[1] - ends[0]) / (2 * step) * scale
    codes = model._encode_block(new, np.array([7])).reshape(2, 2, 2)
    assert_allclose(codes[:, 0], gradients, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("encoder", [BagVLAD(2), BagFisherVector(2)])
def test_unit_length_and_seeds(encoder, witness):
    bags, _ = witness()
    model = encoder.set_params(random_state=0)
    out = model.fit_transform(bags)
    assert_allclose(np.linalg.norm(out, axis=1), 1.0)
    assert_array_equal(model.fit_transform(bags), out)
    assert model.get_feature_names_out()[0] == f"{type(model).__name__.lower()}0"


def test_a_bag_on_the_centre_is_the_zero_vector():
    bags = Bags(np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 2.0], [-1.0, 2.0]]), [2, 2])
    out = BagVLAD(1).fit_transform(bags)
    assert_array_equal(out, np.zeros((2, 2)))


@pytest.mark.parametrize("kind", [BagVLAD, BagFisherVector])
def test_projection_is_pca(kind, witness):
    bags, _ = witness()
    model = kind(1, projection=2, random_state=0).fit(bags)
    by_hand = bags.with_values(PCA(2).fit_transform(bags.values))
    plain = kind(1, projection=None, random_state=0).fit(by_hand)
    expected = np.abs(plain.transform(by_hand))  # the sign of an axis is arbitrary
    assert_allclose(np.abs(model.transform(bags)), expected, atol=1e-6)
    assert kind(1, projection=99).fit(bags).projection_.n_components_ == 5
    assert kind(1, projection=0.5).fit(bags).projection_.n_components_ < 5


@pytest.mark.parametrize("kind", [BagVLAD, BagFisherVector])
def test_codebook_of_a_sample_and_of_few_instances(kind, witness):
    bags, _ = witness()
    model = kind(2, projection=None, random_state=0).fit(bags)
    expected = model.transform(bags)
    sampled = model.set_params(subsample=10).fit(bags)
    assert not np.allclose(sampled.transform(bags), expected)
    tiny = kind(50).fit(Bags(np.array([[0.0], [1.0], [5.0]]), [1, 2]))
    assert np.isfinite(tiny.transform([[[9.0]], [[0.0], [1.0]]])).all()


def test_vlad_keeps_csr_sparse_until_the_sums(witness, monkeypatch):
    bags, _ = witness()
    X = bags.with_values(sparse.csr_matrix(bags.values))
    model = BagVLAD(2, random_state=0).fit(X)
    monkeypatch.setattr(
        sparse.csr_matrix, "toarray", lambda *_, **__: pytest.fail("made dense")
    )
    assert model.transform(X).shape == (24, 10)


@pytest.mark.parametrize(
    "params", [{"projection": 0}, {"projection": 1.0}, {"subsample": 0}]
)
@pytest.mark.parametrize("kind", [BagVLAD, BagFisherVector])
def test_parameters_out_of_range(kind, params, witness):
    with pytest.raises(ValueError, match=next(iter(params))):
        kind(**params).fit(witness()[0])
