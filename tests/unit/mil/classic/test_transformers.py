"""What holds for every transformer of bags: forms of X, refusals, copies, pipelines."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from mlmi_sklearn import (
    BagFisherVector,
    Bags,
    BagStatistics,
    BagVLAD,
    InstanceWise,
    MILESTransformer,
    NormalizedSetKernel,
)
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.mil.classic import _blocks

ALL = [
    BagStatistics(("min", "max", "mean", "median", "std", "var", "sum", "count", 0.3)),
    MILESTransformer(),
    MILESTransformer(5, random_state=0),
    MILESTransformer(5, selection="kmeans", random_state=0),
    NormalizedSetKernel(),
    NormalizedSetKernel("linear", normalization="average"),
    NormalizedSetKernel("poly", normalization=None),
    NormalizedSetKernel("laplacian"),
    NormalizedSetKernel("cosine"),
    NormalizedSetKernel(approximation="nystroem", n_components=7, random_state=0),
    NormalizedSetKernel(approximation="rff", n_components=7, random_state=0),
    BagVLAD(3, random_state=0),
    BagVLAD(3, projection=2, random_state=0),
    BagFisherVector(2, random_state=0),
    BagFisherVector(2, projection=None, subsample=20, random_state=0),
]


def label(estimator):
    return repr(estimator).replace("\n", "")


every = pytest.mark.parametrize("template", ALL, ids=label)


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_row_a_bag_of_the_type_of_the_instances(template, dtype, witness):
    bags, _ = witness(dtype=dtype)
    model = clone(template).fit(bags)
    out = model.transform(bags)
    assert out.shape == (len(bags), len(model.get_feature_names_out()))
    assert out.dtype == dtype
    assert np.isfinite(out).all()


@every
def test_every_form_of_bags_gives_the_same(template, witness, in_all_forms):
    bags, _ = witness()
    expected = clone(template).fit(bags).transform(bags)
    for form, X in in_all_forms(bags).items():
        out = clone(template).fit(X).transform(X)
        assert_allclose(out, expected, rtol=1e-6, atol=1e-7, err_msg=form)


@every
@pytest.mark.parametrize(
    ("learnt", "met"), [("f8", "f4"), ("f4", "f8"), ("f8", "i8"), ("i8", "f4")]
)
def test_equal_numbers_of_another_type_give_the_same(template, learnt, met, witness):
    bags, _ = witness()
    whole = bags.values.round()
    learnt, met = (bags.with_values(whole.astype(kind)) for kind in (learnt, met))
    expected = clone(template).fit(learnt).transform(learnt)
    found = clone(template).fit(learnt).transform(met)
    assert_allclose(found, expected, rtol=1e-4, atol=2e-6)


@every
def test_a_table_is_bags_of_one(template, witness):
    bags, _ = witness()
    rows = bags.values
    singles = Bags(rows, np.ones(len(rows), dtype=int))
    expected = clone(template).fit(singles).transform(singles)
    for X in (rows, sparse.csr_matrix(rows), rows[:, None, :]):
        out = clone(template).fit(X).transform(X)
        assert_allclose(out, expected, rtol=1e-6, atol=1e-7)


@every
def test_other_bags_and_the_order_of_instances_do_not_matter(template, witness):
    bags, _ = witness()
    model = clone(template).fit(bags)
    expected = model.transform(bags)
    alone = np.vstack([model.transform(bags[i : i + 1]) for i in range(len(bags))])
    assert_allclose(alone, expected, atol=1e-9)
    turned = model.transform([bag[::-1] for bag in bags])
    assert_allclose(turned, expected, atol=1e-9)


@every
def test_small_blocks_give_the_same(template, witness, monkeypatch):
    bags, _ = witness()
    model = clone(template).fit(bags)
    expected = model.transform(bags)
    for home in ("_blocks", "_distances", "_set_kernels", "embeddings", "kernels"):
        module = f"mlmi_sklearn.mil.classic.{home}"
        monkeypatch.setattr(f"{module}.BUDGET", 23)
    monkeypatch.setattr("mlmi_sklearn.mil.classic.codebooks.BUDGET", 23)
    assert_allclose(model.transform(bags), expected, atol=1e-9)


@every
def test_a_refused_fit_leaves_a_fitted_transformer_as_it_was(template, witness):
    bags, _ = witness()
    model = clone(template).fit(bags)
    expected = model.transform(bags)
    bad = bags.with_values(np.where(bags.values > 3, np.nan, bags.values))
    for X in (bad, [], np.zeros((0, 5)), [np.zeros((0, 5))], "bags", None):
        with pytest.raises((ValueError, TypeError)):
            model.fit(X)
        assert_array_equal(model.transform(bags), expected)


@every
def test_bad_input_is_refused_by_name(template, witness):
    bags, _ = witness()
    with pytest.raises(BagError, match="not vectors"):
        clone(template).fit(Bags(np.ones((4, 3, 3)), [2, 2]))
    model = clone(template).fit(bags)
    with pytest.raises(ValueError, match="features"):
        model.transform(bags.with_values(bags.values[:, :3]))
    with pytest.raises(BagError, match="bag 0 does"):
        model.transform([np.full((2, 5), np.nan)])


@every
def test_pickle_clone_and_frames(template, witness):
    bags, _ = witness()
    named = bags.with_values(bags.values, feature_names=list("abcde"))
    model = clone(template).fit(named)
    assert list(model.feature_names_in_) == list("abcde")
    copy = pickle.loads(pickle.dumps(model))
    assert_array_equal(copy.transform(named), model.transform(named))
    again = clone(model).fit(named)
    assert_array_equal(again.transform(named), model.transform(named))
    frame = again.set_output(transform="pandas").transform(named)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == list(again.get_feature_names_out())


@every
def test_one_bag_of_one_equal_instances_and_constant_features(template):
    for bags in (
        Bags(np.ones((1, 3)), [1]),
        Bags(np.ones((6, 3)), [6]),
        Bags(np.zeros((6, 3)), [1, 5]),
    ):
        out = clone(template).fit(bags).transform(bags)
        assert np.isfinite(out).all()


@every
def test_separates_shifted_bags_in_a_search(template, witness):
    bags, y = witness(40)
    shift = 2.0 * np.repeat(y, bags.lengths)[:, None]
    noise = np.random.default_rng(0).normal(shift, size=(bags.n_instances, 5))
    encoder = clone(template)
    # With one word for each class, residuals to the words say nothing of the class.
    one_word = {"n_clusters": 1, "n_components": 1} if "Bag" in label(template) else {}
    known = encoder.get_params()
    encoder.set_params(**{k: v for k, v in one_word.items() if k in known})
    model = make_pipeline(InstanceWise(), encoder, LogisticRegression())
    search = GridSearchCV(model, {"logisticregression__C": [1, 100]}, cv=3)
    search.fit(bags.with_values(noise), y)
    best = search.best_estimator_
    assert cross_val_score(best, bags.with_values(noise), y, cv=4).mean() > 0.85


def test_chunks_cut_through_bags():
    lengths = np.array([1, 7, 2, 3])
    rows = np.arange(26.0).reshape(13, 2) % 7
    for ufunc in (np.minimum, np.add):
        expected = ufunc.reduceat(rows, [0, 1, 8, 10], axis=0)
        for chunk in range(1, 15):
            out = _blocks.reduce_rows(ufunc, lengths, lambda s: rows[s], chunk)
            assert_array_equal(out, expected)


def test_gamma_scale_is_that_of_svc_dense_and_sparse(witness):
    values = witness()[0].values
    expected = 1 / (values.shape[1] * values.var())
    assert _blocks.default_gamma("scale", values) == pytest.approx(expected)
    csr = sparse.csr_matrix(values)
    assert _blocks.default_gamma("scale", csr) == pytest.approx(expected)
    assert _blocks.default_gamma("scale", np.ones((3, 2))) == 1.0
    assert _blocks.default_gamma(0.3, values) == 0.3
