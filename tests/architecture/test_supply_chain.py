"""What SECURITY.md promises: no connection, no code from data, everything pinned."""

from __future__ import annotations

import ast
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mlmi_sklearn"
FILES = sorted(PACKAGE.rglob("*.py"))

# Calls that run code or a shell, or open a connection. A method of the same name, such
# as `module.eval()`, is another thing.
# A copy made on the spot reads nothing from outside.
OWN_PICKLE = "pickle.loads(pickle.dumps("
NAMES = {"eval", "exec", "compile", "__import__"}
DOTTED = re.compile(
    r"(pickle|cPickle|dill|cloudpickle|marshal|shelve|joblib)\.(load|loads|Unpickler)"
    r"|os\.(system|popen|exec\w*|spawn\w*)|subprocess\.\w+|pty\.\w+"
    r"|(urllib|requests|httpx|socket|http|ftplib)\.[\w.]+"
    r"|torch\.hub\.\w+|tempfile\.mktemp"
)


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    """Return every call with the dotted name of what is called."""
    return [
        (ast.unparse(node.func), node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


def dangers(source: str) -> list[str]:
    """Return the dangerous calls of a file."""
    bad = []
    for name, node in calls(ast.parse(source)):
        options = {k.arg: ast.unparse(k.value) for k in node.keywords}
        unsafe_load = name == "torch.load" and options.get("weights_only") != "True"
        unsafe_array = name in ("np.load", "numpy.load") and (
            options.get("allow_pickle", "False") != "False"
        )
        if name == "pickle.loads" and ast.unparse(node).startswith(OWN_PICKLE):
            continue
        if name in NAMES or DOTTED.fullmatch(name) or unsafe_load or unsafe_array:
            bad.append(f"line {node.lineno}: {name}")
        if options.get("shell") == "True":
            bad.append(f"line {node.lineno}: {name}(shell=True)")
    return bad


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_file_runs_what_it_reads(file):
    assert dangers(file.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "exec(text)",
        "pickle.loads(data)",
        "joblib.load(path)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "os.system(command)",
        "run(command, shell=True)",
        "urllib.request.urlopen(address)",
    ],
)
def test_the_search_finds_what_it_looks_for(source):
    assert dangers(source)


@pytest.mark.parametrize(
    "source",
    [
        "net.eval()",
        "pickle.loads(pickle.dumps(net))",
        "re.compile('a')",
        "torch.load(p, weights_only=True)",
    ],
)
def test_the_search_finds_nothing_else(source):
    assert not dangers(source)


OFFLINE = """
import sys

def refuse(event, args):
    if event == "subprocess.Popen" and str(args[0]) in ("/sbin/ldconfig", "lscpu"):
        return  # PyTorch asks for libraries of CUDA, and what the CPU can do
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.bind",
                         "socket.sendto", "urllib.", "http.client.", "subprocess.",
                         "os.system", "webbrowser.")):
        raise SystemExit(f"{event} {args}")

import platform; platform.platform()  # asks `uname`, for versions in files
sys.addaudithook(refuse)
import numpy as np
import mlmi_sklearn as m
for name in m.__all__:
    getattr(m, name)
rng = np.random.default_rng(0)
X = rng.normal(size=(24, 3)).astype(np.float32)
y = np.arange(24) % 2
m.NetClassifier(max_epochs=1).fit(X, y).predict(X)
m.MILClassifier(max_epochs=1).fit(m.Bags(X, lengths=[2] * 12), y[:12])
domain = np.where(np.arange(24) < 12, 1, -1)
m.DANNClassifier(max_epochs=1).fit(X, y, sample_domain=domain)
m.MAMLClassifier(max_epochs=1, episodes_per_epoch=2, finetune_steps=1).fit(X, y)
sampler = m.CGANSampler(max_iter=2).fit(X, y)
sampler.sample(2)
m.save(sampler, sys.argv[1])
m.load(sys.argv[1])
"""


def test_import_fit_and_files_need_no_network_and_no_other_program(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OFFLINE, str(tmp_path / "model.mlmi")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_suite_itself_cannot_reach_other_machines():
    with pytest.raises(OSError, match="tests do not use the network"):
        socket.create_connection(("192.0.2.1", 9), timeout=1)  # kept for documentation
    with pytest.raises(OSError, match="tests do not use the network"):
        socket.getaddrinfo("example.org", 443)


def test_connections_within_the_machine_are_open():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def pinned(file: str = "constraints.txt") -> dict[str, str]:
    """Return the versions that a file of constraints names."""
    lines = (ROOT / file).read_text().splitlines()
    found = [line.split(";")[0].strip() for line in lines if line[:1] not in ("", "#")]
    assert all("==" in line for line in found), "each line pins one version"
    return {_plain(n): v for n, v in (line.split("==") for line in found)}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_a_user_gets_by_default_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"], *extras["lint"]]
    names = {_plain(re.split(r"[\[<>=!~ ]", w)[0]) for w in wanted}
    assert not sorted(names - set(pinned()))


def test_the_oldest_releases_under_test_are_the_oldest_that_are_admitted():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed, tools = (
        {_plain(n): v for n, v in (w.split(">=") for w in some)}
        for some in (project["dependencies"], project["optional-dependencies"]["test"])
    )
    oldest = pinned(".ci/oldest.txt")
    assert set(needed) <= set(oldest) <= set(needed | tools)
    for name in oldest:
        limit = (tools | needed)[name]
        # 2.0 admits 2.0.0 and is the same release.
        assert (oldest[name] + ".0").startswith(limit.removesuffix(".0") + "."), name
