"""Pretrained weights, from a file and from a network that is not there."""

from __future__ import annotations

import pickle

import pytest
import torch
from mlmi_sklearn_timm import models
from mlmi_sklearn_timm._torchvision import import_timm
from safetensors.torch import load_file, save_file

from mlmi_sklearn import NetClassifier, find_component
from mlmi_sklearn.exceptions import PluginError

RESNET = "timm:resnet18"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Write weights of a ResNet for three channels and a thousand classes."""
    timm = import_timm()
    torch.manual_seed(11)
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(timm.create_model("resnet18").state_dict(), path)
    return path


def first_layer(shape, file):
    backbone = find_component("backbone", RESNET).build(shape, pretrained=str(file))
    return backbone.model.conv1.weight


def test_weights_of_a_file(file):
    known = first_layer((3, 32, 32), file)
    torch.manual_seed(11)
    assert torch.equal(known, import_timm().create_model("resnet18").conv1.weight)


def test_the_first_layer_is_adapted_to_the_channels(file):
    known = first_layer((3, 32, 32), file)
    single = first_layer((1, 32, 32), file)
    torch.testing.assert_close(single, known.sum(dim=1, keepdim=True))
    for channels in (2, 5):
        # Repeated and scaled, so that a grey image excites the layer as before.
        found = first_layer((channels, 32, 32), file)
        assert found.shape[1] == channels
        torch.testing.assert_close(found[:, 0], known[:, 0] * 3 / channels)


def test_no_such_file():
    with pytest.raises(ValueError, match=r"pretrained='/absent.pth': there is no such"):
        find_component("backbone", RESNET).build((1, 32, 32), pretrained="/absent.pth")


def test_a_file_of_something_else(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match=r"in that file cannot be used"):
        find_component("backbone", RESNET).build((1, 32, 32), pretrained=str(path))


def test_a_file_that_lacks_a_layer(tmp_path, file):
    state = load_file(file)
    del state["layer4.1.conv2.weight"]
    path = tmp_path / "partial.safetensors"
    save_file(state, path)
    with pytest.raises(ValueError, match=r"no weights for layer4\.1\.conv2\.weight"):
        find_component("backbone", RESNET).build((1, 32, 32), pretrained=str(path))


def test_without_a_network(images):
    model = NetClassifier(backbone=RESNET, max_epochs=1)
    model.set_params(backbone__pretrained=True)
    with pytest.raises(ValueError, match="its weights could not be fetched") as caught:
        model.fit(*images)
    text = str(caught.value)
    assert "'timm:resnet18', pretrained=True" in text
    assert "backbone__pretrained='/path/to/model.safetensors'" in text
    assert "backbone__pretrained=False" in text
    assert not hasattr(model, "net_")


def test_a_model_for_which_timm_lists_no_weights():
    with pytest.raises(ValueError, match="timm lists no weights for 'mixer_s32_224'"):
        find_component("backbone", "timm:mixer_s32_224").build(
            (1, 32, 32), pretrained=True
        )


def test_a_fitted_model_is_restored_without_fetching(images, file, monkeypatch):
    X, y = images
    model = NetClassifier(backbone=RESNET, max_epochs=1, random_state=0)
    model.set_params(backbone__pretrained=str(file)).fit(X, y)
    data = pickle.dumps(model)

    def refuse(*args):
        raise AssertionError("weights were asked for")

    monkeypatch.setattr(models, "load_pretrained", refuse)
    twin = pickle.loads(data)
    assert (twin.predict_proba(X) == model.predict_proba(X)).all()
    with pytest.raises(PluginError, match="weights were asked for"):
        twin.fit(X, y)
