"""Every pooling inside the classifier: kinds of target, levels, sizes, parameters."""

import numpy as np
import pytest
from sklearn.base import clone

import mlmi_sklearn
from mlmi_sklearn import Bags, MILClassifier, list_components

NAMES = [part.name for part in list_components("pooling", builtin=True)]
LENGTHS = [1, 2, 40, 3, 1, 9, 130, 5, 1, 6, 2, 17]


def data(kind):
    rng = np.random.default_rng(0)
    bags = Bags(rng.normal(size=(sum(LENGTHS), 4)).astype(np.float32), lengths=LENGTHS)
    n = len(LENGTHS)
    y = {
        "binary": np.array(["no", "yes"])[np.arange(n) % 2],
        "three classes": np.arange(n) % 3,
        "several labels": (rng.random((n, 3)) < 0.5).astype(int),
    }[kind]
    return bags, y


@pytest.mark.parametrize("pooling", NAMES)
@pytest.mark.parametrize("level", ["instance", "embedding"])
@pytest.mark.parametrize("kind", ["binary", "three classes", "several labels"])
def test_it_fits_and_predicts(pooling, level, kind):
    bags, y = data(kind)
    model = MILClassifier("mlp", pooling, level, max_epochs=2, random_state=0)
    model.set_params(backbone__hidden=(8,), batch_size=5)
    assert model.fit(bags, y) is model
    scores = model.decision_function(bags)
    assert np.isfinite(scores).all()
    # Neither the batch nor the order of the bags matters.
    alone = np.concatenate(
        [model.decision_function(bags[i : i + 1]) for i in range(12)]
    )
    # Noisy-or scores grow with the bag, and so does their rounding.
    tolerance = 1e-5 * max(1.0, np.abs(scores).max())
    np.testing.assert_allclose(alone, scores, rtol=0, atol=tolerance)
    assert model.predict(bags).shape == y.shape
    proba = model.predict_proba(bags)
    assert np.isfinite(np.asarray(proba)).all()
    instances = model.instance_scores(bags)
    assert [len(part) for part in instances] == LENGTHS
    weights = model.attention(bags)
    np.testing.assert_allclose([w.sum() for w in weights], 1, atol=1e-5)
    assert len(model.transform(bags)) == len(LENGTHS)


@pytest.mark.parametrize("pooling", NAMES)
def test_parameters_are_reached_by_name(pooling):
    spec = mlmi_sklearn.specs.make_spec("pooling", pooling)
    assert getattr(mlmi_sklearn, type(spec).__name__) is type(spec)
    model = MILClassifier(pooling=pooling)
    for name, value in spec.get_params().items():
        model.set_params(**{f"pooling__{name}": value})
        assert clone(model).get_params()[f"pooling__{name}"] == value


def test_a_parameter_reaches_the_pooling():
    bags, y = data("binary")
    model = MILClassifier(pooling="top-k", max_epochs=1, random_state=0)
    model.set_params(pooling__k=2).fit(bags, y)
    assert model.net_.module_.pooling.k == 2
    best = [np.sort(s)[-2:].mean() for s in model.instance_scores(bags)]
    np.testing.assert_allclose(best, model.decision_function(bags), atol=1e-6)


@pytest.mark.parametrize("kind", ["binary", "three classes", "several labels"])
def test_poolings_with_a_head_get_the_number_of_scores(kind):
    bags, y = data(kind)
    for pooling in ("clam", "dsmil"):
        model = MILClassifier(pooling=pooling, max_epochs=1, random_state=0)
        model.fit(bags, y)
        expected = 1 if kind == "binary" else 3
        assert model.net_.module_.pooling.n_outputs == expected
