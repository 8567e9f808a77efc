"""Say what became of a plugin: as a record, as a reason, as a warning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from ..exceptions import PluginError, PluginWarning
from .component import Component, describe_error, failures_in_use

__all__ = ["PluginInfo", "PluginRecord", "explain", "warn_each"]


@dataclass(frozen=True)
class PluginInfo:
    """What became of one plugin.

    Parameters
    ----------
    name : str
        Name of its entry point.
    dist, version : str
        Distribution that it belongs to.
    status : {"ok", "broken", "disabled"}
        "broken": it failed to load and nothing of it is registered, or one of its
        parts failed when it was used. "disabled": switched off, and not imported.
    error : str or None
        Why it is broken or disabled, or which of its short names are taken.
    hooks : tuple of str
        Hooks it implements.

    Examples
    --------
    >>> PluginInfo("fancy", "mlmi-fancy", "1.0", "ok", None, ()).status
    'ok'
    """

    name: str
    dist: str
    version: str
    status: str
    error: str | None
    hooks: tuple[str, ...]


@dataclass
class PluginRecord:
    """A plugin that was dealt with, and the parts it registered.

    Parameters
    ----------
    info : PluginInfo
        What became of it when it was loaded.
    components : tuple of Component, default=()
        Its parts; none unless it is "ok".

    Examples
    --------
    >>> record = PluginRecord(PluginInfo("fancy", "mlmi-fancy", "1.0", "ok", None, ()))
    >>> record.note("It rains.")
    >>> record.current().error
    'It rains.'
    """

    info: PluginInfo
    components: tuple[Component, ...] = ()

    def note(self, reason: str) -> None:
        """Add a reason to those that are known."""
        known = self.info.error
        self.info = replace(self.info, error=f"{known} {reason}" if known else reason)

    def current(self) -> PluginInfo:
        """Return the information, with the parts that failed since it was loaded."""
        keys = [(part.kind, part.dist, part.name) for part in self.components]
        failures = [failures_in_use[key] for key in keys if key in failures_in_use]
        if not failures:
            return self.info
        reasons = [self.info.error] if self.info.error else []
        reasons += [f"{failure}." for failure in failures]
        return replace(self.info, status="broken", error=" ".join(reasons))


def explain(error: BaseException) -> str:
    """Return what went wrong in a plugin, and where.

    Parameters
    ----------
    error : BaseException
        What loading it raised.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> explain(PluginError("it implements no hook."))
    'it implements no hook.'
    """
    if type(error) is PluginError:
        return str(error)
    return f"{describe_error(error)}{_place(error.__traceback__)}."


def _place(trace: TracebackType | None) -> str:
    """Return file and line of the innermost frame that is the plugin's own."""
    place = ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if not f"{module}.".startswith(("importlib.", "pluggy.", f"{__package__}.")):
            file = Path(trace.tb_frame.f_code.co_filename).name
            place = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


def warn_each(messages: Iterable[str]) -> None:
    """Issue every message as a warning, even where warnings are errors.

    Parameters
    ----------
    messages : iterable of str
        One for each fault.

    Raises
    ------
    PluginWarning
        Only when a filter makes errors of warnings: the first message, with the
        others as notes.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warn_each(["one", "two"])
    >>> len(caught)
    2
    """
    raised: list[PluginWarning] = []
    for message in messages:
        try:
            warnings.warn(message, PluginWarning, stacklevel=_caller_level())
        except PluginWarning as error:
            raised.append(error)
    if raised:
        for further in raised[1:]:
            raised[0].add_note(str(further))
        raise raised[0]


def _caller_level() -> int:
    """Return the stack level, seen from the caller, of code outside the package."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if not f"{name}.".startswith(f"{package}."):
            break
        level, frame = level + 1, frame.f_back
    return level
