"""Poolings that are told where the instances are."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from mlmi_sklearn import Bags, MILClassifier, MILRegressor, register_component
from mlmi_sklearn.components import unregister_component
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.nn.poolings import AttentionPooling


class NearCentre(nn.Module):
    """The mean under weights that fall with the distance from the origin."""

    weighted_mean = True
    uses = frozenset({"coords"})

    def __init__(self, in_features, width=10.0):
        super().__init__()
        self.out_features = in_features
        self.width = width
        self.seen = []

    def forward(self, values, segments, coords):
        assert coords.dtype == values.dtype
        self.seen.append(coords.clone())
        weights = segments.softmax(-coords.square().sum(1) / self.width)
        return segments.weighted_sum(values, weights), weights


class InContext(NearCentre):
    """Instances see the mean place of their bag."""

    weighted_mean = False

    def instances(self, values, segments, coords):
        # Of a bag of one, the instance itself.
        return values + (segments.broadcast(segments.mean(coords)) - coords).sum(
            1, keepdim=True
        )

    def forward(self, values, segments, coords):
        weights = segments.softmax(-coords.square().sum(1))
        seen = self.instances(values, segments, coords)
        return segments.weighted_sum(seen, weights), weights


class OwnHead(NearCentre):
    """Scores bags itself, with a loss of its own, and all variants of the calls."""

    owns_head = True
    weighted_mean = False
    auxiliary_weight = 0.5

    def __init__(self, in_features, n_outputs=1):
        super().__init__(in_features)
        self.head = nn.Linear(in_features, n_outputs)

    def score(self, values, segments, coords):
        pooled, weights = self(values, segments, coords)
        return self.head(pooled), self.head(values), weights

    def auxiliary_loss(self, values, segments, target, criterion, coords):
        assert len(coords) == len(values)
        return 0.5 * criterion(self.score(values, segments, coords)[0], target)


@pytest.fixture
def near_centre():
    register_component("pooling", "near-centre", NearCentre)
    yield "near-centre"
    unregister_component("pooling", "near-centre")


@pytest.fixture
def data():
    """Only instances near the origin tell the class."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 9, 40)
    y = np.arange(40) % 2
    values = rng.normal(size=(lengths.sum(), 6))
    coords = rng.uniform(5, 9, (lengths.sum(), 2))
    for start, label in zip(np.cumsum(lengths) - lengths, y, strict=True):
        coords[start], values[start, 0] = 0, 4 * label - 2
    return Bags(values, lengths, coords=coords), y


def model(pooling, **params):
    given = {"max_epochs": 40, "lr": 0.02, "random_state": 0} | params
    return MILClassifier("linear", pooling, **given)


def test_places_reach_the_pooling(near_centre, data):
    bags, y = data
    fitted = model(near_centre).fit(bags, y)
    assert fitted.score(bags, y) == 1
    assert model("mean").fit(bags, y).score(bags, y) < 1
    first = fitted.attention(bags)[0]
    assert first[0] > 0.9
    moved = bags.with_fields(coords=bags.coords[::-1].copy())
    assert not np.allclose(fitted.predict_proba(moved), fitted.predict_proba(bags))


@pytest.mark.parametrize("pooling", [NearCentre, InContext, OwnHead])
def test_bags_know_their_own_places(pooling, data):
    bags, y = data
    fitted = model(pooling, max_epochs=3).fit(bags, y)
    together = fitted.decision_function(bags)
    single = [fitted.decision_function(bags[[i]])[0] for i in range(10)]
    assert np.allclose(together[:10], single, atol=1e-5)
    order = np.random.default_rng(1).permutation(40)
    assert np.allclose(fitted.decision_function(bags[order]), together[order])
    assert np.array_equal(
        pickle.loads(pickle.dumps(fitted)).decision_function(bags), together
    )
    scores = fitted.instance_scores(bags, flat=True)
    assert scores.shape == (bags.n_instances,)
    assert fitted.transform(bags).shape == (40, 6)


def test_a_part_of_a_bag_keeps_its_places(near_centre, data):
    bags, y = data
    values = np.array(bags.values)
    values[:, 1:3] = bags.coords  # a copy that is seen as features
    marked = bags.with_values(values)

    class Compare(NearCentre):
        def forward(self, values, segments, coords):
            # The backbone is the identity here, so features tell where each one is.
            assert torch.allclose(values[:, 1:3], coords, atol=1e-5)
            return super().forward(values, segments, coords)

    class Same(nn.Module):
        out_features = 6

        def forward(self, x):
            return x

    fitted = MILClassifier(
        lambda shape: Same(),
        Compare,
        max_instances=3,
        max_epochs=3,
        scale_inputs=False,
        early_stopping=True,
        validation_fraction=0.3,
        random_state=0,
    )
    fitted.fit(marked, y)
    fitted.partial_fit(marked, y)
    fitted.predict(marked[::-1])


@pytest.mark.parametrize("bags", ["plain", "table", "gap"])
def test_bags_without_places_are_refused(near_centre, data, bags):
    whole, y = data
    fitted = model(near_centre, max_epochs=1).fit(whole, y)
    coords = whole.coords.copy()
    coords[3, 1] = np.nan
    X, words = {
        "plain": (
            whole.with_fields(coords=None),
            r"near-centre.*pass Bags with coords=",
        ),
        "table": (whole.values[:40], "pass Bags with coords="),
        "gap": (whole.with_fields(coords=coords), "NaN or infinity, first for .* 3"),
    }[bags]
    with pytest.raises(BagError, match=words):
        fitted.fit(X, y)
    with pytest.raises(BagError, match=words):
        fitted.predict(X)
    assert fitted.score(whole, y) >= 0  # it is as it was


def test_the_pooling_may_be_changed_between_fits(near_centre, data):
    bags, y = data
    plain = bags.with_fields(coords=None)
    fitted = model("attention", max_epochs=1).fit(plain, y)
    fitted.set_params(pooling=near_centre)
    assert fitted.predict(plain).shape == (40,)  # of the model that is fitted
    fitted.fit(bags, y).set_params(pooling="mean")
    with pytest.raises(BagError, match="near-centre"):
        fitted.predict(plain)
    assert clone(fitted).fit(plain, y).predict(plain).shape == (40,)


def test_parameters_and_regression(near_centre, data):
    bags, y = data
    fitted = MILRegressor("linear", near_centre, max_epochs=2, random_state=0)
    fitted.set_params(pooling__width=3.0).fit(bags, y.astype(float))
    assert fitted.net_.module_.pooling.width == 3
    assert fitted.predict(bags).shape == (40,)
    made = model(partial(NearCentre, width=3.0), max_epochs=1).fit(bags, y)
    assert made.net_.module_.uses == {"coords"}


def test_what_a_pooling_says_of_itself_is_checked(data):
    bags, y = data
    unknown = type("Odd", (AttentionPooling,), {"uses": frozenset({"colour"})})
    with pytest.raises(ValueError, match=r"'Odd' names \['colour'\].*only coords"):
        model(unknown).fit(bags, y)
    with pytest.raises(TypeError, match="another attribute uses"):
        model(lambda width: NearCentre(width)).fit(bags, y)


def test_others_are_told_nothing(data):
    bags, y = data
    fitted = model("gated-attention", max_epochs=1).fit(bags, y)
    assert fitted._rows(bags, torch.float32).fields == {}
    assert fitted.net_.module_.uses == frozenset()
