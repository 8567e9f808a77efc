"""The plugin of docs/guides/plugins.md, made of nothing but that page.

It is built and installed by pip into an empty folder, and used in fresh processes.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mlmi_sklearn import load
from mlmi_sklearn.components.naming import HOOKS
from mlmi_sklearn.exceptions import PluginError

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("guide", HERE / "guide.py")
guide = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(guide)

FIRST = ("pyproject.toml", "my_net.py", "my_net_layers.py")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Write the files, install them and return the folder that holds the packages."""
    source = tmp_path_factory.mktemp("my-net")
    for name in FIRST:
        (source / name).write_text(guide.FILES[name])
    target = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--no-index", "--no-build-isolation", "--disable-pip-version-check"),
            *("--target", str(target), str(source)),
        ],
        check=True,
        capture_output=True,
    )
    return target


@pytest.fixture(scope="module")
def run(place, tmp_path_factory):
    """Return a function that runs Python where the plugin is installed."""
    folder = tmp_path_factory.mktemp("work")

    def start(*argv):
        env = {k: v for k, v in os.environ.items() if not k.startswith("MLMI_SKLEARN")}
        env |= {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1", "COLUMNS": "88"}
        env |= {"MLMI_SKLEARN_SLOW_SECONDS": "600"}
        return subprocess.run(
            [sys.executable, *argv],
            env=env,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    start.folder = folder
    return start


def test_it_is_short():
    lines = [line for name in FIRST for line in guide.FILES[name].splitlines()]
    assert len([line for line in lines if line.strip()]) < 30


def test_it_is_listed_without_torch(run):
    code = (
        "import sys; from mlmi_sklearn.cli import main; main(['plugins'])\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = run("-c", code)
    row = r"^my-net +my-net +0\.1\.0 +ok +backbones$"
    assert re.search(row, done.stdout, re.MULTILINE)
    imported = set(done.stderr.split())
    assert "my_net" in imported
    assert not {"torch", "my_net_layers"} & imported


def test_it_passes_the_checks_as_shown(run):
    done = run("-m", "mlmi_sklearn", "plugins", "check", "my-net")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == guide.shown("mlmi-sklearn plugins check my-net")


@pytest.fixture(scope="module")
def used(run):
    """Run what the page does with it, and return what that prints."""
    (run.folder / "test_my_net.py").write_text(guide.FILES["test_my_net.py"])
    code = (
        guide.FILES["use.py"] + "\nprint(search.best_params_, wide.score(X, y))"
        "\nimport pytest"
        "\npytest.main(['-q', '-p', 'no:cacheprovider', 'test_my_net.py'])"
    )
    done = run("-W", "error::mlmi_sklearn.exceptions.PluginWarning", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_search_takes_it_beside_a_built_in_one(used):
    scores = [float(number) for number in used[0].strip("[]").split()]
    assert len(scores) == 2
    assert min(scores) > 0.6
    [best] = [line for line in used if line.startswith("{")]
    assert float(best.rpartition("}")[2]) > 0.9


def test_a_saved_model_remembers_where_its_parts_came_from(used):
    assert "backbone my-net my-net 0.1.0" in used
    assert any(line.startswith("loss cross-entropy mlmi-sklearn ") for line in used)


def test_without_it_loading_names_what_to_install(used, run):
    with pytest.raises(PluginError, match=r"my-net==0\.1\.0") as caught:
        load(run.folder / "wide.mlmi")
    assert "pip install" in str(caught.value)


def test_its_test_is_the_one_line_shown(used):
    checks = re.search(r"my-net +(\d+) ", guide.TEXT).group(1)
    assert used[-1].startswith(f"{checks} passed in ")


def test_the_page_mentions_every_switch_and_hook():
    for name in (*HOOKS, "MLMI_SKLEARN_PLUGINS", "MLMI_SKLEARN_DISABLE"):
        assert f"`{name}" in guide.TEXT
    source = (HERE.parents[1] / "mlmi_sklearn/components/discovery.py").read_text()
    for name in set(re.findall(r"MLMI_SKLEARN_\w+", source)):
        assert f"`{name}=" in guide.TEXT


def test_the_first_plugin_has_the_name_that_is_used():
    project = tomllib.loads(guide.FILES["pyproject.toml"])
    assert project["project"]["name"] == "my-net"
    assert set(project["tool"]["setuptools"]["py-modules"]) == {
        name[:-3] for name in FIRST if name.endswith(".py")
    }
