"""The conformance kit of mlmi_sklearn, and what listing costs."""

from __future__ import annotations

import subprocess
import sys

from mlmi_sklearn import list_plugins
from mlmi_sklearn.testing import parametrize_with_component_checks

DIST = "mlmi-sklearn-openslide"


@parametrize_with_component_checks(distribution=DIST)
def test_the_kit(component, check):
    check(component)


def test_the_plugin_is_found_by_its_entry_point():
    (info,) = [info for info in list_plugins() if info.dist == DIST]
    assert (info.name, info.status) == ("openslide", "ok")
    assert info.hooks == ("mlmi_register_slide_readers",)


def test_listing_imports_no_slide_library():
    code = (
        "import sys, mlmi_sklearn\n"
        "found = mlmi_sklearn.list_components('slide-reader')\n"
        "names = [part.qualified_name for part in found]\n"
        f"assert '{DIST}:openslide' in names, names\n"
        "print(sorted({'openslide', 'PIL', 'torch', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
