"""Load plugins so that none can harm another.

pluggy's own loader stops at the first plugin that fails. Here every plugin goes through
import, check of its hooks, registration and collection of its parts inside one guard:
whatever goes wrong, including ``sys.exit``, is kept as the reason why that plugin is
broken, all traces of it are removed, and the next one is tried. The hooks of each
plugin are called on their own (``subset_hook_caller``), which is how a part knows the
distribution it came from.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

import pluggy

from ..exceptions import PluginError
from . import hookspecs
from .clashes import find_clashes
from .collector import Collector
from .component import Component
from .discovery import (
    BUILTIN_MODULE,
    Candidate,
    Switches,
    discover,
    package_version,
    patience,
)
from .guard import Guard, conduct
from .naming import BUILTIN_DIST, HOOKS, USER_DIST, canonical_dist, did_you_mean
from .reports import PluginInfo, PluginRecord, explain, warn_each
from .validation import check_hooks

__all__ = ["PluginInfo", "PluginManager"]


class PluginManager:
    """Owner of all plugins; loads each at most once, in a fixed order.

    Parameters
    ----------
    find : callable, default=discover
        Returns the candidates.
    environ : mapping, default=None
        Environment with the switches; None stands for ``os.environ``.

    Examples
    --------
    >>> manager = PluginManager(find=list)
    >>> [info.name for info in manager.infos()]
    ['builtins']
    """

    def __init__(
        self,
        find: Callable[[], Sequence[Candidate]] = discover,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._find = find
        self._environ = os.environ if environ is None else environ
        self._pluggy = pluggy.PluginManager(hookspecs.GROUP)
        self._pluggy.add_hookspecs(hookspecs)
        self._builtins: PluginRecord | None = None
        self._records: list[PluginRecord] = []
        self._queue: deque[Candidate] | None = None
        self._complete = False
        self._warnings: list[str] = []
        self._guard = Guard()
        # Re-entrant: a plugin may look names up while it is being imported.
        self.lock = threading.RLock()
        self.loading = False

    def builtins(self) -> tuple[Component, ...]:
        """Return the parts of the package itself; imports no plugin.

        Returns
        -------
        tuple of Component
            In the order of registration.
        """
        return self._builtin_record().components

    def plugins(self) -> tuple[Component, ...]:
        """Return the parts of all plugins, loading these the first time.

        Returns
        -------
        tuple of Component
            Sorted by plugin. While a plugin asks during its own import: what was
            registered before.

        Warns
        -----
        PluginWarning
            Once for each fault.
        """
        if not self._complete:
            with self.lock:
                nested = self.loading
                if not nested:
                    self._load_all()
                    pending, self._warnings = self._warnings, []
            if not nested:
                warn_each(pending)
        return tuple(part for record in self._records for part in record.components)

    def infos(self) -> list[PluginInfo]:
        """Return what became of each plugin, the built-in one first.

        Returns
        -------
        list of PluginInfo
            Sorted by distribution and name.
        """
        self.plugins()
        return [r.current() for r in (self._builtin_record(), *self._records)]

    def _builtin_record(self) -> PluginRecord:
        """Register the parts of the package through the hooks that plugins use."""
        if self._builtins is None:
            with self.lock:
                if self._builtins is None:
                    # By module name: a bare source folder has no entry points.
                    own = Candidate(
                        "builtins",
                        BUILTIN_DIST,
                        package_version(),
                        lambda: importlib.import_module(BUILTIN_MODULE),
                    )
                    self._builtins = self._register(own)
        return self._builtins

    def _load_all(self) -> None:
        """Deal with every candidate; go on where Ctrl-C stopped the last attempt."""
        if self._complete:
            return
        builtins = self.builtins()
        switches = Switches.read(self._environ)
        if self._queue is None:
            self._queue = deque(self._find())
            self._note_unknown(switches)
        while self._queue:
            record = self._load_one(self._queue[0], switches)
            self._queue.popleft()
            self._records.append(record)
        self._note_clashes(builtins)
        self._complete = True

    def _load_one(self, candidate: Candidate, switches: Switches) -> PluginRecord:
        """Load a plugin if it may be loaded; a failure becomes its status."""
        against = switches.reason_against(candidate)
        if against:
            return PluginRecord(_info(candidate, "disabled", against))
        try:
            with self._shielded(candidate):
                record = self._register(candidate)
        except KeyboardInterrupt:
            self._forget(candidate)
            raise
        # SystemExit, RecursionError and whatever else a plugin may come up with.
        except BaseException as error:
            self._forget(candidate)
            reason = explain(error)
            self._warnings.append(
                f"{candidate.label} is broken and was left out: {reason} To silence "
                f"this, repair it or set MLMI_SKLEARN_DISABLE={candidate.name}."
            )
            record = PluginRecord(_info(candidate, "broken", reason))
        self._note_conduct(candidate, record)
        return record

    @contextlib.contextmanager
    def _shielded(self, candidate: Candidate) -> Iterator[None]:
        """Mark that plugin code runs, and guard everybody else against it."""
        own, known = self._builtin_record(), list(self._records)
        parts = own.components
        self.loading = True
        try:
            with self._guard.watch(candidate.package):
                yield
        finally:
            self.loading = False
            if self._builtins is not own or own.components is not parts:
                self._guard.faults.append("changed the built-in parts (put back)")
            own.components = parts
            self._builtins, self._records = own, known

    def _register(self, candidate: Candidate) -> PluginRecord:
        """Import a plugin, check it, and collect what its hooks register."""
        if canonical_dist(candidate.dist) == USER_DIST:
            raise PluginError(
                f"the distribution name {candidate.dist!r} is reserved for parts "
                "registered by register_component."
            )
        plugin = candidate.load()
        if self._pluggy.is_registered(plugin):
            raise PluginError(
                "its entry point names the same object as that of plugin "
                f"{self._pluggy.get_name(plugin)!r}."
            )
        hooks = check_hooks(self._pluggy, plugin)
        self._pluggy.register(plugin, _key(candidate))
        others = [p for _, p in self._pluggy.list_name_plugin() if p is not plugin]
        collector = Collector(candidate, self._taken(candidate.dist))
        for hook in hooks:
            call = self._pluggy.subset_hook_caller(hook, others)
            call(register=collector.register_for(HOOKS[hook]))
        collector.close()
        return PluginRecord(_info(candidate, "ok", None, hooks), collector.parts)

    def _note_conduct(self, candidate: Candidate, record: PluginRecord) -> None:
        """Report what a plugin changed for everybody, and that it takes long."""
        for fault in conduct(self._guard, patience(self._environ)):
            record.note(f"It {fault}.")
            self._warnings.append(
                f"{candidate.label} {fault}. MLMI_SKLEARN_DISABLE={candidate.name} "
                "switches it off."
            )

    def _forget(self, candidate: Candidate) -> None:
        """Remove whatever of a failed plugin pluggy still knows."""
        if self._pluggy.has_plugin(_key(candidate)):
            self._pluggy.unregister(name=_key(candidate))

    def _taken(self, dist: str) -> set[tuple[str, str]]:
        """Return what other entry points of the same distribution registered."""
        return {
            (part.kind, part.name)
            for record in self._records
            for part in record.components
            if canonical_dist(part.dist) == canonical_dist(dist)
        }

    def _note_unknown(self, switches: Switches) -> None:
        """Warn about plugins that were asked for and are not there."""
        candidates = self._queue or ()
        names = sorted({n for c in candidates for n in (c.name, c.dist)})
        self._warnings += [
            f"MLMI_SKLEARN_PLUGINS names {name!r}, but no such plugin is installed."
            f"{did_you_mean(name, names)}"
            for name in switches.unknown(candidates)
        ]

    def _note_clashes(self, builtins: Sequence[Component]) -> None:
        """Report short names claimed twice, and list them with the plugins."""
        parts = [part for record in self._records for part in record.components]
        for message, involved in find_clashes(builtins, parts):
            self._warnings.append(message)
            for record in self._records:
                if any(part in involved for part in record.components):
                    record.note(message)


def _key(candidate: Candidate) -> str:
    """Return the name under which pluggy knows a plugin."""
    return f"{candidate.dist}:{candidate.name}"


def _info(
    candidate: Candidate,
    status: str,
    error: str | None,
    hooks: tuple[str, ...] = (),
) -> PluginInfo:
    """Describe what became of a candidate."""
    return PluginInfo(
        candidate.name, candidate.dist, candidate.version, status, error, hooks
    )
