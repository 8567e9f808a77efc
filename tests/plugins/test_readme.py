"""The plugin of plugins/README.md is what its readers will copy, so it has to work."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[2] / "plugins" / "README.md").read_text()


def blocks(language):
    """Return the code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def installed(install):
    """Install the plugin as its pyproject.toml says."""
    project = tomllib.loads(blocks("toml")[0])
    assert project["tool"]["setuptools"]["py-modules"] == ["mlmi_log_cosh"]
    [(entry, target)] = project["project"]["entry-points"]["mlmi_sklearn"].items()
    install(
        project["project"]["name"],
        blocks("python")[0],
        version=project["project"]["version"],
        entry=entry,
        target=target,
    )


def test_the_example_prints_what_is_said(installed, run):
    done = run(blocks("python")[1])
    assert done.stdout.strip(), done.stderr
    assert f"`{done.stdout.strip()}`" in README


def test_an_estimator_takes_the_part_by_name(installed, run):
    done = run(
        blocks("python")[2] + "import numpy as np\n"
        "X = np.linspace(-1, 1, 40, dtype='float32').reshape(20, 2)\n"
        "model.set_params(max_epochs=3, batch_size=10).fit(X, X[:, 0])\n"
        "print(model.get_params()['loss__scale'], model.predict(X).shape)"
    )
    assert done.stdout == "2.0 (20,)\n", done.stderr


def test_the_part_keeps_the_contract_of_its_kind(installed, run):
    done = run(
        """
        import math, torch
        from mlmi_sklearn.components import find_component, list_plugins
        loss = find_component("loss", "log-cosh").build(scale=2.0)
        raw = torch.tensor([[1.0, -3.0], [0.0, 1000.0]], requires_grad=True)
        value = loss(raw, torch.zeros(2, 2))
        value.sum().backward()
        expected = (math.log(math.cosh(0.5)) + math.log(math.cosh(1.5))) / 2
        assert value.shape == (2,) and loss.link == "identity"
        assert abs(float(value[0]) - expected) < 1e-6
        assert torch.isfinite(value).all() and torch.isfinite(raw.grad).all()
        assert loss(raw[:, :1], torch.zeros(2)).shape == (2,)
        print([(i.name, i.status) for i in list_plugins()][1:])
        """
    )
    assert done.stdout == "[('log-cosh', 'ok')]\n", done.stderr


def test_it_lists_the_plugins_that_are_here():
    folder = Path(__file__).resolve().parents[2] / "plugins"
    here = {file.parent.name for file in folder.glob("*/pyproject.toml")}
    assert set(re.findall(r"^\| \[`([\w-]+)`\]\(\1\)", README, re.MULTILINE)) == here
    for name in here:
        project = tomllib.loads((folder / name / "pyproject.toml").read_text())[
            "project"
        ]
        assert project["name"] == name
        assert list(project["entry-points"]) == ["mlmi_sklearn"]
        assert {"README.md", "LICENSE"} <= {f.name for f in (folder / name).iterdir()}
        assert any((folder / name / "tests").glob("test_*.py"))


def test_its_links_lead_somewhere():
    folder = Path(__file__).resolve().parents[2] / "plugins"
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (folder / target).exists(), target
