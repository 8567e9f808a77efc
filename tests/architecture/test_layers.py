"""The direction of imports, read off the syntax trees; nothing is imported here.

An import inside a function or under ``TYPE_CHECKING`` counts like any other. Only the
package's own ``__init__`` and the command line, whose purpose is to import late, may
name upper modules.
"""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mlmi_sklearn"

FAMILIES = ("mil", "domain_adaptation", "meta_learning", "generation")
SIDE = ("metrics", "model_selection", "preprocessing", "inspection", "datasets")

# From the bottom up. A module imports from its own row and the rows before it; where
# the row is marked as apart, not from its neighbours in the row.
LAYERS: list[tuple[tuple[str, ...], bool]] = [
    (("exceptions",), False),
    (("components", "containers"), True),
    (SIDE, False),
    (("nn",), False),
    (("training",), False),
    (("base", "specs", "persistence"), False),
    (("supervised",), False),
    (("uncertainty", "search"), True),
    (FAMILIES, True),
    (("demo", "testing", "_versions", "_text"), False),
    (("cli",), False),
    (("__main__",), False),
]
LEVEL = {name: level for level, (names, _) in enumerate(LAYERS) for name in names}
APART = {name for names, apart in LAYERS for name in names if apart}

# Third-party packages that a part of the package may use; others may use any.
ALLOWED = {
    "exceptions": set(),
    "components": {"pluggy"},
    "containers": {"numpy", "scipy", "pandas", "h5py", "pyarrow"},
    "cli": set(),
}
FORBIDDEN = {
    "nn": {"sklearn", "skorch", "pandas"},
    **{name: {"torch", "skorch"} for name in SIDE},
}
LATE = {PACKAGE / "__init__.py", *PACKAGE.glob("cli/*.py")}

FILES = sorted(PACKAGE.rglob("*.py"))


def top(file: Path) -> str:
    """Return the name by which LAYERS knows a file."""
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(file: Path, tree: ast.AST) -> list[tuple[int, str]]:
    """Return line and absolute dotted name of everything a file imports."""
    package = ("mlmi_sklearn", *file.relative_to(PACKAGE).parent.parts)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{stem}.{alias.name}") for alias in node.names]
    return found


def violations(name: str, file: Path, tree: ast.AST) -> list[str]:
    """Return what a file, which belongs to a part of the package, imports wrongly."""
    bad = []
    for line, target in imports(file, tree):
        first, second = [*target.split("."), ""][:2]
        if first in sys.stdlib_module_names:
            continue
        if first != "mlmi_sklearn":
            wrong = first in FORBIDDEN.get(name, ()) or (
                name in ALLOWED and first not in ALLOWED[name]
            )
        elif second not in LEVEL:
            # A public name of the root package, which imports from everywhere.
            wrong = LEVEL[name] < LEVEL["demo"]
        else:
            wrong = LEVEL[second] > LEVEL[name] or (
                LEVEL[second] == LEVEL[name] and second != name and name in APART
            )
            wrong = wrong or (name == "nn" and second in ("containers", *SIDE))
        if wrong:
            bad.append(f"{file.name}:{line} imports {target}")
    return bad


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_point_downwards(file):
    if file in LATE:
        return
    name = top(file)
    assert name in LEVEL, f"give {name!r} its place in LAYERS and in setup.cfg"
    assert violations(name, file, ast.parse(file.read_text())) == []


@pytest.mark.parametrize("file", sorted(LATE), ids=lambda f: f.name)
def test_modules_that_import_late_import_next_to_nothing_early(file):
    tree = ast.parse(file.read_text())
    early = ast.Module(
        [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], []
    )
    for line, target in imports(file, early):
        first, second = [*target.split("."), ""][:2]
        assert first in sys.stdlib_module_names or (
            first == "mlmi_sklearn"
            and second in ("cli", "components", "exceptions", "_text")
        ), f"{file.name}:{line} imports {target} when it is itself imported"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_module_is_longer_than_400_lines(file):
    assert len(file.read_text().splitlines()) <= 400


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("components", "import numpy"),
        ("components", "def f():\n    from ..nn import backbones"),
        ("components", "from mlmi_sklearn.containers import Bags"),
        ("components", "from mlmi_sklearn import hookimpl"),
        (
            "components",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING: import torch",
        ),
        ("containers", "import torch"),
        ("nn", "from sklearn.utils import check_array"),
        ("nn", "from ..containers import Bags"),
        ("nn", "from .. import training"),
        ("training", "from mlmi_sklearn.specs import as_spec"),
        ("metrics", "import torch"),
        ("metrics", "from ..mil import MILClassifier"),
        ("mil", "from ..generation import CGANSampler"),
        ("base", "def f():\n    from .. import mil"),
        ("exceptions", "import pluggy"),
    ],
)
def test_the_test_would_notice(name, source):
    file = PACKAGE / name / "any.py"
    assert len(violations(name, file, ast.parse(source))) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("components", "import pluggy\nfrom ..exceptions import PluginError"),
        ("nn", "import torch\nfrom ..components import find_component"),
        ("base", "from ..specs import as_spec\nimport sklearn"),
        (
            "mil",
            "from ..containers.bags import Bags\nfrom ..base import TorchEstimator",
        ),
        ("demo", "from mlmi_sklearn import MILClassifier"),
        ("metrics", "import sklearn\nfrom ..datasets import load_musk1"),
    ],
)
def test_the_test_allows_what_is_right(name, source):
    file = PACKAGE / name / "any.py"
    assert violations(name, file, ast.parse(source)) == []


def test_import_linter_has_the_same_layers():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    rows = config["importlinter:contract:layers"]["layers"].split("\n")
    found = [
        {part.strip(" ()") for part in row.replace("|", ":").split(":")}
        for row in rows
        if row.strip()
    ]
    assert found[::-1] == [set(names) for names, _ in LAYERS]


def test_import_linter_is_content():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            "--config",
            "setup.cfg",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["mlmi_sklearn", "mlmi_sklearn.components"])
def test_import_is_light(module):
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "numpy", "scipy", "pandas", "sklearn", "skorch", "matplotlib"}
    assert not heavy & set(done.stdout.split())
