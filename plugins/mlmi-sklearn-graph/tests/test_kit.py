"""The conformance kit of mlmi_sklearn, and what listing costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mlmi_sklearn import list_plugins
from mlmi_sklearn.testing import parametrize_with_component_checks

DIST = "mlmi-sklearn-graph"


@parametrize_with_component_checks(distribution=DIST)
def test_the_kit(component, check):
    check(component)


def test_the_plugin_is_found_by_its_entry_point():
    (info,) = [info for info in list_plugins() if info.dist == DIST]
    assert (info.name, info.status) == ("graph", "ok")
    assert info.hooks == ("mlmi_register_poolings",)


def test_listing_imports_no_network():
    code = (
        "import sys, mlmi_sklearn\n"
        "found = mlmi_sklearn.list_components('pooling')\n"
        "names = [part.qualified_name for part in found]\n"
        f"assert '{DIST}:graph-attention' in names, names\n"
        "print(sorted({'torch', 'torch_geometric', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_the_readme_runs():
    text = Path(__file__).parents[1].joinpath("README.md").read_text()
    (block,) = text.split("```python\n")[1:]
    space: dict[str, object] = {}
    exec(block.split("```")[0], space)
    assert space["model"].pooling.name == "graph-attention"
