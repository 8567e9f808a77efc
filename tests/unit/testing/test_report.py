"""The report of `mlmi-sklearn plugins check`: table, remedies, exit status."""

from __future__ import annotations

import json

import pytest

from mlmi_sklearn import cli
from mlmi_sklearn.components import Component, PluginInfo
from mlmi_sklearn.nn.losses import MSE
from mlmi_sklearn.testing import _report, plugins
from mlmi_sklearn.testing._report import report_on


@pytest.fixture
def parts(monkeypatch):
    """Return a function that pretends that a plugin with these parts is there."""

    def make(*found, status="ok", error=None):
        info = PluginInfo("main", "mlmi-toy", "1.0", status, error, ())
        own = PluginInfo("builtins", "mlmi-sklearn", "1", "ok", None, ())
        listed = [
            Component(
                *part, dist="mlmi-toy", version="1.0", tags={"task": "regression"}
            )
            for part in found
        ]
        monkeypatch.setattr(plugins, "list_plugins", lambda: [own, info])
        monkeypatch.setattr(plugins, "list_components", lambda: listed)

    return make


class NoLink(MSE):
    link = None


def nothing():
    raise OSError("no disk")


def test_a_sound_plugin(parts, capsys):
    parts(("loss", "ours", MSE))
    assert cli.main(["plugins", "check", "mlmi-toy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "KIND  NAME  CHECKS  RESULT",
        "loss  ours  8       ok",
        "",
        "mlmi-toy 1.0: 1 part, 8 passed, 0 failed, 0 skipped.",
    ]


def test_one_problem_is_told_once(parts):
    parts(("loss", "ours", MSE), ("loss", "bad", nothing))
    report = report_on("mlmi-toy")
    assert report.status == 1
    text = " ".join(report.as_text().split())
    assert "loss bad 8 7 FAILED" in text
    assert text.count("no disk") == 1
    assert "check_link, check_link_is_the_right_one" in text
    assert "(test_report.py, line" in text
    assert "Rule:" not in text


def test_kinds(parts, capsys):
    parts(("loss", "ours", MSE))
    assert report_on("mlmi-toy", "loss").status == 0
    assert cli.main(["plugins", "check", "mlmi-toy", "--kind", "pooling"]) == 2
    error = capsys.readouterr().err
    assert "'mlmi-toy' registers no pooling; its parts are of the kinds loss." in error
    assert cli.main(["plugins", "check", "mlmi-toy", "--kind", "los"]) == 2
    captured = capsys.readouterr()
    assert "Did you mean 'loss'" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [("broken", "it rains.", 1), ("disabled", "switched off by hand", 2)],
)
def test_plugins_that_are_not_loaded(parts, status, error, code, capsys):
    parts(status=status, error=error)
    assert cli.main(["plugins", "check", "mlmi-toy"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (
        f"'mlmi-toy' was checked: plugin 'main' of 'mlmi-toy' is {status}: {error}"
        in (captured.err)
    )


def test_no_such_plugin(parts, capsys):
    parts()
    assert cli.main(["plugins", "check", "mlmi-toi", "--json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert "Did you mean 'mlmi-toy'" in report["problem"]
    assert report["results"] == []


def test_json_may_stand_before_check(parts, capsys):
    parts(("loss", "ours", MSE))
    assert cli.main(["plugins", "--json", "check", "mlmi-toy"]) == 0
    assert len(json.loads(capsys.readouterr().out)["results"]) == 8


def test_progress_is_told_to_who_is_watching(parts, capsys, monkeypatch):
    parts(("loss", "ours", MSE))
    seen = []
    report_on("mlmi-toy", tell=seen.append)
    assert seen == ["loss 'ours'"]
    cli.main(["plugins", "check", "mlmi-toy"])
    assert "checking" not in capsys.readouterr().err


def test_skipped_checks_are_counted(parts, monkeypatch):
    from unittest import SkipTest

    def skip(part):
        raise SkipTest("no such package")

    parts(("loss", "ours", MSE))
    checks = [*_report.component_checks(plugins.plugin_components("mlmi-toy")[0])]
    one = type(checks[0][1])(skip, label=checks[0][1].label)
    monkeypatch.setattr(_report, "component_checks", lambda part: [(part, one)])
    report = report_on("mlmi-toy")
    assert report.status == 0
    assert "ok, 1 skipped" in report.as_text()
