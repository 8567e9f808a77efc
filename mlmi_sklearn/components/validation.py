"""Find out, before a plugin is registered, whether its hooks will be heard.

pluggy itself ignores a misspelt hook and drops a hook that lacks its decorator without
a word. Here each of these is an error that says what to write instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pluggy

from ..exceptions import PluginError
from .naming import HOOKS, did_you_mean, suggest

__all__ = ["check_hooks"]


def check_hooks(manager: pluggy.PluginManager, plugin: Any) -> tuple[str, ...]:
    """Check all hooks of a plugin and return their names.

    Parameters
    ----------
    manager : pluggy.PluginManager
        Knows the decorators of this project.
    plugin : object
        Module or object that an entry point names.

    Returns
    -------
    tuple of str
        Known hooks that the plugin implements, in the order of :data:`HOOKS`.

    Raises
    ------
    PluginError
        For an unknown, undecorated or wrongly written hook, and when there is none.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> check_hooks(pluggy.PluginManager("mlmi_sklearn"), SimpleNamespace())
    Traceback (most recent call last):
    mlmi_sklearn.exceptions.PluginError: it implements no hook; ...
    """
    found = set()
    optional = False
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            _check_undecorated(manager, plugin, attribute)
            continue
        hook = options.get("specname") or attribute
        if hook not in HOOKS:
            _check_unknown(hook, options)
            optional = True
            continue
        _check_call(hook, getattr(plugin, attribute), options)
        found.add(hook)
    if not found and not optional:
        raise PluginError(
            "it implements no hook; define functions decorated with "
            f"mlmi_sklearn.hookimpl and called {', '.join(HOOKS)}."
        )
    return tuple(hook for hook in HOOKS if hook in found)


def _check_undecorated(
    manager: pluggy.PluginManager, plugin: Any, attribute: str
) -> None:
    """Raise for a function that was surely meant to be a hook."""
    if not attribute.startswith("mlmi_"):
        return
    if not (attribute.startswith("mlmi_register_") or suggest(attribute, HOOKS, 1)):
        return
    value = inspect.getattr_static(plugin, attribute)
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    # The specifications themselves may have been imported into the plugin.
    if not callable(value) or manager.parse_hookspec_opts(plugin, attribute):
        return
    if attribute in HOOKS:
        raise PluginError(
            f"its function {attribute} lacks the decorator @mlmi_sklearn.hookimpl "
            "and would never be called."
        )
    raise PluginError(_unknown(attribute))


def _check_unknown(hook: str, options: Mapping[str, Any]) -> None:
    """Raise for a decorated hook that does not exist, unless it may be missing."""
    # pluggy's way to say "only if the host is new enough to know it".
    if not options.get("optionalhook"):
        raise PluginError(_unknown(hook))


def _unknown(hook: str) -> str:
    """Word the error about a hook that does not exist."""
    return (
        f"unknown hook {hook!r}.{did_you_mean(hook, HOOKS)} Hooks: {', '.join(HOOKS)}."
    )


def _check_call(hook: str, function: Any, options: Mapping[str, Any]) -> None:
    """Raise unless the hook can be called as ``hook(register=...)`` and will run."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if (
        [p.name for p in parameters] != ["register"]
        # pluggy leaves an argument that has a default at its default.
        or parameters[0].default is not inspect.Parameter.empty
        or parameters[0].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD
    ):
        names = ", ".join(map(str, (p.replace(annotation=p.empty) for p in parameters)))
        raise PluginError(
            f"bad signature {hook}({names}); a hook takes exactly one argument, "
            f"called register: def {hook}(register)."
        )
    if options.get("wrapper") or options.get("hookwrapper"):
        raise PluginError(f"{hook} is a hook wrapper; write a plain function instead.")
    if (
        inspect.isgeneratorfunction(function)
        or inspect.iscoroutinefunction(function)
        or inspect.isasyncgenfunction(function)
    ):
        raise PluginError(
            f"{hook} is a generator or coroutine, whose body would never run; write "
            "a plain function that calls register."
        )
