"""The whole demo, in this process and, for Ctrl-C, in another."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
import torch

from mlmi_sklearn import cli
from mlmi_sklearn.demo import chapters, run_demo
from mlmi_sklearn.demo.chapters import mil
from mlmi_sklearn.exceptions import FitInterruptedWarning

pytestmark = pytest.mark.usefixtures("usual_sigint")

# Background jobs of a shell ignore Ctrl-C, and so would a demo started from one.
RUN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from mlmi_sklearn.cli import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.fixture
def untouched(monkeypatch):
    """Fail if a chapter is run."""
    monkeypatch.setattr(mil, "write", lambda settings: pytest.fail("was run"))


@pytest.fixture
def canned(monkeypatch, chapter):
    """Replace the chapter on bags by one that needs no training."""
    monkeypatch.setattr(mil, "write", lambda settings: chapter)


# -- a run -----------------------------------------------------------------------------


def test_a_small_run_from_the_command_line(tiny, tmp_path, capsys, check_page):
    out, threads = tmp_path / "out", torch.get_num_threads()
    assert cli.main(["demo", "--family", "mil", "--quick", "--out", str(out)]) == 0
    shown = capsys.readouterr()

    lines = [x for x in shown.out.split("\n") if not x.startswith("Report:")]
    assert max(map(len, lines)) <= 100
    for part in ("MUSK1", "Digit bags", "MILClassifier (attention)", "Highest mean"):
        assert part in shown.out
    for part in ("Is the assumption kept?", "Where in the image?"):
        assert part in shown.out
    assert str(out / "report.html") in shown.out
    for part in ("MUSK1", "Digit bags", "Assumption", "Slides"):
        assert f"{part}: 100%" in shown.err
    assert torch.get_num_threads() == threads

    page = check_page((out / "report.html").read_text("utf-8"))
    whole = "".join(page.text)
    assert len(page.all("img")) == 17
    assert "mlmi-sklearn demo --family mil --quick" in whole
    for part in (
        "random_state 0",
        "scikit-learn",
        "Duration",
        "SIL logistic regression",
    ):
        assert part in whole

    frame = pd.read_csv(out / "results.csv")
    assert set(frame["experiment"]) == {"musk1", "digits", "assumption", "slides"}
    assert frame["mean"].notna().all()
    about = json.loads((out / "results.json").read_text())
    assert about["settings"]["mil"]["folds"] == tiny.folds
    assert len(about["results"]) == 3 * 7 + 4
    pictures = sorted(path.name for path in (out / "pictures").iterdir())
    assert len(pictures) == 17
    for name in ("musk1-loss", "assumption-single-concept", "slides-best-tiles"):
        assert f"mil-{name}.png" in pictures


def test_the_table_and_the_page_say_the_same(canned, tmp_path, capsys, parse):
    assert run_demo("mil", tmp_path, True) == 0
    shown = " ".join(capsys.readouterr().out.split())
    page = " ".join("".join(parse((tmp_path / "report.html").read_text()).text).split())
    for part in ("0.800 ± 0.141", "It seems so.", "Second <detail>."):
        assert part in shown
        assert part in page


@pytest.mark.parametrize(
    ("family", "quick", "command"),
    [
        ("all", False, "mlmi-sklearn demo"),
        ("mil", False, "mlmi-sklearn demo --family mil"),
        ("mil", True, "mlmi-sklearn demo --family mil --quick"),
    ],
)
def test_the_command_that_makes_it_again(
    canned, tmp_path, monkeypatch, family, quick, command
):
    monkeypatch.setattr(chapters, "FAMILIES", ("mil",))
    assert run_demo(family, tmp_path, quick) == 0
    assert json.loads((tmp_path / "results.json").read_text())["command"] == command


def test_quick_and_full_take_their_presets(monkeypatch, tmp_path, chapter):
    seen = []
    monkeypatch.setattr(mil, "write", lambda settings: seen.append(settings) or chapter)
    for quick in (True, False):
        assert run_demo("mil", tmp_path, quick) == 0
    assert seen == [mil.PRESETS["quick"], mil.PRESETS["full"]]


def test_a_new_report_replaces_the_old_one(canned, tmp_path):
    (tmp_path / "report.html").write_text("old")
    assert run_demo("mil", tmp_path, True) == 0
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert not list(tmp_path.rglob(".*"))


# -- wrong requests ------------------------------------------------------------


@pytest.mark.usefixtures("untouched")
def test_a_file_as_folder(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("precious")
    assert run_demo("mil", file, True) == 2
    message = capsys.readouterr().err
    assert message.startswith("mlmi-sklearn demo: --out")
    assert "is a file; name a folder" in message
    assert file.read_text() == "precious"


@pytest.mark.usefixtures("untouched")
def test_a_folder_that_cannot_be(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run_demo("mil", tmp_path / "file" / "out", True) == 2
    assert "cannot write to --out" in capsys.readouterr().err


@pytest.mark.usefixtures("untouched")
def test_a_family_without_a_chapter(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(chapters, "FAMILIES", ("mil", "later"))
    assert run_demo("later", tmp_path / "out", True) == 2
    message = capsys.readouterr().err
    assert message == (
        "mlmi-sklearn demo: 'later' has no chapter yet; use one of those there are: "
        "mil, or 'all'.\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_disk_that_is_full_in_the_end(canned, tmp_path, capsys, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert run_demo("mil", tmp_path / "out", True) == 2
    shown = capsys.readouterr()
    assert "No space left on device" in shown.err
    assert "0.800 ± 0.141" in shown.out  # the work is not lost


def test_a_fault_in_a_chapter_is_not_taken_for_a_wrong_request(monkeypatch, tmp_path):
    def broken(settings):
        raise KeyError("a bug")

    monkeypatch.setattr(mil, "write", broken)
    with pytest.raises(KeyError, match="a bug"):
        run_demo("mil", tmp_path, True)


# -- Ctrl-C -------------------------------------------------------------------


def press(settings):
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


def warn(settings):
    """Do what an interrupted fit does."""
    warnings.warn("fit was interrupted", FitInterruptedWarning, stacklevel=1)


@pytest.mark.parametrize("write", [press, warn])
def test_an_interrupted_run_leaves_an_earlier_report_alone(
    monkeypatch, tmp_path, capsys, write
):
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(mil, "write", write)
    assert run_demo("mil", tmp_path, True) == 130
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "mlmi-sklearn demo: stopped by Ctrl-C; no report was written.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def test_ctrl_c_in_the_middle_of_training(tmp_path):
    out = tmp_path / "out"
    demo = subprocess.Popen(
        [sys.executable, "-c", RUN, "demo", "--quick", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    shown = b""
    while b"1/" not in shown:  # the first net is trained, the second is at work
        shown += demo.stderr.read(1)
    demo.send_signal(signal.SIGINT)
    stdout, stderr = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert stdout == b""
    last = stderr.decode().strip().split("\n")[-1]
    assert last == "mlmi-sklearn demo: stopped by Ctrl-C; no report was written."
    assert b"Traceback" not in stderr
    assert b"Warning" not in stderr
    assert not out.exists()
