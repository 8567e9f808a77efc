"""A plugin is loaded behind a guard, which puts back what it changed for everybody.

While a plugin is imported and its hooks run, what it prints goes to standard error (so
that ``mlmi-sklearn plugins --json`` stays valid JSON) and warnings that it issues are
shown, never raised: ``-W error`` is meant for the user's code. Afterwards the guard
restores shared state (:mod:`~mlmi_sklearn.components.shared_state`), the filters of
warnings, ``sys.stdout`` and overwritten names of this package
(:mod:`~mlmi_sklearn.components.tampering`), and says what had to be restored. A process
that a plugin ends with ``os._exit`` or a crash of C code cannot be saved.
"""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any, cast

from .shared_state import WATCHED, changes
from .tampering import Snapshot

__all__ = ["Guard", "conduct"]


class Guard:
    """Protects the process while one plugin after another is loaded.

    Parameters
    ----------
    snapshot : Snapshot, default=None
        Names of the package; a new one by default.

    Attributes
    ----------
    seconds : float
        How long the last plugin took.
    faults : list of str
        What the last plugin changed, as sentences that begin with a verb.

    Examples
    --------
    >>> import os
    >>> here, guard = os.getcwd(), Guard()
    >>> with guard.watch("no_such_package"):
    ...     os.chdir("/")
    >>> os.getcwd() == here
    True
    >>> guard.faults
    ['changed the current folder for the whole process (put back)']
    """

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = Snapshot() if snapshot is None else snapshot
        self.seconds = 0.0
        self.faults: list[str] = []

    @contextlib.contextmanager
    def watch(self, package: str) -> Iterator[None]:
        """Run a block with a plugin's code.

        Parameters
        ----------
        package : str
            Top-level module of the plugin.
        """
        self.snapshot.take()
        self.faults = []
        before = {one.name: one.state() for one in WATCHED}
        started = time.perf_counter()
        try:
            with _warnings_kept(self.faults), _output_kept(self.faults):
                yield
        finally:
            self.seconds = time.perf_counter() - started
            self._restore(before, package)

    def _restore(self, before: dict[str, Any], package: str) -> None:
        """Put everything back and word what was changed."""
        self.faults += [
            f"changed {name} for the whole process (put back)"
            for name in changes(before)
        ]
        replaced = [*self.snapshot.put_back()]
        if replaced:
            self.faults.append(f"overwrote {', '.join(replaced)} (put back)")
        lost = [*self.snapshot.strangers(package)]
        if lost:
            self.faults.append(
                f"overwrote {', '.join(lost)}, which cannot be put back: switch it off "
                "and start Python again"
            )


def conduct(guard: Guard, seconds: float) -> list[str]:
    """Say what there is to object to about the last plugin.

    Parameters
    ----------
    guard : Guard
        After the plugin.
    seconds : float
        How long it may take to load.

    Returns
    -------
    list of str
        Sentences that begin with a verb.

    Examples
    --------
    >>> guard = Guard()
    >>> with guard.watch("no_such_package"):
    ...     pass
    >>> conduct(guard, 60.0)
    []
    """
    if guard.seconds <= seconds:
        return guard.faults
    slow = (
        f"took {guard.seconds:.1f} s to load, more than the {seconds:g} s of "
        "MLMI_SKLEARN_SLOW_SECONDS; a plugin whose factories are strings "
        "'package.module:attribute' imports nothing heavy before it is used"
    )
    return [*guard.faults, slow]


@contextlib.contextmanager
def _output_kept(faults: list[str]) -> Iterator[None]:
    """Send what is printed to standard error, and put standard output back."""
    target = sys.stderr
    with contextlib.redirect_stdout(target):
        try:
            yield
        finally:
            if sys.stdout is not target:
                faults.append("replaced sys.stdout (put back)")


@contextlib.contextmanager
def _warnings_kept(faults: list[str]) -> Iterator[None]:
    """Show warnings instead of raising them, and put their filters back.

    Filters for one module, message or own category stay: libraries add such when they
    are imported.
    """
    narrow: list[Any] = []
    with warnings.catch_warnings():
        filters = cast(list[Any], warnings.filters)
        filters[:] = [("default", *f[1:]) if f[0] == "error" else f for f in filters]
        known, show = list(filters), warnings.showwarning
        try:
            yield
        finally:
            now: list[Any] = list(warnings.filters)
            added = [f for f in now if f not in known]
            narrow = [f for f in added if _is_narrow(*f)]
            if len(narrow) < len(added) or any(f not in now for f in known):
                faults.append("changed the filters of warnings (put back)")
            if warnings.showwarning is not show:
                faults.append("replaced warnings.showwarning (put back)")
    cast(list[Any], warnings.filters)[:0] = narrow


def _is_narrow(
    action: str, message: Any, category: type[Warning], module: Any, line: int
) -> bool:
    """Tell a filter that concerns one library from one that concerns everybody."""
    own = category.__module__ != "builtins"
    return own or message is not None or module is not None
