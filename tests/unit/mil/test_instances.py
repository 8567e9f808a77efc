"""What a classifier of bags says about instances."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from mlmi_sklearn import list_components

METHODS = ("instance_scores", "predict_instances", "predict_instances_proba")
POOLINGS = [part.name for part in list_components("pooling", builtin=True)]


@pytest.fixture(params=[2, 3], ids=["binary", "three classes"])
def fitted(request, make_bags, quick):
    X, y = make_bags(n_classes=request.param)
    return quick(pooling="attention").fit(X, np.array(list("abc"))[y]), X


@pytest.mark.parametrize("method", [*METHODS, "attention"])
def test_lists_are_aligned_with_bags(method, fitted):
    model, X = fitted
    found = getattr(model, method)(X)
    assert isinstance(found, list)
    assert [len(part) for part in found] == X.lengths.tolist()
    flat = getattr(model, method)(X, flat=True)
    assert len(flat) == X.n_instances
    assert_array_equal(np.concatenate(found), flat)


@pytest.mark.parametrize("method", [*METHODS, "attention"])
def test_views_and_single_bags(method, fitted):
    model, X = fitted
    whole = getattr(model, method)(X)
    for chosen in ([7, 3, 3, 29], slice(None, None, -1), [4]):
        order = np.arange(30)[chosen]
        for part, bag in zip(getattr(model, method)(X[chosen]), order, strict=True):
            if part.dtype.kind == "f":
                assert_allclose(part, whole[bag], atol=1e-10)
            else:
                assert_array_equal(part, whole[bag])


def test_shapes_and_meaning(fitted):
    model, X = fitted
    k = len(model.classes_)
    scores = model.instance_scores(X, flat=True)
    proba = model.predict_instances_proba(X, flat=True)
    classes = model.predict_instances(X, flat=True)
    assert scores.shape == ((X.n_instances,) if k == 2 else (X.n_instances, 3))
    assert proba.shape == (X.n_instances, k)
    assert_allclose(proba.sum(axis=1), 1)
    assert_array_equal(classes, model.classes_[proba.argmax(axis=1)])
    if k == 2:
        assert_allclose(np.log(proba[:, 1] / proba[:, 0]), scores, atol=1e-8)


# These see instances in the context of their bag, or want two of them.
IN_CONTEXT = {"additive", "transformer", "threshold"}


@pytest.mark.parametrize("pooling", [p for p in POOLINGS if p not in IN_CONTEXT])
@pytest.mark.parametrize("level", ["instance", "embedding"])
def test_an_instance_is_scored_as_a_bag_of_its_own(pooling, level, make_bags, quick):
    X, y = make_bags(n_classes=3)
    model = quick(pooling=pooling, level=level).fit(X, y)
    assert_allclose(
        model.instance_scores(X, flat=True),
        model.decision_function(X.values),
        atol=1e-10,
    )
    assert_allclose(
        model.predict_instances_proba(X, flat=True),
        model.predict_proba(X.values),
        atol=1e-10,
    )


def test_attention_of_equal_instances_is_even(make_bags, quick):
    X, y = make_bags()
    same = [np.repeat(bag[:1], 4, axis=0) for bag in X]
    for pooling in POOLINGS:
        weights = quick(pooling=pooling).fit(X, y).attention(same, flat=True)
        assert_allclose(weights, 0.25, atol=1e-10)


def test_attention_of_the_maximum_counts_classes(make_bags, quick):
    X, y = make_bags(n_classes=3)
    model = quick().fit(X, y)
    for scores, weights in zip(
        model.instance_scores(X), model.attention(X), strict=True
    ):
        shares = (scores == scores.max(axis=0)).mean(axis=1)
        assert_allclose(weights, shares, atol=1e-10)


def test_a_plain_table_is_bags_of_one(make_bags, quick):
    X, y = make_bags()
    model = quick().fit(X.values, np.repeat(y, X.lengths))
    scores = model.instance_scores(X.values)
    assert len(scores) == X.n_instances
    assert_array_equal(np.concatenate(scores), model.decision_function(X.values))
    assert_array_equal(model.attention(X.values, flat=True), np.ones(X.n_instances))


@pytest.mark.parametrize("method", [*METHODS, "attention", "transform"])
def test_not_fitted(method, make_bags, quick):
    with pytest.raises(NotFittedError, match="MILClassifier instance is not fitted"):
        getattr(quick(), method)(make_bags()[0])


def test_margins_have_no_probabilities(make_bags, quick):
    model = quick(loss="hinge")
    assert not hasattr(model, "predict_instances_proba")
    model.fit(*make_bags())
    assert not hasattr(model, "predict_instances_proba")
    with pytest.raises(AttributeError) as caught:
        _ = model.predict_instances_proba
    assert "loss='hinge'" in str(caught.value.__cause__)
    assert "decision_function" in str(caught.value.__cause__)
    assert len(model.predict_instances(make_bags()[0])) == 30
