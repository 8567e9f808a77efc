"""Finding plugins among installed distributions, some of them damaged."""

from __future__ import annotations

import importlib.metadata

import pytest

from mlmi_sklearn.components import discovery
from mlmi_sklearn.components.discovery import Candidate, Switches, discover
from mlmi_sklearn.exceptions import PluginError


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that writes the metadata of a distribution."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name, entry_points, metadata=None):
        folder = tmp_path / f"{name.replace('-', '_')}-0.1.dist-info"
        folder.mkdir()
        if metadata is None:
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n"
        (folder / "METADATA").write_text(metadata)
        if isinstance(entry_points, bytes):
            (folder / "entry_points.txt").write_bytes(entry_points)
        else:
            (folder / "entry_points.txt").write_text(entry_points)

    return make


def found(prefix="zz-"):
    """Return what this test installed."""
    return [c for c in discover() if c.dist.lower().startswith(prefix)]


def test_sorted_by_distribution_and_name(install):
    install("zz-b", "[mlmi_sklearn]\nlate = m\nearly = m\n")
    install("zz-a", "[mlmi_sklearn]\nonly = m\n[other]\nx = m\n")
    assert [(c.dist, c.name, c.version) for c in found()] == [
        ("zz-a", "only", "0.1"),
        ("zz-b", "early", "0.1"),
        ("zz-b", "late", "0.1"),
    ]


def test_the_builtin_entry_point_is_no_candidate(install):
    install("zz-fork", "[mlmi_sklearn]\nb = mlmi_sklearn.components.builtins\n")
    assert found() == []
    assert all(c.name != "builtins" for c in discover())


@pytest.mark.parametrize("text", ["[mlmi_sklearn]\nno value here\n", b"\xff\xfe[x]\n"])
def test_unreadable_entry_points_harm_no_other(install, text):
    install("zz-bad", text)
    install("zz-good", "[mlmi_sklearn]\nmain = m\n")
    assert "zz-good" in [c.dist for c in found()]


def test_unreadable_plugin_says_so_when_loaded(install):
    install("zz-bad", "[mlmi_sklearn]\nno value here\n")
    [bad] = found()
    assert (bad.name, bad.dist, bad.version) == ("zz-bad", "zz-bad", "0.1")
    with pytest.raises(PluginError, match=r"entry_points\.txt cannot be read"):
        bad.load()


def test_one_by_one_finds_the_same(install):
    install("zz-b", "[mlmi_sklearn]\nlate = m\nearly = m\n")
    install("zz-a", "[mlmi_sklearn]\nonly = m\n")
    key = {(c.dist, c.name) for c in discover()}
    assert {(c.dist, c.name) for c in discovery._one_by_one()} == key


def test_malformed_entry_point(install):
    install("zz-bad", "[mlmi_sklearn]\nmain = !!\n")
    [bad] = found()
    with pytest.raises(PluginError, match="neither 'module' nor"):
        bad.load()


def test_missing_metadata(install):
    install("zz-odd", "[mlmi_sklearn]\nmain = zz_odd.sub:thing\n", metadata="")
    [odd] = [c for c in discover() if c.dist == "zz_odd"]
    assert (odd.name, odd.version) == ("main", "")


def test_loading_imports_what_is_named(install):
    install("zz-ok", "[mlmi_sklearn]\nmain = json:dumps\n")
    [ok] = found()
    assert ok.load() is __import__("json").dumps


def test_version_without_metadata(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert discovery.package_version() == "unknown"


def test_labels():
    assert Candidate("n", "d", "1", dict).label == "plugin 'n' of 'd' 1"
    assert Candidate("n", "d", "", dict).label == "plugin 'n' of 'd'"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Switches(None, ())),
        ({"MLMI_SKLEARN_PLUGINS": "none"}, Switches((), ())),
        ({"MLMI_SKLEARN_PLUGINS": "a,b"}, Switches(("a", "b"), ())),
        ({"MLMI_SKLEARN_PLUGINS": " a , b,, "}, Switches(("a", "b"), ())),
        ({"MLMI_SKLEARN_DISABLE": "a"}, Switches(None, ("a",))),
        (
            {"MLMI_SKLEARN_PLUGINS": "none", "MLMI_SKLEARN_DISABLE": "a"},
            Switches((), ("a",)),
        ),
    ],
)
def test_switches(environ, expected):
    assert Switches.read(environ) == expected
