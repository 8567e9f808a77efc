"""Poolings by themselves and in estimators."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mlmi_sklearn_graph import GraphAttentionPooling, GraphMeanPooling
from sklearn.model_selection import GridSearchCV

from mlmi_sklearn import Bags, MILClassifier, MILRegressor
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.nn.segments import Segments

BOTH = [GraphAttentionPooling, GraphMeanPooling]
NAMES = ["graph-attention", "graph-mean"]


@pytest.fixture(scope="module")
def example():
    path = Path(__file__).parents[1] / "examples" / "neighbours.py"
    spec = importlib.util.spec_from_file_location("neighbours_example", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("made", BOTH)
def test_only_places_relative_to_each_other_matter(made):
    torch.manual_seed(0)
    pool = made(5, width=8).eval()
    values, bags = torch.randn(30, 5), Segments([20, 10])
    coords = torch.randint(0, 5, (30, 2)).float()
    expected = pool(values, bags, coords=coords)[0]
    turned = coords @ torch.tensor([[0.0, 1], [-1, 0]])
    for moved in (coords + 1000, 32 * coords, turned):
        assert torch.allclose(pool(values, bags, coords=moved)[0], expected, atol=1e-5)
    other = pool(values, bags, coords=coords.flip(0))[0]
    assert not torch.allclose(other, expected, atol=1e-3)


@pytest.mark.parametrize("made", BOTH)
def test_what_is_farther_is_not_seen(made):
    torch.manual_seed(0)
    line = torch.arange(20.0)[:, None]
    values, bags = torch.randn(20, 4), Segments([20])
    other = values.clone()
    other[19] += 5
    for n_layers in (1, 3):
        pool = made(4, width=8, n_layers=n_layers, neighbours=2).eval()
        one, two = (pool.instances(v, bags, line) for v in (values, other))
        changed = (one - two).abs().amax(1) > 1e-6
        # Border tiles have their two neighbours on one side.
        assert not changed[: 19 - 2 * n_layers].any()
        assert changed[19 - n_layers :].all()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"width": 6}, "width=6 must be a multiple of heads=4"),
        ({"neighbours": 0}, "neighbours=0"),
        ({"n_layers": 1.5}, "n_layers=1.5"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"heads": True}, "heads=True"),
    ],
)
def test_impossible_parameters(params, words):
    with pytest.raises(ValueError, match=words):
        GraphAttentionPooling(8, **params)


@pytest.mark.parametrize("name", NAMES)
def test_an_estimator_with_places(example, name):
    bags, y = example.make_slides(16, 0)
    model = MILClassifier("linear", name, max_epochs=2, random_state=0)
    model.set_params(pooling__width=16, pooling__neighbours=4).fit(bags, y)
    proba = model.predict_proba(bags)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(bags), proba)
    alone = np.vstack([model.predict_proba(bags[[i]]) for i in range(16)])
    assert np.allclose(alone, proba, atol=1e-5)
    assert np.allclose(model.attention(bags, flat=True)[:64].sum(), 1)
    assert len(model.instance_scores(bags)[0]) == 64
    again = MILClassifier("linear", name, max_epochs=2, random_state=0)
    again.set_params(pooling__width=16, pooling__neighbours=4).fit(bags, y)
    assert np.array_equal(again.predict_proba(bags), proba)


@pytest.mark.parametrize("name", NAMES)
def test_bags_without_places_are_refused(example, name):
    bags, y = example.make_slides(8, 0)
    plain = bags.with_fields(coords=None)
    with pytest.raises(BagError, match=rf"pooling='{name}' needs positions.*coords="):
        MILClassifier("linear", name).fit(plain, y)


def test_a_search_by_name_beside_a_built_in_pooling(example):
    bags, y = example.make_slides(12, 0)
    search = GridSearchCV(
        MILRegressor("linear", max_epochs=1, max_instances=30, random_state=0),
        {"pooling": ["attention", *NAMES]},
        cv=2,
    )
    search.fit(bags, y.astype(float))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_unusual_bags():
    rng = np.random.default_rng(0)
    lengths = [1, 2, 30, 1]
    coords = rng.integers(0, 2, (34, 3)).astype(float)  # many at one place
    bags = Bags(rng.normal(size=(34, 4)), lengths, coords=coords)
    for name in NAMES:
        model = MILClassifier(pooling=name, max_epochs=2, random_state=0)
        found = model.fit(bags, [0, 1, 0, 1]).predict_proba(bags)
        assert np.isfinite(found).all()


LARGE = """
import resource, torch
from mlmi_sklearn_graph import {name}
from mlmi_sklearn.nn.segments import Segments
pool = {name}(64)
values, n = torch.randn(317 ** 2, 64), 317 ** 2
xy = torch.cartesian_prod(torch.arange(317), torch.arange(317)).float()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pool(values, Segments([n]), coords=xy)[0].sum().backward()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "limit"), [(GraphAttentionPooling, 4000), (GraphMeanPooling, 1500)]
)
def test_memory_of_a_step_on_a_hundred_thousand_tiles(made, limit):
    """MiB, of which the attention of each tile to each would take 40,000."""
    code = LARGE.format(name=made.__name__)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    used = float(done.stdout)
    print(f"{made.__name__}: {used:.0f} MiB")
    assert used < limit


@pytest.mark.slow
def test_neighbours_tell_what_a_pooling_without_places_cannot(example):
    assert example.accuracy("graph-attention", seed=0) > 0.85
    assert example.accuracy("gated-attention", seed=0) < 0.65
