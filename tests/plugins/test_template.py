"""plugins/template: a plugin of every kind is made of it, and its own tests pass."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mlmi_sklearn.components import KINDS, list_components

cookiecutter = pytest.importorskip("cookiecutter.main")
yaml = pytest.importorskip("yaml")

TEMPLATE = Path(__file__).resolve().parents[2] / "plugins" / "template"
ASKED = json.loads((TEMPLATE / "cookiecutter.json").read_text())

# The metadata that pip would install, without building ten wheels.
METADATA = """
import os, sys
from setuptools import build_meta
for folder in sys.argv[1:]:
    os.chdir(folder)
    build_meta.prepare_metadata_for_build_wheel("src")
"""


def name_of(kind):
    return f"mlmi-tried-{kind}"


def render(folder, **answers):
    return Path(
        cookiecutter.cookiecutter(
            str(TEMPLATE),
            no_input=True,
            output_dir=str(folder),
            extra_context=answers,
            default_config=True,
        )
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make a plugin of each kind, and return their folders by kind."""
    folder = tmp_path_factory.mktemp("plugins")
    licenses = ASKED["license"]
    found = {
        kind: render(
            folder,
            name=name_of(kind),
            kind=kind,
            class_name="TriedPart",
            license=licenses[i % len(licenses)],
            author="Ada Lovelace",
        )
        for i, kind in enumerate(ASKED["kind"])
    }
    subprocess.run(
        [sys.executable, "-c", METADATA, *map(str, found.values())],
        check=True,
        capture_output=True,
    )
    return found


def test_every_kind_is_offered():
    assert ASKED["kind"] == list(KINDS)
    assert {f"{kind}.py" for kind in KINDS} == {
        file.name for file in (TEMPLATE / "templates").iterdir()
    }


def test_nothing_of_the_template_is_left(made):
    for folder in made.values():
        for file in folder.rglob("*"):
            if file.is_dir() or ".egg-info" in str(file) or ".dist-info" in str(file):
                continue
            text = file.read_text()
            assert "cookiecutter" not in text, file
            assert "{%" not in text, file
            assert re.search(r"(?<!\$)\{\{", text) is None, file
            assert text == "" or text.endswith("\n"), file
            assert "\n\n\n\n" not in text, file
            assert max(map(len, text.splitlines()), default=0) <= 88, file


def test_what_pip_reads(made):
    for kind, folder in made.items():
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        module = name_of(kind).replace("-", "_")
        assert project["name"] == name_of(kind)
        assert project["entry-points"]["mlmi_sklearn"] == {name_of(kind): module}
        assert project["dependencies"] == ["mlmi-sklearn"]
        terms = (folder / "LICENSE").read_text()
        assert re.search(r"Copyright \(c\) 20\d\d, Ada Lovelace", terms)
        word = {"BSD-3-Clause": "Neither", "MIT": "free of charge"}
        assert word.get(project["license"], "All rights reserved") in terms
        assert len(list(folder.glob("src/*.dist-info/METADATA"))) == 1


def test_their_workflow_runs_what_this_test_runs(made):
    for kind, folder in made.items():
        flow = yaml.safe_load((folder / ".github/workflows/test.yml").read_text())
        steps = flow["jobs"]["test"]["steps"]
        assert [step["run"] for step in steps if "run" in step] == [
            'pip install -e ".[test]"',
            f"mlmi-sklearn plugins check {name_of(kind)}",
            "pytest",
        ]
        assert steps[1]["with"]["python-version"] == "${{ matrix.python-version }}"


def test_their_tests_pass(made, tmp_path):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MLMI_SKLEARN")}
    env["PYTHONPATH"] = os.pathsep.join(str(f / "src") for f in made.values())
    env |= {"OMP_NUM_THREADS": "1", "MLMI_SKLEARN_SLOW_SECONDS": "600"}
    strict = "error::mlmi_sklearn.exceptions.PluginWarning"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", os.devnull, "--import-mode=importlib", "-W", strict, "-rA"),
            *(str(folder / "tests") for folder in made.values()),
        ],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    for kind in made:
        tests = f"test_{name_of(kind).replace('-', '_')}.py::test_"
        assert f"{tests}it_is_found_by_name" in done.stdout
        assert done.stdout.count(f"{tests}contract") > 1


def test_they_do_not_take_names_of_built_in_parts():
    own = {(part.kind, part.name) for part in list_components(builtin=True)}
    default = ASKED["name"].removeprefix("mlmi-")
    assert not own & {(kind, default) for kind in KINDS}


@pytest.mark.parametrize(
    "answers",
    [
        {"name": "Has Spaces"},
        {"name": "mlmi-sklearn"},
        {"class_name": "not-a-class"},
        {"part": "Ümlaut"},
        {"module": "9lives"},
    ],
)
def test_names_that_could_not_work_are_refused(answers, tmp_path):
    from cookiecutter.exceptions import FailedHookException

    with pytest.raises(FailedHookException):
        render(tmp_path, **answers)
    assert list(tmp_path.iterdir()) == []
