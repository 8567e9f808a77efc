"""When plugins are loaded, what they may print, and how to switch them off."""

from __future__ import annotations

import json

import pytest

SLOW = """
    import time
    time.sleep(30)
"""

NOISY = """
    import os, subprocess, sys
    print("noise from print")
    sys.stdout.write("noise from write\\n")
    os.write(1, b"noise from a descriptor\\n")
    subprocess.run([sys.executable, "-c", "print('noise from a child')"])

    from mlmi_sklearn.components import hookimpl

    @hookimpl
    def mlmi_register_losses(register):
        print("noise from a hook")
        register("noisy", dict, summary="A noisy loss.")
"""

GOOD = """
    from mlmi_sklearn.components import hookimpl

    @hookimpl
    def mlmi_register_losses(register):
        register("good", "mlmi_good:make", summary="A good loss.")

    def make():
        return 1
"""

HEAVY = {"torch", "numpy", "scipy", "pandas", "sklearn", "skorch", "matplotlib"}


@pytest.mark.parametrize(
    "code",
    [
        "import mlmi_sklearn",
        "import mlmi_sklearn.components.builtins",
        "from mlmi_sklearn.components import *; find_component('backbone', 'mlp')",
        "from mlmi_sklearn.components import *; find_component('loss', "
        "'mlmi-sklearn:mse')",
        "from mlmi_sklearn.components import *; list_components(builtin=True)",
        "from mlmi_sklearn.components import *\n"
        "register_component('loss', 'mine', dict); find_component('loss', 'mine')",
    ],
)
def test_no_plugin_is_loaded_without_need(install, run, code):
    install("mlmi-slow", SLOW)
    done = run(f"{code}\nimport sys; print('mlmi_slow' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


def test_a_miss_and_a_listing_load_plugins(install, run):
    install("mlmi-good", GOOD)
    for code in ("find_component('loss', 'good')", "list_components()"):
        done = run(
            f"from mlmi_sklearn.components import *\n{code}\n"
            "import sys; print('mlmi_good' in sys.modules)"
        )
        assert done.stdout == "True\n", done.stderr


def test_noise_does_not_reach_standard_output(install, run):
    install("mlmi-noisy", NOISY)
    for command in (["plugins"], ["components", "--kind", "loss"]):
        done = run(cli=[*command, "--json"])
        assert done.returncode == 0
        assert len(json.loads(done.stdout)) > 1
        for source in ("print", "write", "a descriptor", "a child", "a hook"):
            assert f"noise from {source}\n" in done.stderr


def test_noise_in_a_program(install, run):
    install("mlmi-noisy", NOISY.replace("os.write", "len").replace(", b", " and b"))
    done = run(
        "from mlmi_sklearn.components import *\n"
        "print(find_component('loss', 'noisy').dist)"
    )
    assert done.stdout.splitlines()[-1] == "mlmi-noisy"
    assert "noise from print" not in done.stdout
    assert "noise from a hook" in done.stderr


@pytest.mark.parametrize(
    ("environ", "statuses"),
    [
        ({}, {"mlmi-good": "ok", "mlmi-slow": "disabled"}),
        (
            {"MLMI_SKLEARN_PLUGINS": "none"},
            {"mlmi-good": "disabled", "mlmi-slow": "disabled"},
        ),
        (
            {"MLMI_SKLEARN_PLUGINS": "mlmi_good"},
            {"mlmi-good": "ok", "mlmi-slow": "disabled"},
        ),
        (
            {"MLMI_SKLEARN_PLUGINS": "mlmi_good", "MLMI_SKLEARN_DISABLE": "quick,slow"},
            {"mlmi-good": "disabled", "mlmi-slow": "disabled"},
        ),
    ],
)
def test_switches(install, run, environ, statuses):
    install("mlmi-good", GOOD, entry="quick")
    install("mlmi-slow", SLOW, entry="slow")
    done = run(
        "import json\nfrom mlmi_sklearn.components import *\n"
        "print(json.dumps({i.dist: i.status for i in list_plugins()}))",
        **{"MLMI_SKLEARN_DISABLE": "slow", **environ},
    )
    assert json.loads(done.stdout) == {"mlmi-sklearn": "ok", **statuses}, done.stderr


def test_a_command_lists_disabled_plugins_with_the_reason(install, run):
    install("mlmi-slow", SLOW)
    done = run(cli=["plugins"], MLMI_SKLEARN_PLUGINS="none")
    assert "disabled" in done.stdout
    assert "switched off by MLMI_SKLEARN_PLUGINS=none" in done.stdout
    assert "1 third-party plugin: 1 disabled." in done.stdout


def test_listing_plugins_is_quick_and_light(install, run):
    install("mlmi-good", GOOD)
    done = run(
        """
        import resource, sys
        from mlmi_sklearn.cli import main
        assert main(["plugins"]) == 0
        usage = resource.getrusage(resource.RUSAGE_SELF)
        print(usage.ru_utime + usage.ru_stime)
        print(*sys.modules)
        """
    )
    *_, seconds, modules = done.stdout.splitlines()
    assert float(seconds) < 0.5
    assert not HEAVY & {name.partition(".")[0] for name in modules.split()}


def test_builtins_work_without_metadata(run, tmp_path):
    done = run(
        """
        import importlib.metadata as m
        m.MetadataPathFinder.find_distributions = lambda *a, **k: []
        m.distributions = lambda **k: []
        m.entry_points = lambda **k: []
        from mlmi_sklearn.components import find_component, list_plugins
        print(find_component("backbone", "mlp").qualified_name)
        print([(i.dist, i.version, i.status) for i in list_plugins()])
        """
    )
    assert done.stdout.splitlines() == [
        "mlmi-sklearn:mlp",
        "[('mlmi-sklearn', 'unknown', 'ok')]",
    ], done.stderr


def test_versions_in_python_and_on_the_command_line_agree(install, run):
    install("mlmi-good", GOOD, version="1.2.3")
    done = run(cli=["env", "--json"])
    report = json.loads(done.stdout)
    assert report["plugins"][1]["version"] == "1.2.3"
    assert report["dependencies"]["torch"]
    text = run("from mlmi_sklearn._versions import *; show_versions()").stdout
    assert "mlmi-good 1.2.3, ok" in text
