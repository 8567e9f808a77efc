"""How models are found, and what that imports."""

from __future__ import annotations

import subprocess
import sys

import pytest
from mlmi_sklearn_timm._torchvision import import_timm

from mlmi_sklearn import NetClassifier, find_component, list_components, list_plugins
from mlmi_sklearn.exceptions import ComponentNotFoundError
from mlmi_sklearn.specs import make_spec


def test_listing_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from mlmi_sklearn import list_components, list_plugins\n"
        "names = [part.name for part in list_components('backbone')]\n"
        "assert 'timm:*' in names, names\n"
        "print(*sorted({'torch', 'timm', 'torchvision', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("\n", 0), done.stderr


def test_it_is_one_entry_of_the_listing():
    (part,) = [p for p in list_components("backbone", input="image") if p.is_family]
    assert (part.name, part.dist) == ("timm:*", "mlmi-sklearn-timm")
    (info,) = [i for i in list_plugins() if i.dist == part.dist]
    assert (info.status, info.error) == ("ok", None)


@pytest.mark.parametrize("name", ["timm:resnet18", "mlmi-sklearn-timm:timm:resnet18"])
def test_names(name):
    part = find_component("backbone", name)
    assert part.qualified_name == "mlmi-sklearn-timm:timm:resnet18"
    assert list(part.parameters()) == ["pretrained", "drop_rate", "drop_path_rate"]


def test_names_with_the_tag_of_weights():
    assert find_component("backbone", "timm:resnet18.a1_in1k").build((1, 32, 32))
    with pytest.raises(ComponentNotFoundError, match=r"there are resnet18\.a1_in1k"):
        find_component("backbone", "timm:resnet18.absent")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("resnet19", "resnet18"),
        ("Resnet18", "resnet18"),
        ("efficientnet-b0", "efficientnet_b0"),
    ],
)
def test_close_matches(wrong, right):
    with pytest.raises(ComponentNotFoundError, match=f"no model.*mean .*'{right}'"):
        NetClassifier(backbone=f"timm:{wrong}").set_params(backbone__drop_rate=0.1)


def test_a_misspelt_parameter():
    spec = make_spec("backbone", "timm:resnet18", dorp_rate=0.1)
    with pytest.raises(TypeError, match=r"'timm:resnet18'.*Did you mean 'drop_rate'"):
        spec.component().build((1, 32, 32), **spec.get_params())


@pytest.mark.parametrize("name", ["in_chans", "num_classes"])
def test_parameters_that_follow_from_the_data(name):
    with pytest.raises(TypeError, match=f"sets {name} itself, from the data"):
        find_component("backbone", "timm:resnet18").build((1, 32, 32), **{name: 3})


def test_every_model_of_timm_has_a_factory():
    names = import_timm().list_models()
    assert len(names) > 1000
    assert all(find_component("backbone", f"timm:{name}") for name in names)
