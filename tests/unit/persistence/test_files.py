"""Files appear whole or not at all, and what is there stays there."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time

import pytest

from mlmi_sklearn import NetClassifier, load, save
from mlmi_sklearn.exceptions import PersistenceError
from mlmi_sklearn.persistence import files, read_manifest


def only(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_failed_save_leaves_the_old_file(tmp_path, model, monkeypatch):
    path = tmp_path / "model"
    save(NetClassifier(lr=0.5), path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    for module, name in ((files.os, "fsync"), (files.Path, "replace")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, full)
            with pytest.raises(OSError, match="No space left"):
                save(model, path)
        assert path.read_bytes() == before
        assert only(tmp_path) == ["model"]
    with pytest.raises(PersistenceError, match="cannot save"):
        save(NetClassifier(loss=lambda raw, y: raw), path)
    assert path.read_bytes() == before
    save(model, path)
    assert only(tmp_path) == ["model"]
    assert load(path).lr == model.lr


def test_interrupted_while_writing(tmp_path, model):
    path = tmp_path / "model"
    save(model, path)

    def pieces():
        yield b"half"
        raise KeyboardInterrupt

    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        files.write_whole(path, pieces())
    assert path.read_bytes() == before
    assert only(tmp_path) == ["model"]


KILLED = """
    import sys, types
    # Only the module that writes, without torch and all else: a process in no time.
    for name, folder in zip(("mlmi_sklearn", "mlmi_sklearn.persistence"), sys.argv[2:]):
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [folder]
    from mlmi_sklearn.persistence.files import write_whole
    print("ready", flush=True)
    n = 0
    while True:
        n += 1
        write_whole(sys.argv[1], [bytes([n % 256]) * 300_000] * 4)
"""


def test_killed_while_writing(tmp_path):
    """A reader, and whoever comes after SIGKILL, sees one write or another, whole."""
    path = tmp_path / "file"
    code = textwrap.dedent(KILLED)
    inner = files.Path(files.__file__).parent
    folders = inner.parent, inner
    process = subprocess.Popen(
        [sys.executable, "-c", code, path, *map(str, folders)], stdout=subprocess.PIPE
    )
    try:
        process.stdout.readline()
        deadline = time.monotonic() + 0.7
        while time.monotonic() < deadline:
            if path.exists():
                data = path.read_bytes()
                assert (len(data), len(set(data))) == (1_200_000, 1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    data = path.read_bytes()
    assert (len(data), len(set(data))) == (1_200_000, 1)


def test_permissions_links_and_folders(tmp_path):
    path = tmp_path / "model"
    old = os.umask(0o027)
    try:
        save(NetClassifier(), path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    save(NetClassifier(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    (tmp_path / "link").symlink_to(path)
    save(NetClassifier(lr=0.25), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert load(path).lr == 0.25
    with pytest.raises(IsADirectoryError, match="is a folder"):
        save(NetClassifier(), tmp_path)
    with pytest.raises(FileNotFoundError):
        save(NetClassifier(), tmp_path / "no" / "model")
    save(NetClassifier(), str(tmp_path / ("n" * 250)))
    assert repr(load(str(tmp_path / ("n" * 250)))) == "NetClassifier()"


def test_equal_estimators_make_equal_files(tmp_path):
    for name in "ab":
        save(NetClassifier(class_weight={"x": 1, "y": 2}), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_manifest_without_loading(tmp_path, model, monkeypatch):
    save(model, tmp_path / "a")
    monkeypatch.setattr(NetClassifier, "__setstate__", None)
    found = read_manifest(tmp_path / "a")
    assert (found["format"], found["estimator"]) == (1, "NetClassifier")
    assert found["versions"]["mlmi-sklearn"]
    assert sum(found["n_bytes"].values()) < (tmp_path / "a").stat().st_size
