"""Plugins that change the process for everybody: what is put back, named, avoided."""

from __future__ import annotations

import json
import re

import pytest

HOOK = """
from mlmi_sklearn.components import hookimpl

@hookimpl
def mlmi_register_losses(register):
    register(__name__.replace("_", "-"), dict, summary="A loss.")
"""

# What each plugin does when it is imported, and what is said of it.
DEEDS = {
    "mlmi-hush": (
        "import warnings; warnings.filterwarnings('ignore')",
        "changed the filters of warnings (put back)",
    ),
    "mlmi-reset": (
        "import warnings; warnings.resetwarnings()",
        "changed the filters of warnings (put back)",
    ),
    "mlmi-show": (
        "import warnings; warnings.showwarning = print",
        "replaced warnings.showwarning (put back)",
    ),
    "mlmi-stdout": (
        "import io, sys; sys.stdout = io.StringIO()",
        "replaced sys.stdout (put back)",
    ),
    "mlmi-stderr": (
        "import sys; sys.stderr = None",
        "changed sys.stderr for the whole process (put back)",
    ),
    "mlmi-hookless": (
        "import sys; sys.excepthook = print",
        "changed sys.excepthook for the whole process (put back)",
    ),
    "mlmi-deeper": (
        "import sys; sys.setrecursionlimit(54321)",
        "changed the recursion limit for the whole process (put back)",
    ),
    "mlmi-moves": (
        "import os; os.chdir('/')",
        "changed the current folder for the whole process (put back)",
    ),
    "mlmi-deaf": (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "changed what Ctrl-C does for the whole process (put back)",
    ),
    "mlmi-logs": (
        "import logging; logging.basicConfig(level='DEBUG'); logging.disable(50)",
        "changed the root logger for the whole process (put back)",
    ),
    "mlmi-seeds": (
        "import random; random.seed(0)",
        "changed Python's random numbers for the whole process (put back)",
    ),
    "mlmi-prints": (
        "import builtins; builtins.print = len",
        "overwrote builtins.print (put back)",
    ),
    "mlmi-function": (
        "import mlmi_sklearn.components.naming as n; n.did_you_mean = len",
        "overwrote mlmi_sklearn.components.naming.did_you_mean (put back)",
    ),
    "mlmi-method": (
        "from mlmi_sklearn.components import Component as C; C.load = lambda s: dict",
        "overwrote mlmi_sklearn.components.component.Component.load (put back)",
    ),
    "mlmi-api": (
        "import mlmi_sklearn as m; m.hookimpl; m.components.find_component = max",
        "overwrote mlmi_sklearn.components.find_component (put back)",
    ),
    "mlmi-registry": (
        "from mlmi_sklearn.components import registry as r\n"
        "r._REGISTRY.manager._builtin_record().components = ()\n"
        "r._REGISTRY.manager._records.clear()",
        "changed the built-in parts (put back)",
    ),
    "mlmi-first": (
        "import mlmi_sklearn._text as t\ndef as_json(x): ...\nt.as_json = as_json",
        "overwrote mlmi_sklearn._text.as_json, which cannot be put back: switch it off "
        "and start Python again",
    ),
}

PROGRAM = """
    import builtins, json, logging, os, random, signal, sys, warnings
    import mlmi_sklearn.components.naming
    from mlmi_sklearn import components as c, hookimpl
    from mlmi_sklearn.components import find_component, list_plugins

    def state():
        return [
            *map(id, (sys.stdout, sys.stderr, sys.excepthook, builtins.print)),
            *map(id, (c.find_component, c.Component.load, c.naming.did_you_mean)),
            id(warnings.showwarning), list(warnings.filters), random.getstate(),
            sys.getrecursionlimit(), os.getcwd(), signal.getsignal(signal.SIGINT),
            logging.root.level, list(logging.root.handlers),
            logging.root.manager.disable,
            [p.qualified_name for p in c.list_components(builtin=True)],
        ]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = state()
        infos = list_plugins()
        assert state() == before
        assert find_component("loss", "mlmi-moves").dist == "mlmi-moves"
    print(json.dumps([
        {i.dist: [i.status, i.error] for i in infos}, [str(w.message) for w in caught]
    ]))
"""


@pytest.fixture
def hostile(install, usual_sigint):
    """Install all of them, where Ctrl-C has a meaning that can be changed."""
    for dist, (deed, _) in DEEDS.items():
        install(dist, f"{deed}\n{HOOK}")


def test_what_they_change_is_put_back_and_named(hostile, run):
    done = run(PROGRAM)
    assert done.returncode == 0, done.stderr
    infos, messages = json.loads(done.stdout)
    for dist, (_, fault) in DEEDS.items():
        assert infos[dist] == ["ok", f"It {fault}."]
        [about] = [m for m in messages if f"'{dist}'" in m]
        assert about == (
            f"plugin 'main' of '{dist}' 0.1 {fault}. MLMI_SKLEARN_DISABLE=main "
            "switches it off."
        )
    assert len(messages) == len(DEEDS)


def test_they_can_be_switched_off(hostile, run):
    for environ in (
        {"MLMI_SKLEARN_PLUGINS": "none"},
        {"MLMI_SKLEARN_DISABLE": ",".join(DEEDS)},
    ):
        done = run(
            """
            import sys
            from mlmi_sklearn.components import list_plugins
            print({info.status for info in list_plugins()[1:]})
            print([name for name in sys.modules if name.startswith("mlmi_")
                   and not name.startswith("mlmi_sklearn")])
            """,
            **environ,
        )
        assert done.stdout == "{'disabled'}\n[]\n", done.stderr
        assert done.stderr == ""


def test_a_failing_plugin_is_put_back_too(install, run):
    install("mlmi-fails", "import os; os.chdir('/'); 1 / 0")
    done = run(
        """
        import os
        from mlmi_sklearn.components import list_plugins
        here = os.getcwd()
        info = list_plugins()[1]
        assert os.getcwd() == here
        print(info.status, info.error)
        """
    )
    assert done.stdout.startswith("broken ZeroDivisionError"), done.stderr
    assert "It changed the current folder" in done.stdout


@pytest.mark.parametrize("options", [(), ("-W", "error")])
def test_warnings_of_a_plugin_are_shown_and_never_raised(install, run, options):
    install(
        "mlmi-old", f"import warnings\nwarnings.warn('worn out', FutureWarning){HOOK}"
    )
    done = run(
        "from mlmi_sklearn.components import *\n"
        "print(find_component('loss', 'mlmi-old').dist)\n"
        "import warnings\n"
        "warnings.warn('mine', FutureWarning)\n"
        "print('not raised')",
        options=options,
    )
    assert "FutureWarning: worn out" in done.stderr
    assert done.stdout.split("\n")[0] == "mlmi-old"
    # The filters of the program hold again for what it does itself.
    assert ("not raised" in done.stdout) is (not options)


def test_a_narrow_filter_that_a_library_adds_stays(install, run):
    install(
        "mlmi-narrow",
        "import warnings\n"
        "class Own(Warning): ...\n"
        "warnings.filterwarnings('ignore', message='numpy.ndarray size changed')\n"
        "warnings.filterwarnings('ignore', module='mlmi_narrow')\n"
        f"warnings.simplefilter('ignore', Own){HOOK}",
    )
    done = run(
        "import warnings\nfrom mlmi_sklearn.components import list_plugins\n"
        "n = len(warnings.filters)\n"
        "print(list_plugins()[1].error, len(warnings.filters) - n)"
    )
    assert done.stdout == "None 3\n", done.stderr


def test_a_slow_plugin_is_named_with_the_seconds_and_the_switch(install, run):
    install("mlmi-slow", f"import time\ntime.sleep(0.6){HOOK}", entry="slow")
    install("mlmi-quick", HOOK)
    code = "from mlmi_sklearn.components import *\nlist_plugins()"
    done = run(code, MLMI_SKLEARN_SLOW_SECONDS="0.5")
    assert done.stderr.count("PluginWarning") == 1
    said = re.search(r"plugin 'slow' of 'mlmi-slow' 0.1 took ([\d.]+) s", done.stderr)
    assert float(said.group(1)) >= 0.6
    assert "more than the 0.5 s of MLMI_SKLEARN_SLOW_SECONDS" in done.stderr
    assert "MLMI_SKLEARN_DISABLE=slow switches it off." in done.stderr
    for environ in (
        {"MLMI_SKLEARN_SLOW_SECONDS": "600"},
        {"MLMI_SKLEARN_SLOW_SECONDS": "0.5", "MLMI_SKLEARN_DISABLE": "slow"},
    ):
        assert run(code, **environ).stderr == ""


def test_a_plugin_that_lists_parts_while_it_is_imported(install, run):
    install(
        "mlmi-curious",
        "from mlmi_sklearn.components import *\nlist_components(); list_plugins()\n"
        f"def f(): return f()\ntry: f()\nexcept RecursionError: pass\n{HOOK}",
    )
    done = run("from mlmi_sklearn.components import *\nprint(list_plugins()[1].status)")
    assert done.stdout == "ok\n", done.stderr


def test_the_list_shows_what_is_wrong(hostile, run):
    done = run(cli=["plugins"])
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert "It overwrote builtins.print (put back)." in text
    assert "17 third-party plugins: 17 ok." in text
