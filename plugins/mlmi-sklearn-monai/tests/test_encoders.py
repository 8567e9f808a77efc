"""Shapes, sizes and weights of the encoders."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from mlmi_sklearn_monai.encoders import SwinUNETREncoder, UNetEncoder
from monai.networks.nets import BasicUNet, SwinUNETR

from mlmi_sklearn import find_component

QUICK = {
    "monai-densenet121": {"block_config": (2, 2, 2, 2), "growth_rate": 4},
    "monai-efficientnet": {},
    "monai-swin-unetr": {"feature_size": 12, "window_size": 4},
    "monai-unet": {"features": (4, 8, 8)},
}


def build(name, shape, **params):
    torch.manual_seed(0)
    return find_component("backbone", name).build(shape, **params).eval()


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("shape", [(28, 28), (3, 8, 33), (1, 8, 8, 8), (2, 7, 20, 9)])
def test_images_and_volumes_of_any_size(name, shape):
    encoder = build(name, shape, **QUICK[name])
    with torch.no_grad():
        found = encoder(torch.randn(2, *shape))
    assert found.shape == (2, encoder.out_features)
    assert found.isfinite().all()


@pytest.mark.parametrize("name", QUICK)
def test_every_pixel_is_seen(name):
    encoder = build(name, (1, 28, 28), **QUICK[name])
    x = torch.randn(1, 1, 28, 28, requires_grad=True)
    (encoder(x) * torch.randn(encoder.out_features)).sum().backward()
    assert (x.grad != 0).float().mean() > 0.99


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("shape", [(9,), (), (1, 2, 8, 8, 8), (1, 0, 8)])
def test_what_is_no_image(name, shape):
    with pytest.raises(ValueError, match=r"takes images, .* not samples of shape"):
        build(name, shape)


def test_defaults_are_the_published_nets():
    assert build("monai-densenet121", (1, 32, 32)).out_features == 1024
    assert build("monai-efficientnet", (1, 32, 32)).out_features == 1280
    assert build("monai-unet", (1, 32, 32)).out_features == 256
    assert build("monai-swin-unetr", (1, 32, 32)).out_features == 384


def test_weights_of_a_u_net_fit():
    net = BasicUNet(2, 1, 2).eval()
    encoder = UNetEncoder((1, 32, 32)).eval()
    missing, _ = encoder.load_state_dict(net.state_dict(), strict=False)
    assert missing == []
    x = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        deep = net.conv_0(x)
        for down in (net.down_1, net.down_2, net.down_3, net.down_4):
            deep = down(deep)
        torch.testing.assert_close(encoder(x), deep.mean(dim=(2, 3)))


def test_weights_of_a_swin_unetr_fit():
    net = SwinUNETR(1, 2, feature_size=12, spatial_dims=2).eval()
    encoder = SwinUNETREncoder((1, 32, 32), feature_size=12).eval()
    missing, _ = encoder.load_state_dict(net.state_dict(), strict=False)
    assert missing == []
    x = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        deep = net.swinViT(x, True)[4]
        torch.testing.assert_close(encoder(x), deep.mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("monai-swin-unetr", {"feature_size": 10}, "multiple of 12"),
        ("monai-unet", {"features": ()}, "features="),
        ("monai-unet", {"features": (4, 0)}, "features="),
        ("monai-efficientnet", {"model_name": "b0"}, "efficientnet-b0"),
    ],
)
def test_bad_parameters(name, params, text):
    with pytest.raises(ValueError, match=text):
        build(name, (1, 32, 32), **params)


def test_listing_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from mlmi_sklearn import list_components\n"
        "names = [p.name for p in list_components() if p.name.startswith('monai-')]\n"
        "assert len(names) == 8, names\n"
        "print(*sorted({'torch', 'monai', 'einops', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("\n", 0), done.stderr
