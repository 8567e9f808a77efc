"""The command line, called in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types

import pytest

from mlmi_sklearn import cli
from mlmi_sklearn.cli import _listings, _plugins
from mlmi_sklearn.components import KINDS, Component, PluginInfo

LONG = "a-very-long-name-of-a-part-that-somebody-really-wanted-to-have"


def info(name, status="ok", error=None, dist="mlmi-x"):
    """Return information about a plugin."""
    return PluginInfo(name, dist, "1.0", status, error, ("mlmi_register_losses",))


BUILT_IN = info("builtins", dist="mlmi-sklearn")


@pytest.fixture
def plugins(monkeypatch):
    """Return a function that replaces the installed plugins."""

    def use(*infos):
        for module in (_listings, _plugins):
            monkeypatch.setattr(module, "list_plugins", lambda: [BUILT_IN, *infos])

    return use


@pytest.fixture
def components(monkeypatch, plugins):
    """Return a function that replaces the registered components."""

    def use(*parts):
        plugins()
        monkeypatch.setattr(_listings, "list_components", lambda kind: list(parts))

    return use


@pytest.fixture
def demo(monkeypatch):
    """Replace the demo by one that notes how it was called."""
    calls = []
    module = types.ModuleType("mlmi_sklearn.demo")

    def run_demo(family, out, quick):
        calls.append((family, out, quick))
        return module.answer() if callable(module.answer) else module.answer

    module.answer = 0
    module.calls = calls
    module.run_demo = run_demo
    monkeypatch.setitem(sys.modules, "mlmi_sklearn.demo", module)
    return module


def test_no_command_shows_help(capsys):
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: mlmi-sklearn")
    for command in ("demo", "plugins", "components", "env"):
        assert command in text


@pytest.mark.parametrize("command", ["demo", "plugins", "components", "env"])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    assert "usage: mlmi-sklearn" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    name, version = capsys.readouterr().out.split()
    assert name == "mlmi-sklearn"
    assert version[0].isdigit()


@pytest.mark.parametrize(
    "argv", [["nonsense"], ["demo", "--family", "x"], ["plugins", "--kind", "loss"]]
)
def test_wrong_arguments(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2
    assert "error" in capsys.readouterr().err


def test_plugins_without_any_is_helpful(plugins, capsys):
    plugins()
    assert cli.main(["plugins"]) == 0
    text = capsys.readouterr().out
    assert "No third-party plugins are installed" in text
    assert "entry point in the group 'mlmi_sklearn'" in text


def test_plugins_as_a_table(plugins, capsys):
    plugins(
        info("good"), info("bad", "broken", "it rains. " * 30), info("off", "disabled")
    )
    assert cli.main(["plugins"]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = lines[0]
    assert head.split() == ["PLUGIN", "FROM", "VERSION", "STATUS", "REGISTERS"]
    [bad] = [line for line in lines if line.startswith("bad")]
    assert bad[head.index("STATUS") :].split()[:2] == ["BROKEN", "losses"]
    assert lines[lines.index(bad) + 1].startswith("    it rains.")
    assert lines[-1] == "3 third-party plugins: 1 ok, 1 broken, 1 disabled."
    assert max(map(len, lines)) <= 100
    assert lines == [line.rstrip() for line in lines]


def test_plugins_as_json(plugins, capsys):
    plugins(info("bad", "broken", "reason"))
    assert cli.main(["plugins", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1] == {
        "name": "bad",
        "dist": "mlmi-x",
        "version": "1.0",
        "status": "broken",
        "error": "reason",
        "hooks": ["mlmi_register_losses"],
    }


def test_components_of_one_kind(capsys):
    assert cli.main(["components", "--kind", "Pooling"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines if line[0] != " "} == {"KIND", "pooling"}


def test_components_of_an_unknown_kind(capsys):
    assert cli.main(["components", "--kind", "poolings"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Did you mean 'pooling'" in captured.err


@pytest.mark.parametrize("columns", ["10", "80", "90", "200"])
def test_tables_fit(components, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    components(Component("loss", "x", sum, "Words of some length. " * 20))
    assert cli.main(["components"]) == 0
    width = max(map(len, capsys.readouterr().out.splitlines()))
    assert 60 < width <= min(max(int(columns), 80), 100)


def test_long_names_keep_the_table_legible(components, capsys):
    components(Component("loss", LONG, sum, "Words of some length. " * 5, dist=LONG))
    assert cli.main(["components"]) == 0
    lines = capsys.readouterr().out.splitlines()
    column = lines[0].index("SUMMARY")
    assert all(line[column - 2 : column] == "  " for line in lines)
    assert lines[1][column:].startswith("Words of some length.")


def test_components_show_the_name_to_use(components, capsys):
    components(
        Component("loss", "mse", sum, "Own.", dist="mlmi-sklearn"),
        Component("loss", "mse", sum, "Theirs.", dist="mlmi-x"),
        Component("loss", "x", sum, "Alone.\nAnd more.", dist="mlmi-x"),
        Component("loss", "nameless", sum),
    )
    assert cli.main(["components"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["loss", "mse", "built-in", "Own."] in rows
    assert ["loss", "mlmi-x:mse", "mlmi-x", "Theirs."] in rows
    assert ["loss", "x", "mlmi-x", "Alone.", "And", "more."] in rows
    assert ["loss", "nameless", "user", "-"] in rows


def test_components_as_json(components, capsys):
    class Nested:
        def __call__(self): ...

    components(
        Component("loss", "a", Nested(), "S.", {"task": {"x"}}, {"shape": (1, 2)}),
        Component("loss", "b", sum, example={"kind": {3: object}}),
        Component("loss", "c", "m:n", dist="d", version="2"),
    )
    assert cli.main(["components", "--json"]) == 0
    first, second, third = json.loads(capsys.readouterr().out)
    assert first["tags"] == {"task": ["x"]}
    assert first["example"] == {"shape": [1, 2]}
    assert "Nested" in first["factory"]
    assert second["factory"] == "builtins:sum"
    assert second["example"] == {"kind": {"3": "<class 'object'>"}}
    assert third == {
        "kind": "loss",
        "name": "c",
        "qualified_name": "d:c",
        "dist": "d",
        "version": "2",
        "summary": "",
        "factory": "m:n",
        "tags": {},
        "example": {},
    }


def test_components_list_all_builtins(capsys):
    assert cli.main(["components", "--json"]) == 0
    parts = json.loads(capsys.readouterr().out)
    assert {part["kind"] for part in parts} <= set(KINDS)
    assert len(parts) > 20


def test_env(capsys):
    assert cli.main(["env"]) == 0
    text = capsys.readouterr().out
    for section in ("System:", "Dependencies:", "Devices:", "Plugins:"):
        assert section in text
    assert cli.main(["env", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dependencies"]["scikit-learn"]
    assert report["devices"][0]["device"] == "cpu"


def test_env_reports_variables_that_matter(capsys, monkeypatch):
    monkeypatch.setenv("MLMI_SKLEARN_DISABLE", "something")
    cli.main(["env", "--json"])
    environment = json.loads(capsys.readouterr().out)["environment"]
    assert environment["MLMI_SKLEARN_DISABLE"] == "something"


def test_env_without_torch(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.main(["env"]) == 0
    assert "torch cannot be imported" in capsys.readouterr().out


def test_demo_defaults(demo):
    assert cli.main(["demo"]) == 0
    [(family, out, quick)] = demo.calls
    assert (family, str(out), quick) == ("all", "mlmi-demo", False)


@pytest.mark.parametrize("family", ["mil", "da", "meta", "gan", "all"])
def test_demo_arguments(demo, family, tmp_path):
    demo.answer = 5
    out = tmp_path / "new"
    assert cli.main(["demo", "--family", family, "--out", str(out), "--quick"]) == 5
    assert demo.calls == [(family, out, True)]


def test_demo_refuses_a_file_as_folder(demo, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SystemExit) as caught:
        cli.main(["demo", "--out", str(file)])
    assert caught.value.code == 2
    assert "is a file; name a folder" in capsys.readouterr().err
    assert demo.calls == []


def test_ctrl_c_is_clean(demo, capsys):
    def interrupt():
        raise KeyboardInterrupt

    demo.answer = interrupt
    assert cli.main(["demo"]) == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.strip() == "mlmi-sklearn: stopped by Ctrl-C."


def run(*argv, **kwargs):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, check=False, **kwargs
    )


def test_module_and_command_are_the_same():
    done = run("-m", "mlmi_sklearn", "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("mlmi-sklearn ")


def test_a_reader_that_stops_early():
    code = (
        "import os, sys; from mlmi_sklearn.cli import main\n"
        "r, w = os.pipe(); os.close(r); os.dup2(w, 1)\n"
        "sys.exit(main(['components']))"
    )
    done = run("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_without_the_characters():
    code = (
        "from mlmi_sklearn import cli, components\n"
        "components.register_component('loss', 'x', dict, summary='Größe →')\n"
        "cli.main(['components', '--kind', 'loss'])"
    )
    done = run("-c", code, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "Gr??e ?" in done.stdout


def test_closed_standard_output():
    code = (
        "import os, sys; os.close(1)\n"
        "from mlmi_sklearn.components import list_plugins\n"
        "from mlmi_sklearn.cli._quiet import listing\n"
        "with listing(): print(len(list_plugins()) > 0, file=sys.stderr)"
    )
    assert run("-c", code).stderr.strip().endswith("True")
