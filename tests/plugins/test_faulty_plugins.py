"""Five faulty plugins and a good one, installed together, in a fresh process."""

from __future__ import annotations

import json

import pytest

REASONS = {
    "mlmi-import": "No module named 'no_such_library_zz' (mlmi_import.py, line 2)",
    "mlmi-signature": "bad signature mlmi_register_losses(registry)",
    "mlmi-unknown": "unknown hook 'mlmi_register_loses'. Did you mean "
    "'mlmi_register_losses'",
    "mlmi-raising": "loss 'raising': failed: RuntimeError: no fuel",
    "mlmi-clash": "loss 'mse' is a built-in name and keeps that meaning; use "
    "'mlmi-clash:mse'",
}

SURVEY = """
    import dataclasses, json, warnings
    from mlmi_sklearn.components import find_component, list_components, list_plugins
    from mlmi_sklearn.exceptions import PluginError, PluginWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        good = find_component("loss", "good").build(alpha=0.25).alpha
        reports = [str(w.message) for w in caught if w.category is PluginWarning]
        try:
            find_component("loss", "raising").build()
        except PluginError as error:
            reports.append(str(error))
        for _ in range(3):
            infos = list_plugins()
            names = [part.qualified_name for part in list_components("loss")]
            find_component("loss", "mlmi-good:good")
        later = [w for w in caught if w.category is PluginWarning][len(reports) - 1 :]
    print(json.dumps({
        "good": good,
        "reports": reports,
        "later": len(later),
        "infos": {info.dist: dataclasses.asdict(info) for info in infos},
        "names": names,
        "mse": find_component("loss", "mse").qualified_name,
        "clash": find_component("loss", "mlmi-clash:mse").qualified_name,
    }))
"""


@pytest.fixture
def survey(install_all, run):
    """Return what a process finds out about the plugins."""
    done = run(SURVEY)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_good_one_works(survey):
    assert survey["good"] == 0.25
    assert survey["infos"]["mlmi-good"] == {
        "name": "main",
        "dist": "mlmi-good",
        "version": "0.1",
        "status": "ok",
        "error": None,
        "hooks": ["mlmi_register_losses"],
    }


def test_each_fault_is_reported_exactly_once(survey):
    for dist in REASONS:
        about = [report for report in survey["reports"] if dist in report]
        assert len(about) == 1, about
        assert REASONS[dist] in about[0]
    assert len(survey["reports"]) == len(REASONS)
    assert survey["later"] == 0


def test_each_fault_is_listed_with_its_reason(survey):
    assert {dist: info["status"] for dist, info in survey["infos"].items()} == {
        "mlmi-sklearn": "ok",
        "mlmi-clash": "ok",
        "mlmi-good": "ok",
        "mlmi-import": "broken",
        "mlmi-raising": "broken",
        "mlmi-signature": "broken",
        "mlmi-unknown": "broken",
    }
    for dist, reason in REASONS.items():
        assert reason in survey["infos"][dist]["error"]


def test_broken_plugins_leave_nothing_behind(survey):
    others = [n for n in survey["names"] if not n.startswith("mlmi-sklearn:")]
    assert sorted(others) == [
        "mlmi-clash:mse",
        "mlmi-good:good",
        "mlmi-raising:raising",
    ]


def test_a_builtin_keeps_its_name(survey):
    assert survey["mse"] == "mlmi-sklearn:mse"
    assert survey["clash"] == "mlmi-clash:mse"


def test_the_command_line_lists_them_too(install_all, run):
    done = run(cli=["plugins"])
    assert done.returncode == 0
    assert done.stderr == ""
    text = " ".join(done.stdout.split())
    for dist, reason in REASONS.items():
        assert dist in text
        # A factory is not built to be listed, so its fault is not known here.
        if dist != "mlmi-raising":
            assert reason in text
    assert text.count("BROKEN") == 3
    assert "6 third-party plugins: 3 ok, 3 broken." in text
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_the_command_line_lists_them_as_json(install_all, run):
    done = run(cli=["plugins", "--json"])
    assert done.returncode == 0
    infos = json.loads(done.stdout)
    assert [i["dist"] for i in infos if i["status"] == "broken"] == [
        "mlmi-import",
        "mlmi-signature",
        "mlmi-unknown",
    ]


def test_components_shows_what_works_and_where_to_look(install_all, run):
    done = run(cli=["components", "--kind", "loss"])
    assert done.returncode == 0
    assert "good" in done.stdout
    assert "mlmi-clash:mse" in done.stdout
    assert done.stderr == "Some plugins need attention: mlmi-sklearn plugins\n"


def test_warnings_as_errors(install_all, run):
    done = run(
        """
        from mlmi_sklearn.components import find_component
        from mlmi_sklearn.exceptions import PluginWarning
        try:
            find_component("loss", "good")
        except PluginWarning as error:
            print(1 + len(error.__notes__))
        print(find_component("loss", "good").build().alpha)
        """,
        options=["-W", "error"],
    )
    assert done.stdout.split() == ["4", "0.5"], done.stderr
    assert done.returncode == 0
    listing = run(cli=["plugins", "--json"], options=["-W", "error"])
    assert listing.returncode == 0, listing.stderr
    assert len(json.loads(listing.stdout)) == 7


NASTY = {
    "mlmi-exits": ("import sys; sys.exit(7)", "SystemExit: 7"),
    "mlmi-deep": ("def f(): f()\nf()", "RecursionError"),
    "mlmi-syntax": ("def f(:", "SyntaxError"),
    "mlmi-assert": ("assert False", "AssertionError"),
    "mlmi-empty": ("", "implements no hook"),
    "mlmi-group": ("raise BaseExceptionGroup('g', [SystemExit(1)])", "ExceptionGroup"),
    "mlmi-hook": (
        "import sys\nfrom mlmi_sklearn.components import hookimpl\n"
        "@hookimpl\ndef mlmi_register_losses(register):\n"
        "    register('half', dict, summary='Half.')\n    sys.exit()",
        "SystemExit (mlmi_hook.py, line 6)",
    ),
}


def test_nastier_plugins(install, run):
    from_good = """
        from mlmi_sklearn.components import hookimpl
        @hookimpl
        def mlmi_register_losses(register):
            register("good", dict, summary="Good.")
    """
    for dist, (source, _) in NASTY.items():
        install(dist, source)
    install("zz-good", from_good)
    done = run(
        """
        import json, warnings
        from mlmi_sklearn.components import *
        warnings.simplefilter("ignore")
        assert find_component("loss", "good").dist == "zz-good"
        assert not [p for p in list_components() if p.name == "half"]
        print(json.dumps({i.dist: [i.status, i.error] for i in list_plugins()}))
        """
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["zz-good"] == ["ok", None]
    for dist, (_, reason) in NASTY.items():
        assert found[dist][0] == "broken"
        assert reason in found[dist][1]


def test_two_plugins_with_one_short_name(install, run):
    for letter in "ab":
        install(
            f"mlmi-{letter}",
            f"""
            from mlmi_sklearn.components import hookimpl
            @hookimpl
            def mlmi_register_losses(register):
                register("same", dict, summary="From {letter}.")
            """,
        )
    done = run(
        """
        import warnings
        from mlmi_sklearn.components import find_component, list_plugins
        from mlmi_sklearn.exceptions import ComponentConflictError
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                find_component("loss", "same")
            except ComponentConflictError as error:
                print(error)
        print(len(caught), find_component("loss", "mlmi-b:same").summary)
        print([bool(info.error) for info in list_plugins()])
        """
    )
    assert done.stdout.splitlines() == [
        "loss 'same' is registered by several distributions; use 'mlmi-a:same' or "
        "'mlmi-b:same'.",
        "1 From b.",
        "[False, True, True]",
    ], done.stderr
