"""Files of every earlier format load, and predict what they did when they were made."""

import importlib.util
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from mlmi_sklearn import load
from mlmi_sklearn.persistence import manifest, read_manifest

GOLDEN = Path(__file__).parent / "golden"
FORMATS = sorted(GOLDEN.glob("format*"))
FILES = [path for folder in FORMATS for path in sorted(folder.glob("*.mlmi"))]


@pytest.fixture(scope="module")
def inputs():
    where = GOLDEN / "make_golden.py"
    spec = importlib.util.spec_from_file_location("make_golden", where)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tables, bags = module.table()[0], module.bags()[0]
    return lambda name: bags if name in ("mil", "citation") else tables


def test_every_format_has_its_files():
    names = [folder.name for folder in FORMATS]
    assert names == [f"format{n}" for n in range(1, manifest.FORMAT + 1)]
    assert sorted(manifest.UPGRADES) == list(range(1, manifest.FORMAT))
    for folder in FORMATS:
        expected = json.loads((folder / "expected.json").read_text())
        assert sorted(expected) == sorted(p.stem for p in folder.glob("*.mlmi"))
        assert len(expected) >= 7


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_golden(path, inputs):
    kept = json.loads((path.parent / "expected.json").read_text())[path.stem]
    assert read_manifest(path)["format"] == manifest.FORMAT
    with warnings.catch_warnings():
        # Of other versions of scikit-learn, on purpose.
        warnings.simplefilter("ignore")
        model = load(path)
        found = getattr(model, kept["method"])(inputs(path.stem))
    # Other versions of torch may round otherwise.
    np.testing.assert_allclose(found, kept["values"], rtol=1e-3, atol=1e-5)


def test_upgrades_run_in_order(monkeypatch):
    steps = {
        1: lambda found: {**found, "format": 2, "log": [1]},
        2: lambda found: {**found, "format": 3, "log": [*found["log"], 2]},
    }
    monkeypatch.setattr(manifest, "FORMAT", 3)
    monkeypatch.setattr(manifest, "UPGRADES", steps)
    assert manifest.parse(b'{"format": 1}')["log"] == [1, 2]
    assert manifest.parse(b'{"format": 2, "log": []}')["log"] == [2]
    assert manifest.parse(b'{"format": 3}') == {"format": 3}
