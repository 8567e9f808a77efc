"""Contenders in processes of their own."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["Command", "Remote", "not_installed", "remote_python"]

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("remote_server.py")


def remote_python(peer: str) -> Path:
    """Return the Python of ``.venv-bench-<peer>``.

    ``make bench-peers`` makes one for each ``benchmarks/peers/<peer>.txt``, which lists
    what pip installs there.
    """
    return ROOT / f".venv-bench-{peer}/bin/python"


def not_installed(*modules: str) -> dict[str, str]:
    """Return which modules this Python cannot import, as ``Case.absent`` wants it."""
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    return dict.fromkeys(missing, "not installed")


class Remote:
    """A peer in an environment of its own, which takes its turns with the others.

    Its process is started once and waits on a pipe between its turns; it measures
    itself, so that the pipe costs nothing.

    Parameters
    ----------
    python : str or Path
        Interpreter, as of :func:`remote_python`.
    module : str
        Module in ``benchmarks/peers``; it imports nothing of ours.
    function : str
        Called once in the peer with ``arguments``; returns the callable to time. What
        that returns comes back from :meth:`__call__`, if JSON can say it.
    **arguments
        Anything that JSON can say.
    """

    def __init__(
        self, python: str | Path, module: str, function: str, **arguments: Any
    ) -> None:
        self.python = Path(python)
        self.task = {"module": module, "function": function, "arguments": arguments}
        self._process: subprocess.Popen[str] | None = None

    def missing(self) -> str | None:
        """Return why it cannot run, None if it can."""
        if not self.python.exists():
            return f"not installed ({_shown(self.python)})"
        try:
            self._start()
        except RuntimeError as error:
            return str(error)
        return None

    def spent(self) -> tuple[float, float]:
        """Run once and return CPU and wall seconds."""
        answer = self._ask()
        return answer["cpu"], answer["wall"]

    def __call__(self) -> Any:
        """Run once and return the result."""
        return self._ask()["value"]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [self.python, SERVER, json.dumps(self.task)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._answer(self._process)
        return self._process

    def _ask(self) -> dict[str, Any]:
        process = self._start()
        assert process.stdin is not None
        process.stdin.write("run\n")
        process.stdin.flush()
        return self._answer(process)

    def _answer(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "it died"}
        if "error" in answer:
            self.close()
            raise RuntimeError(f"{self.task['module']}: {answer['error']}")
        return answer


class Command:
    """A fresh Python that runs some code, such as an import.

    Parameters
    ----------
    code : str
        The program.
    python : str or Path, default=sys.executable
        Interpreter.
    """

    def __init__(self, code: str, python: str | Path = sys.executable) -> None:
        self.code = code
        self.python = python

    def __call__(self) -> None:
        """Run it."""
        subprocess.run([self.python, "-c", self.code], check=True)

    def spent(self) -> tuple[float, float]:
        """Run it and return CPU and wall seconds, those of the start included."""
        before, wall = _children(), time.perf_counter()
        self()
        return _children() - before, time.perf_counter() - wall


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _shown(path: Path) -> str:
    return os.path.relpath(path, ROOT) if path.is_relative_to(ROOT) else path.name
