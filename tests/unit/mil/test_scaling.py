"""Inputs on one scale, without copies of large ones."""

import numpy as np
import pytest
import torch

from mlmi_sklearn import Bags, MILClassifier
from mlmi_sklearn.mil import scaling
from mlmi_sklearn.mil.scaling import calibrate, scale_layer, statistics
from mlmi_sklearn.nn import models
from mlmi_sklearn.nn.backbones import MLP


@pytest.mark.parametrize("chunk", [1, 7, 2**19])
def test_statistics_are_those_of_numpy(chunk, monkeypatch):
    monkeypatch.setattr(scaling, "_CHUNK", chunk)
    rng = np.random.default_rng(0)
    values = rng.normal(50, [1, 5, 0], (12, 3))
    weight = np.array([1.0, 2.0, 0.5])
    mean, sd = statistics(Bags(values, [5, 3, 4]), weight)
    each = np.repeat(weight, [5, 3, 4])
    expected = np.average(values, axis=0, weights=each)
    variance = np.average((values - expected) ** 2, axis=0, weights=each)
    assert np.allclose(mean, expected)
    assert np.isclose(sd, np.sqrt(variance.mean()))


def test_images_have_one_mean_a_channel():
    rng = np.random.default_rng(0)
    tiles = rng.normal(3, 2, (6, 2, 4, 5)) + np.array([0, 9])[:, None, None]
    mean, sd = statistics(Bags(tiles, [6]), None)
    assert np.allclose(mean, tiles.mean(axis=(0, 2, 3)))
    grey, _ = statistics(Bags(tiles[:, 0], [6]), None)
    assert np.allclose(grey, tiles[:, 0].mean())
    assert sd > 0


def test_constant_features_are_left_alone():
    mean, sd = statistics(Bags(np.full((4, 2), 7.0), [2, 2]), None)
    assert mean.tolist() == [7.0, 7.0]
    assert sd == 1.0


def test_shift_and_unit_of_the_inputs_do_not_matter(make_bags, quick):
    bags, y = make_bags()
    moved = bags.with_values(1e3 * bags.values + 5e4)
    a = quick().fit(bags, y).decision_function(bags)
    b = quick().fit(moved, y).decision_function(moved)
    assert np.allclose(a, b, atol=1e-6)
    plain = quick(scale_inputs=False).fit(bags, y)
    assert plain.net_.module_.scale is None


@pytest.mark.parametrize("scale_inputs", [True, False])
def test_large_inputs_take_a_path_of_their_own(
    scale_inputs, make_bags, quick, monkeypatch
):
    bags, y = make_bags(n_features=40)
    bags = bags.with_values(bags.values + 3)
    params = {"scale_inputs": scale_inputs, "max_epochs": 5}
    expected = quick(**params).fit(bags, y)
    monkeypatch.setattr(models, "_LARGE", 0)
    found = quick(**params).fit(bags, y)
    assert "input_dropout" in repr(expected._recipe.parts["backbone"].params)
    scores = found.decision_function(bags)
    assert np.allclose(scores, expected.decision_function(bags), atol=1e-8)
    instances = found.instance_scores(bags)
    assert np.array_equal(scores, [s.max() for s in instances])


def test_the_fused_first_layer_is_the_plain_one():
    torch.manual_seed(0)
    net = MLP((6,), hidden=(5, 3), norm="layer", input_dropout=0.5).double().eval()
    x, offset = torch.randn(9, 6).double(), torch.randn(6).double()
    factor = torch.tensor(0.3).double()
    found = net.forward_affine(x, factor, offset)
    assert torch.allclose(found, net(factor * x + offset))
    net.train()
    torch.manual_seed(1)
    found = net.forward_affine(x, factor, offset)
    torch.manual_seed(1)
    assert torch.allclose(found, net(factor * x + offset))


def test_a_backbone_without_layers_is_scaled_by_itself(make_bags, monkeypatch):
    monkeypatch.setattr(models, "_LARGE", 0)
    bags, y = make_bags()
    model = MILClassifier("linear", max_epochs=2, random_state=0).fit(bags, y)
    assert np.isfinite(model.decision_function(bags)).all()
    empty = MILClassifier(max_epochs=2).set_params(backbone__hidden=())
    assert np.isfinite(empty.fit(bags, y).decision_function(bags)).all()


def loops(values, weight):
    """Mean of each channel and one deviation, element by element."""
    channels = values.shape[1] if values.ndim != 3 else 1
    sums, squares, total = np.zeros(channels), np.zeros(channels), 0.0
    for row, w in zip(values, weight, strict=True):
        parts = row.reshape(channels, -1)
        sums += w * parts.mean(axis=1)
        squares += w * (parts**2).mean(axis=1)
        total += w
    mean = sums / total
    return mean, np.sqrt((squares / total - mean**2).mean())


@pytest.mark.parametrize("shape", [(3,), (4, 5), (2, 4, 5), (3, 2, 3, 4)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("chunk", [1, 50, 2**19])
def test_statistics_of_every_rank_against_loops(shape, weighted, chunk, monkeypatch):
    monkeypatch.setattr(scaling, "_CHUNK", chunk)
    rng = np.random.default_rng(0)
    values = rng.normal(2, 3, (9, *shape))
    values[:, 0] += 5
    weight = np.array([1.0, 3.0, 0.5]) if weighted else None
    bags = Bags(values, [2, 4, 3])
    mean, sd = statistics(bags, weight)
    each = np.repeat(np.ones(3) if weight is None else weight, bags.lengths)
    expected, deviation = loops(values, each)
    assert np.allclose(mean, expected)
    assert np.isclose(sd, deviation)
    layer = scale_layer(shape).double()
    inputs = torch.from_numpy(values)
    before = layer(inputs)
    assert torch.equal(before, inputs)  # nothing until it is calibrated
    calibrate(layer, bags, weight)
    channels = (-1, *[1] * (len(shape) - 1))
    by_hand = (values - expected.reshape(channels)) / deviation
    assert np.allclose(layer(inputs), by_hand)


@pytest.mark.parametrize("level", [0.0, 1e-30, 7.0, 1e12])
@pytest.mark.parametrize("spread", [0.0, 1e-9, 1e-3])
def test_deviations_that_are_rounding_errors_are_left_alone(level, spread):
    values = level * (1 + spread * np.array([[-1.0], [1.0], [1.0], [-1.0]]))
    mean, sd = statistics(Bags(values, [4]), None)
    assert np.allclose(mean, level)
    varies = level > 0 and spread > 1e-6
    assert np.isclose(sd, level * spread if varies else 1.0)


def test_files_have_the_statistics_of_arrays(tmp_path):
    rng = np.random.default_rng(0)
    parts = [rng.normal(3, 2, (n, 4)).astype(np.float32) for n in (3, 1, 5)]
    for number, part in enumerate(parts):
        np.save(tmp_path / f"{number}.npy", part)
    weight = np.array([1.0, 2.0, 0.5])
    found = statistics(Bags.from_files(tmp_path), weight)
    expected = statistics(Bags.from_list(parts), weight)
    assert np.allclose(found[0], expected[0])
    assert np.isclose(found[1], expected[1])


@pytest.mark.parametrize("power", [-149, -140])
def test_subnormal_instances_are_scaled_as_far_as_numbers_go(power):
    rng = np.random.default_rng(0)
    values = np.ldexp(rng.integers(-8, 9, (20, 2)).astype(np.float32), power)
    model = MILClassifier(max_epochs=1, random_state=0)
    model.fit(Bags(values, [2] * 10), np.arange(10) % 2)
    assert np.isfinite(model.decision_function(Bags(values, [2] * 10))).all()
