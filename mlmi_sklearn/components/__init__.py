"""Names of parts, and the plugins that bring them.

Everything that an estimator takes by name, such as ``backbone="mlp"``, is a
:class:`Component` of this registry, whether it comes with the package, from a plugin or
from :func:`register_component`. Nothing here imports torch, and no plugin is imported
before a name is asked for that the package does not know, or a listing is.
"""

from __future__ import annotations

from .component import Component
from .estimators import all_estimators
from .hookspecs import Register, hookimpl, hookspec
from .manager import PluginInfo
from .naming import HOOKS, KINDS, did_you_mean, suggest
from .registry import (
    find_component,
    list_components,
    list_plugins,
    register_component,
    unregister_component,
)

__all__ = [
    "HOOKS",
    "KINDS",
    "Component",
    "PluginInfo",
    "Register",
    "all_estimators",
    "did_you_mean",
    "find_component",
    "hookimpl",
    "hookspec",
    "list_components",
    "list_plugins",
    "register_component",
    "suggest",
    "unregister_component",
]
