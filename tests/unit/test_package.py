"""The package as a whole: what importing it costs, and what it offers."""

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mlmi_sklearn

ROOT = Path(__file__).parents[2]


def loaded_by(code):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_import_is_light():
    loaded = loaded_by("import mlmi_sklearn")
    assert not loaded & {"torch", "sklearn", "skorch", "numpy", "pandas", "matplotlib"}


def test_bags_need_no_torch():
    assert "torch" not in loaded_by("from mlmi_sklearn import Bags, check_bags")


def test_data_sets_need_no_torch():
    code = "from mlmi_sklearn.datasets import load_musk1; load_musk1()"
    assert "torch" not in loaded_by(code)


def test_every_name_exists():
    for name in mlmi_sklearn.__all__:
        assert getattr(mlmi_sklearn, name) is not None
    assert set(mlmi_sklearn.__all__) <= set(dir(mlmi_sklearn))


def test_everything_that_dir_lists_is_there():
    names = {name for name, _ in inspect.getmembers(mlmi_sklearn)}
    assert set(dir(mlmi_sklearn)) <= names | {"__annotations__"}


def test_submodules_are_attributes():
    code = "import mlmi_sklearn; mlmi_sklearn.datasets.load_musk1()"
    assert "mlmi_sklearn.datasets" in loaded_by(code)


def test_unknown_names():
    with pytest.raises(AttributeError, match="no attribute 'Bag'"):
        _ = mlmi_sklearn.Bag
    with pytest.raises(AttributeError, match="no attribute 'NoSuchBackbone'"):
        _ = mlmi_sklearn.NoSuchBackbone


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == mlmi_sklearn.__version__
    assert f"version: {mlmi_sklearn.__version__}" in (ROOT / "CITATION.cff").read_text()


def test_importing_leaves_scikit_learns_configuration_alone():
    from sklearn import get_config

    code = (
        "import sklearn; before = sklearn.get_config(); from mlmi_sklearn import "
        "MILClassifier; assert sklearn.get_config() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert get_config()["enable_metadata_routing"] is False


def public_objects():
    for name in mlmi_sklearn.__all__:
        item = getattr(mlmi_sklearn, name)
        if inspect.isclass(item) or inspect.isfunction(item):
            yield pytest.param(item, id=name)


@pytest.mark.parametrize("item", list(public_objects()))
def test_docstrings_are_complete(item):
    doc = inspect.getdoc(item)
    assert "Examples\n--------" in doc
    parameters = [
        name
        for name, p in inspect.signature(item).parameters.items()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    for name in parameters:
        assert f"{name} :" in doc or f"{name}," in doc, f"{name} is not documented"
    assert "{training_parameters}" not in doc
