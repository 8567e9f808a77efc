"""Quick models, and files that were tampered with by somebody who knows the format."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mlmi_sklearn import MLPBackbone, NetClassifier, save
from mlmi_sklearn.persistence.arrays import arrays_of, bytes_of
from mlmi_sklearn.persistence.container import Contents, frame, unframe
from mlmi_sklearn.persistence.manifest import render

# Helpers of this folder are imported by name: pytest's import mode does not add it.
sys.path.insert(0, str(Path(__file__).parent))


def pieces(data):
    """Return the manifest and the arrays of a good file."""
    contents = unframe(data)
    manifest = json.loads(contents.manifest)
    return manifest, {k: v.copy() for k, v in arrays_of(contents.arrays).items()}


def forged(manifest, arrays):
    """Return a file whose sums are right, whatever it says."""
    if isinstance(manifest, dict):
        manifest = render(manifest)
    if isinstance(arrays, dict):
        arrays = bytes_of(arrays)
    return b"".join(frame(Contents(manifest, arrays)))


def nodes(node):
    """Return all objects of a manifest's state, from the outside in."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def attribute(node, name):
    """Return the [name, node] pair of an attribute of an object."""
    return next(pair for pair in node["state"] if pair[0] == name)


def table(n=24, d=3, seed=0):
    """Return a table with two classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, d)) + y[:, None], y


@pytest.fixture(scope="session")
def kit():
    """Return the functions above."""
    return SimpleNamespace(
        pieces=pieces, forged=forged, nodes=nodes, attribute=attribute, table=table
    )


@pytest.fixture(scope="session")
def model():
    X, y = table()
    backbone = MLPBackbone(hidden=(4,))
    return NetClassifier(backbone, max_epochs=1, random_state=0).fit(X, y)


@pytest.fixture(scope="session")
def saved(model, tmp_path_factory):
    """Return the bytes of the file of that model."""
    path = tmp_path_factory.mktemp("saved") / "model.mlmi"
    save(model, path)
    return path.read_bytes()


@pytest.fixture
def write(tmp_path):
    """Return a function that writes bytes to a file and returns its path."""

    def put(data, name="file.mlmi"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return put
