"""Channels lie side by side where that is safe, and nothing but speed depends on it."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from mlmi_sklearn import MILClassifier, NetClassifier
from mlmi_sklearn.nn import backbones
from mlmi_sklearn.persistence import load, save
from mlmi_sklearn.training.layout import put_channels_last

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 1, 16, 16)).astype(np.float32)
Y = np.arange(12) % 2
NHWC = torch.channels_last


class Viewing(nn.Module):
    """A module from elsewhere, which flattens as many do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x):
        out = self.conv(x)
        return out.view(len(x), -1)


@pytest.mark.parametrize("name", ["ConvNet", "Conv4", "UNetEncoder"])
def test_outputs_and_gradients_are_those_of_the_usual_order(name):
    usual = getattr(backbones, name)((1, 16, 16)).double()
    other = copy.deepcopy(usual)
    put_channels_last(other)
    convs = [m for m in other.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.weight.is_contiguous(memory_format=NHWC) for m in convs)
    x = torch.from_numpy(X).double()
    found, expected = other(x), usual(x)
    torch.testing.assert_close(found, expected)
    found.square().mean().backward()
    expected.square().mean().backward()
    for a, b in zip(other.parameters(), usual.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("name", ["ResNet", "StridedConv"])
def test_nets_without_pooling_keep_the_usual_order(name):
    net = getattr(backbones, name)((1, 16, 16))
    put_channels_last(net)
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.weight.is_contiguous() for m in convs)


def test_volumes_too():
    net = backbones.ConvNet3d((1, 8, 8, 8))
    put_channels_last(net)
    first = next(m for m in net.modules() if isinstance(m, nn.Conv3d))
    assert first.weight.is_contiguous(memory_format=torch.channels_last_3d)


def test_modules_from_elsewhere_keep_the_usual_order_and_train():
    net = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2), Viewing())
    before = [p.stride() for p in net.parameters()]
    put_channels_last(net)
    assert [p.stride() for p in net.parameters()] == before
    model = NetClassifier(Viewing(), max_epochs=1, random_state=0).fit(X, Y)
    assert model.predict(X).shape == (12,)


def fitted():
    model = NetClassifier("conv", max_epochs=2, random_state=0)
    return model.fit(X, Y)


def test_saved_and_pickled_models_are_bit_for_bit_the_same(tmp_path):
    model = fitted()
    expected = model.predict_proba(X)
    save(model, tmp_path / "net")
    for other in (pickle.loads(pickle.dumps(model)), load(tmp_path / "net")):
        assert (other.predict_proba(X) == expected).all()
        weight = next(p for p in other.net_.module_.parameters() if p.ndim == 4)
        assert weight.is_contiguous(memory_format=NHWC)
    one = NetClassifier("conv", max_epochs=2, random_state=0)
    one.partial_fit(X, Y).partial_fit(X, Y)
    np.testing.assert_allclose(one.predict_proba(X), expected, atol=1e-6)


def test_bags_of_images():
    sizes = [1, 3, 2, 4, 1, 2]
    images = [RNG.normal(size=(n, 1, 16, 16)).astype(np.float32) for n in sizes]
    model = MILClassifier(backbone="conv", max_epochs=1, random_state=0)
    model.fit(images, Y[:6])
    expected = model.predict_proba(images)
    alone = np.concatenate([model.predict_proba([bag]) for bag in images])
    np.testing.assert_allclose(alone, expected, atol=1e-6)
