"""Folders and files: checked first, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlmi_sklearn.demo.errors import RequestError
from mlmi_sklearn.demo.output import open_folder, save_all


def test_a_folder_is_made_with_its_parents(tmp_path):
    out = tmp_path / "a" / "b"
    with open_folder(out) as folder:
        save_all(folder, {"x.txt": "é", "sub/y.bin": b"\0"})
    assert (out / "x.txt").read_text("utf-8") == "é"
    assert (out / "sub" / "y.bin").read_bytes() == b"\0"


def test_a_folder_that_stays_empty_is_taken_back(tmp_path):
    with open_folder(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()


def test_a_folder_that_was_there_stays(tmp_path):
    with open_folder(tmp_path):
        pass
    assert tmp_path.is_dir()


def test_a_file_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("precious")
    refused = pytest.raises(RequestError, match=r"file' is a file; name a folder")
    with refused, open_folder(file):
        pass
    assert file.read_text() == "precious"


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    refused = pytest.raises(RequestError, match=r"cannot write to --out .*name another")
    with refused, open_folder(tmp_path / "file" / "out"):
        pass


def test_a_protected_folder_is_refused(tmp_path, monkeypatch):
    def denied(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    refused = pytest.raises(RequestError, match=r"\(Permission denied\); name another")
    with refused, open_folder(tmp_path):
        pass


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("old")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RequestError, match="No space left on device"):
        save_all(tmp_path, {"report.html": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def test_an_interrupted_write_leaves_no_half(tmp_path, monkeypatch):
    def interrupted(self, data):
        with open(self, "wb") as file:
            file.write(data[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_all(tmp_path, {"report.html": "<html>"})
    assert list(tmp_path.iterdir()) == []
