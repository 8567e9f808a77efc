"""What a file says of itself, and what is said of a file that cannot be loaded."""

import importlib.metadata
import os
import platform
import stat

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mlmi_sklearn import NetClassifier, load, save
from mlmi_sklearn.exceptions import PersistenceError, PluginError
from mlmi_sklearn.persistence import files, read_manifest
from mlmi_sklearn.persistence.api import load_state, save_state
from mlmi_sklearn.persistence.container import unframe
from mlmi_sklearn.persistence.manifest import FORMAT, parse, render
from mlmi_sklearn.persistence.provenance import require_parts, versions

OURS = importlib.metadata.version("mlmi-sklearn")


def entry(kind="backbone", name="mlp", dist="mlmi-sklearn", version="0.1"):
    return {"kind": kind, "name": name, "dist": dist, "version": version}


def said(error, call, *args):
    with pytest.raises(error) as caught:
        call(*args)
    return str(caught.value)


# -- versions and components -----------------------------------------------------------


def test_versions_are_those_that_are_installed():
    packages = ["torch", "scikit-learn", "skorch", "numpy", "scipy", "pandas"]
    packages += ["safetensors", "mlmi-sklearn"]
    expected = {name: importlib.metadata.version(name) for name in packages}
    assert versions() == {**expected, "python": platform.python_version()}


def test_components_are_listed_in_order(tmp_path):
    net = NetClassifier(backbone="mlp", loss="focal")
    save(make_pipeline(net, LogisticRegression()), tmp_path / "a")
    found = read_manifest(tmp_path / "a")
    own = {"dist": "mlmi-sklearn", "version": OURS}
    other = {
        "dist": "scikit-learn",
        "version": importlib.metadata.version("scikit-learn"),
    }
    assert found["components"] == [
        {"kind": "backbone", "name": "mlp", **own},
        {"kind": "estimator", "name": "mlmi-sklearn:NetClassifier", **own},
        {
            "kind": "estimator",
            "name": "sklearn.linear_model:LogisticRegression",
            **other,
        },
        {"kind": "estimator", "name": "sklearn.pipeline:Pipeline", **other},
        {"kind": "loss", "name": "focal", **own},
    ]
    assert found["estimator"] == "Pipeline"
    assert found["format"] == FORMAT
    assert found["versions"] == versions()
    contents = unframe((tmp_path / "a").read_bytes())
    sizes = {"manifest": len(contents.manifest), "arrays": len(contents.arrays)}
    assert found["n_bytes"] == sizes
    assert list(found) == ["format", "estimator", "versions", "components", "n_bytes"]


MALFORMED = "its list of components is malformed."


@pytest.mark.parametrize(
    "entries",
    [
        None,
        {},
        [entry(kind=1)],
        [entry(name=None)],
        [entry(dist=["x"])],
        [entry(version=2)],
        [entry(name="n" * 300)],
        [entry(kind="k" * 300)],
        [entry(dist="d" * 101)],
        [entry(dist="-d")],
        [entry(dist="d-")],
        [entry(version="1" * 61)],
        [entry(version="1 2")],
        [entry(), {"kind": "backbone"}],
    ],
)
def test_malformed_lists_of_components(entries):
    assert said(PersistenceError, require_parts, entries) == MALFORMED


def test_what_is_here_is_enough():
    require_parts([])
    require_parts([entry(), entry(name="mlmi-sklearn:mlp"), entry(dist="MLMI_sklearn")])
    # Those of scikit-learn are looked up when they are read.
    require_parts([entry("estimator", "sklearn.nowhere:X", "scikit-learn")])
    require_parts([entry("estimator", "imblearn.nowhere:X", "imbalanced-learn")])


def test_a_built_in_part_of_another_version_is_named():
    for name in ("nope", "mlmi-sklearn:nope"):
        found = said(PersistenceError, require_parts, [entry(name=name, version="7")])
        assert found == (
            "it needs the backbone 'nope' of mlmi-sklearn 7, which mlmi-sklearn "
            f"{OURS} does not have. pip install mlmi-sklearn==7"
        )


def test_long_names_are_not_malformed():
    names = entry(name="n" * 299, dist="d" * 100, version="1" * 60)
    assert "which is not installed" in said(PluginError, require_parts, [names])


@pytest.mark.parametrize(
    ("version", "what", "order"),
    [("1.0", "'my-dist' 1.0", "my-dist==1.0"), ("", "'my-dist'", "my-dist")],
)
@pytest.mark.parametrize("name", ["deep", "My_Dist:deep"])
def test_a_part_of_a_plugin_is_named(name, version, what, order):
    entries = [entry(name=name, dist="My.Dist", version=version)]
    assert said(PluginError, require_parts, entries) == (
        f"the file needs the backbone 'deep' of {what}, which is not installed. "
        f"pip install {order}"
    )


@pytest.mark.parametrize(
    ("name", "registered"), [("own", "'own'"), ("herd:ape", "'herd:*'")]
)
def test_a_part_that_a_program_registered_is_named(name, registered):
    found = said(PluginError, require_parts, [entry(name=name, dist="user")])
    assert found == (
        f"the file needs the backbone {name!r}, which the program that wrote it had "
        f"registered itself. Call register_component('backbone', {registered}, "
        "factory) before loading."
    )


# -- the manifest ----------------------------------------------------------------------


def test_a_manifest_is_plain_text_without_spaces():
    assert render({"a": ["ü", 1.5]}) == b'{"a":["\\u00fc",1.5]}'
    with pytest.raises(ValueError, match="Out of range"):
        render({"a": float("nan")})


@pytest.mark.parametrize("data", [b"{}", b"[1]", b'{"format":"1"}', b'{"format":-1}'])
def test_a_manifest_without_a_format(data):
    message = "its manifest does not say of which format it is."
    assert said(PersistenceError, parse, data) == message


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1e999}', "1e999 is too large"),
        (b'{"a":-1' + b"0" * 400 + b".0}", f"-1{'0' * 18} is too large"),
        (b'{"a":1,"a":1}', "an object has a key twice"),
        (b'{"b":{"a":1,"a":1}}', "an object has a key twice"),
    ],
)
def test_malformed_manifests(data, why):
    assert said(PersistenceError, parse, data) == f"its manifest is malformed: {why}"


NEWER = (
    "its format 8 is newer than 1, the newest that this version of mlmi-sklearn reads."
)


@pytest.mark.parametrize(
    ("version", "order"),
    [
        ("2.0rc1+cpu", 'pip install "mlmi-sklearn>=2.0rc1+cpu"'),
        ("1" * 40, f'pip install "mlmi-sklearn>={"1" * 40}"'),
        ("1" * 41, "Update mlmi-sklearn."),
        ("1; evil", "Update mlmi-sklearn."),
        ("", "Update mlmi-sklearn."),
        (None, "Update mlmi-sklearn."),
        (2, "Update mlmi-sklearn."),
    ],
)
def test_a_newer_format_says_what_to_install(version, order):
    manifest = {"format": 8, "versions": {"mlmi-sklearn": version}}
    assert said(PersistenceError, parse, render(manifest)) == f"{NEWER} {order}"


@pytest.mark.parametrize("written", [None, [], {}, "1"])
def test_a_newer_format_that_says_nothing_of_versions(written):
    manifest = {"format": 8, "versions": written}
    told = f"{NEWER} Update mlmi-sklearn."
    assert said(PersistenceError, parse, render(manifest)) == told


# -- files that cannot be loaded -------------------------------------------------------


def test_the_error_names_the_file_and_its_cause(saved, kit, write):
    manifest, _ = kit.pieces(saved)
    state = {"is": "sequence", "type": "list", "items": []}
    path = write(kit.forged(manifest | {"state": state}, {}))
    with pytest.raises(PersistenceError) as caught:
        load(path)
    assert str(caught.value) == (
        f"cannot load {str(path)!r}: its contents do not make an estimator (KeyError: "
        "'list')."
    )
    assert isinstance(caught.value.__cause__, KeyError)
    path = write(kit.forged(manifest | {"state": {"is": "x"}}, {}))
    told = f"cannot load {str(path)!r}: there is no kind of value 'x'."
    assert said(PersistenceError, load, path) == told
    assert said(PersistenceError, load, str(path)) == told


def test_what_is_more_or_less_than_an_estimator(saved, kit, write):
    manifest, arrays = kit.pieces(saved)
    told = "it holds more, or something else, than it says."
    for new, stored in (
        (manifest | {"state": [1]}, {}),
        (manifest, {**arrays, "more": np.zeros(1)}),
    ):
        path = write(kit.forged(new, stored))
        assert said(PersistenceError, load, path) == (
            f"cannot load {str(path)!r}: {told}"
        )


def test_long_causes_are_cut_and_stand_on_one_line(saved, kit, write):
    manifest, _ = kit.pieces(saved)
    node = {"is": "bytes", "data": "é" * 3}
    path = write(kit.forged(manifest | {"state": node}, {}))
    assert "(ValueError: string argument should" in said(PersistenceError, load, path)
    node = {"is": "sequence", "type": "two\nlines   " + "x" * 400, "items": []}
    path = write(kit.forged(manifest | {"state": node}, {}))
    cause = said(PersistenceError, load, path).partition(" (")[2]
    # Its text has the line as an escape; spaces are folded.
    assert cause == "KeyError: 'two\\nlines " + "x" * 278 + ")."


def test_a_component_that_is_not_in_the_list_is_no_plugin_that_is_missing(
    saved, kit, write
):
    manifest, _ = kit.pieces(saved)
    node = {"is": "spec", "kind": "backbone", "name": "no-such", "params": []}
    path = write(kit.forged(manifest | {"state": node}, {}))
    told = said(PersistenceError, load, path)
    assert told.startswith(f"cannot load {str(path)!r}: its contents do not make")
    assert "no-such" in told


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (NetClassifier, "NetClassifier"),
        (3.5, "3.5"),
        ("x" * 200, "'" + "x" * 99),
        (None, "None"),
    ],
)
def test_what_is_no_estimator_is_named(value, what, tmp_path):
    told = f"estimator must be an instance of an estimator, got {what}."
    assert said(TypeError, save, value, tmp_path / "a") == told


def test_what_cannot_be_saved_is_named(tmp_path):
    def own(raw, y):
        return raw

    told = said(PersistenceError, save, NetClassifier(loss=own), tmp_path / "a")
    assert told.startswith("cannot save NetClassifier: loss of NetClassifier is the f")
    told = said(PersistenceError, save_state, {"a": own}, tmp_path / "a", "a training")
    assert told.startswith("cannot save a training: ['a'] of dict is the function")


def test_a_state_comes_back(tmp_path):
    state = {"a": [torch.arange(3), np.ones(2), 1.5, None], "b": {"c": (1, "x")}}
    save_state(state, tmp_path / "a", "a training")
    found = load_state(tmp_path / "a")
    assert str(found) == str(state)
    assert read_manifest(tmp_path / "a")["estimator"] == "a training"
    assert read_manifest(tmp_path / "a")["components"] == []


def test_a_damaged_state_is_one_error(tmp_path, kit, write):
    save_state([np.ones(2)], tmp_path / "a", "x")
    manifest, arrays = kit.pieces((tmp_path / "a").read_bytes())
    node = {"is": "sequence", "type": "list", "items": []}
    path = write(kit.forged(manifest | {"state": node}, arrays))
    assert said(PersistenceError, load_state, path) == (
        f"cannot load {str(path)!r}: its contents do not make an estimator (KeyError: "
        "'list')."
    )
    path = write(b"nonsense")
    assert said(PersistenceError, load_state, path).startswith(
        f"cannot load {str(path)!r}: it is not a file written by mlmi_sklearn.save"
    )


# -- writing and reading ---------------------------------------------------------------


def test_a_folder_and_a_pipe_are_named(tmp_path):
    told = f"path={str(tmp_path)!r} is a folder; name a file in it."
    assert said(IsADirectoryError, files.write_whole, tmp_path, []) == told
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told = f"path={str(pipe)!r} is not an ordinary file."
    assert said(PersistenceError, files.read_whole, pipe) == told


def test_what_is_written_is_what_is_read(tmp_path):
    pieces = [b"one\n", b"", bytes(range(256)), b"\r\n"]
    files.write_whole(tmp_path / "a", iter(pieces))
    assert (tmp_path / "a").read_bytes() == b"".join(pieces)
    assert files.read_whole(tmp_path / "a") == b"".join(pieces)
    assert files.read_whole(str(tmp_path / "a")) == b"".join(pieces)


def test_the_file_and_its_entry_in_the_folder_outlast_a_power_failure(
    tmp_path, monkeypatch
):
    events = []
    fsync, replace = os.fsync, files.Path.replace

    def noted(handle):
        status = os.fstat(handle)
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "file"
        size = status.st_size if kind == "file" else status.st_ino
        events.append((kind, size))
        fsync(handle)

    def renamed(path, target):
        assert path.parent == tmp_path
        assert path.name.startswith(".name")
        assert path.name.endswith(".tmp")
        events.append(("renamed", target.name))
        return replace(path, target)

    monkeypatch.setattr(files.os, "fsync", noted)
    monkeypatch.setattr(files.Path, "replace", renamed)
    files.write_whole(tmp_path / "name", [b"12", b"345"])
    folder = ("folder", tmp_path.stat().st_ino)
    # All bytes are on the disk before the new name is.
    assert events == [("file", 5), ("renamed", "name"), folder]


def test_a_folder_that_cannot_be_synced_does_not_matter(tmp_path, monkeypatch):
    fsync = os.fsync

    def only_files(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(files.os, "fsync", only_files)
    n_open = len(os.listdir("/proc/self/fd"))
    files.write_whole(tmp_path / "a", [b"x"])
    assert (tmp_path / "a").read_bytes() == b"x"
    assert len(os.listdir("/proc/self/fd")) == n_open


def test_another_writers_file_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: "0" * 2 * n)
    other = tmp_path / f".a.{'0' * 12}.tmp"
    other.write_bytes(b"of another process")
    with pytest.raises(FileExistsError):
        files.write_whole(tmp_path / "a", [b"x"])
    assert other.read_bytes() == b"of another process"
    assert not (tmp_path / "a").exists()
