"""`make audit` calls free of weaknesses only what was looked up."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / ".ci" / "audit.py"
spec = importlib.util.spec_from_file_location("audit", FILE)
audit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(audit)

WELL = {"name": "a", "version": "1", "vulns": []}
WEAK = {
    "name": "b",
    "version": "2",
    "vulns": [
        {"id": "PYSEC-1", "fix_versions": ["2.1", "3"]},
        {"id": "PYSEC-2", "fix_versions": []},
    ],
}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("found", "strict", "lenient"),
    [
        ([WELL], 0, 0),
        ([WELL, UNKNOWN], 1, 0),
        ([UNKNOWN], 1, 0),
        ([WELL, WEAK], 1, 1),
        ([WEAK, UNKNOWN], 1, 1),
    ],
)
def test_what_was_not_looked_up_is_not_called_well(
    found, strict, lenient, monkeypatch, capsys
):
    monkeypatch.setattr(audit, "look_up", lambda pins: found)
    assert audit.main([]) == strict
    assert audit.main(["--where-possible"]) == lenient
    assert ("not looked up: c" in capsys.readouterr().out) is (UNKNOWN in found)


def test_a_weakness_is_told_with_the_releases_that_mend_it():
    assert audit.weaknesses([WELL, WEAK, UNKNOWN]) == [
        "b 2: PYSEC-1, mended in 2.1, 3",
        "b 2: PYSEC-2, mended in no release",
    ]


def test_without_an_answer_each_pin_counts_as_unknown(tmp_path, monkeypatch, capsys):
    pins = tmp_path / "constraints.txt"
    pins.write_text("# comment\na==1\nb==2 ; python_version < '3.12'\n")
    silent = subprocess.CompletedProcess([], 1, stdout="", stderr="out of reach")
    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: silent)
    assert audit.look_up(pins) == [{"name": "a"}, {"name": "b"}]
    assert "out of reach" in capsys.readouterr().err
