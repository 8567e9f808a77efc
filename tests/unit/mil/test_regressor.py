import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import Bags, InstanceWise, MILRegressor


@pytest.fixture(scope="module")
def data():
    """Bags whose target is the largest first feature, in an awkward unit."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 6, 60)
    bags = Bags(rng.normal(size=(lengths.sum(), 3)), lengths)
    return bags, 1e4 + 500 * np.array([bag[:, 0].max() for bag in bags])


def quick(**params):
    return MILRegressor(**{"max_epochs": 5, "random_state": 0, **params})


@pytest.mark.parametrize("level", ["instance", "embedding"])
@pytest.mark.parametrize("pooling", ["max", "mean", "attention", "gated-attention"])
def test_every_pooling_learns(data, pooling, level):
    bags, y = data
    model = quick(pooling=pooling, level=level, max_epochs=40, lr=1e-2).fit(bags, y)
    assert model.score(bags, y) > 0.5


def test_the_maximum_is_exact_in_the_unit_of_y(data):
    bags, y = data
    model = quick(pooling="max").fit(bags, y)
    highest = [values.max() for values in model.predict_instances(bags)]
    assert np.array_equal(model.predict(bags), highest)


def test_the_mean_is_that_of_the_instances(data):
    bags, y = data
    model = quick(pooling="mean").fit(bags, y)
    means = [values.mean() for values in model.predict_instances(bags)]
    assert np.allclose(model.predict(bags), means)


def test_scores_of_instances_are_predictions(data):
    bags, y = data
    model = quick().fit(bags, y)
    flat = model.instance_scores(bags, flat=True)
    assert np.array_equal(flat, model.predict_instances(bags, flat=True))
    assert np.allclose([a.sum() for a in model.attention(bags)], 1)


def test_several_targets(data):
    bags, y = data
    both = np.column_stack([y, -y])
    model = quick(max_epochs=40, lr=1e-2).fit(bags, both)
    assert model.predict(bags).shape == (60, 2)
    assert model.predict_instances(bags)[0].shape == (bags.lengths[0], 2)
    assert model.score(bags, both) > 0.3


def test_unknown_targets_have_no_part_in_mean_and_scale(data):
    bags, y = data
    partly = np.where(np.arange(60) % 3, y, np.nan)
    model = quick().fit(bags, partly)
    known = ~np.isnan(partly)
    assert np.isclose(model.y_mean_, y[known].mean())
    assert np.isclose(model.y_scale_, y[known].std())
    assert np.isfinite(model.predict(bags)).all()


def test_one_of_several_targets_may_be_unknown(data):
    bags, y = data
    both = np.column_stack([y, -y])
    both[::4, 0] = np.nan
    model = quick(max_epochs=40, lr=1e-2).fit(bags, both)
    assert r2_score(y, model.predict(bags)[:, 0]) > 0.3


def test_targets_of_instances_teach(data):
    bags, y = data
    truth = 1e4 + 500 * bags.values[:, 0]
    known = np.where(np.arange(bags.n_instances) % 2, truth, np.nan)

    def error(**fit):
        model = quick(pooling="max", max_epochs=20).fit(bags, y, **fit)
        return np.abs(model.predict_instances(bags, flat=True) - truth).mean()

    assert error(y_instances=known) < error()


def test_targets_of_instances_of_the_wrong_width(data):
    bags, y = data
    wrong = np.zeros((bags.n_instances, 2))
    with pytest.raises(ValueError, match="y_instances has shape"):
        quick().fit(bags, y, y_instances=wrong)


def test_quantiles_of_bags(data):
    bags, y = data
    model = quick(loss="quantile", max_epochs=20)
    model.set_params(loss__q=(0.1, 0.5, 0.9)).fit(bags, y)
    quantiles = model.predict_quantiles(bags)
    assert quantiles.shape == (60, 3)
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_in_pipelines_searches_and_pickles(data):
    bags, y = data
    pipe = make_pipeline(InstanceWise(StandardScaler()), quick())
    assert len(cross_val_score(pipe, bags, y, cv=3)) == 3
    grid = {"milregressor__pooling": ["mean", "max"]}
    search = GridSearchCV(pipe, grid, cv=2).fit(bags, y)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert np.array_equal(again.predict(bags), search.predict(bags))


def test_training_goes_on(data):
    bags, y = data
    model = quick(warm_start=True).fit(bags, y)
    assert model.fit(bags, y).n_iter_ == 10
    assert model.partial_fit(bags, y).n_iter_ == 11
    early = quick(early_stopping=True, max_epochs=20).fit(bags, y)
    assert "valid_score" in early.history_


def test_clones_keep_every_parameter():
    model = quick(pooling="mean", smoothness=0.5, max_instances=7)
    assert clone(model).get_params() == model.get_params()


def test_clam_needs_classes(data):
    bags, y = data
    with pytest.raises(ValueError, match="class"):
        quick(pooling="clam").fit(bags, y)
