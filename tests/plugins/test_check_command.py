"""`mlmi-sklearn plugins check` on real distributions, in a fresh process."""

from __future__ import annotations

import json

import pytest

MIXED = """
    import os
    from mlmi_sklearn.components import hookimpl
    from mlmi_sklearn.nn.losses import MSE

    class Loud(MSE):
        def __call__(self, raw, target):
            print("noise from a check")
            os.write(1, b"noise from a descriptor\\n")
            return super().__call__(raw, target)

    class Mean(MSE):
        def __call__(self, raw, target):
            return super().__call__(raw, target).mean()

    class Leaves(MSE):
        def __call__(self, raw, target):
            raise SystemExit(3)

    class Needs(MSE):
        def __init__(self, scale):
            self.scale = scale

    @hookimpl
    def mlmi_register_losses(register):
        tags = {"task": "regression"}
        for cls in (Loud, Mean, Leaves, Needs):
            register(cls.__name__.lower(), cls, summary="A loss.", tags=tags)
"""


@pytest.fixture
def check(install, run):
    """Return a function that runs the command on the plugin of this page."""
    install("mlmi-mixed", MIXED, version="1.2")

    def start(*argv, **environ):
        return run(cli=["plugins", "check", *argv], **environ)

    return start


def test_what_is_to_be_mended_is_said(check):
    done = check("MLMI_mixed")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["KIND", "NAME", "CHECKS", "RESULT"]
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["loss", name] for name in ("leaves", "loud", "mean", "needs")
    ]
    text = " ".join(done.stdout.split())
    assert "loss loud 8 ok loss mean" in text
    assert "check_is_unreduced, check_rows_are_independent" in text
    assert "for one target, 1 examples gave (), not (1,). Do not reduce" in text
    assert "it raised SystemExit: 3 (mlmi_mixed.py, line" in text
    assert "missing 1 required positional argument: 'scale'" in text
    assert (
        "Give every parameter a default, or pass register(..., example={...})" in text
    )
    assert text.count("it raised SystemExit: 3") == 1, "one problem, one line"
    assert lines[-1].startswith("mlmi-mixed 1.2: 4 parts, ")
    assert max(map(len, lines)) <= 100
    assert "noise" not in done.stdout
    assert "noise from a check" in done.stderr
    assert "noise from a descriptor" in done.stderr


def test_as_json(check):
    done = check("mlmi-mixed", "--json", "--kind", "Loss")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["distribution"] == "mlmi-mixed"
    assert (report["status"], report["problem"]) == (1, None)
    statuses = {(r["name"], r["status"]) for r in report["results"]}
    assert {("loud", "passed"), ("mean", "failed")} <= statuses
    assert ("loud", "failed") not in statuses
    assert {(r["dist"], r["version"]) for r in report["results"]} == {
        ("mlmi-mixed", "1.2")
    }
