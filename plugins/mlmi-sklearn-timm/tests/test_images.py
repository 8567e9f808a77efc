"""Images of all sizes, with any number of channels."""

from __future__ import annotations

import pytest
import torch

from mlmi_sklearn import find_component


def build(name, shape, **params):
    torch.manual_seed(0)
    return find_component("backbone", f"timm:{name}").build(shape, **params).eval()


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto"])
@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 28, 40), (5, 64, 33)])
def test_shapes(name, shape):
    backbone = build(name, shape)
    with torch.no_grad():
        found = backbone(torch.randn(3, *shape))
    assert found.shape == (3, backbone.out_features)
    assert found.isfinite().all()
    assert found.std(dim=0).max() > 0  # the images are seen


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_every_channel_is_seen(name, channels):
    backbone = build(name, (channels, 32, 32))
    x = torch.zeros(1, channels, 32, 32)
    with torch.no_grad():
        nothing = backbone(x)
        for channel in range(channels):
            changed = x.clone()
            changed[:, channel] = torch.randn(32, 32)
            assert not torch.allclose(backbone(changed), nothing)


def test_every_pixel_of_a_transformer_is_seen():
    # 28 is no multiple of 16: without padding, 12 rows and columns would be lost.
    backbone = build("vit_tiny_patch16_224", (1, 28, 28))
    assert backbone.padding == (2, 2, 2, 2)
    x = torch.zeros(1, 1, 28, 28, requires_grad=True)
    (backbone(x) * torch.randn(backbone.out_features)).sum().backward()
    assert x.grad.abs().amin() > 0


def test_an_image_without_channels_is_one_of_one_channel():
    flat, deep = build("resnet18", (32, 32)), build("resnet18", (1, 32, 32))
    x = torch.randn(2, 32, 32)
    with torch.no_grad():
        assert torch.equal(flat(x), deep(x[:, None]))


@pytest.mark.parametrize("shape", [(7,), (1, 8, 8, 8), (), (0, 8, 8)])
def test_what_is_no_image(shape):
    with pytest.raises(ValueError, match=r"takes images, \(H, W\) or \(C, H, W\)"):
        build("resnet18", shape)


def test_trying_sizes_draws_no_random_numbers():
    part = find_component("backbone", "timm:convnext_atto")
    torch.manual_seed(3)
    first = part.build((1, 32, 32))  # fits at once
    torch.manual_seed(3)
    second = part.build((1, 28, 28))  # after a failure
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_rates_reach_the_model():
    quiet = build("resnet18", (1, 32, 32), drop_path_rate=0.0)
    loud = build("resnet18", (1, 32, 32), drop_path_rate=0.5, drop_rate=0.4)
    for backbone, drops in ((quiet, False), (loud, True)):
        names = {type(module).__name__ for module in backbone.modules()}
        assert ("DropPath" in names) == drops
        backbone.train()
        x = torch.randn(8, 1, 32, 32)
        assert torch.equal(backbone(x), backbone(x)) != drops
