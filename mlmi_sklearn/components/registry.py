"""The registry of this process, as plain functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .component import Component
from .lookup import Registry
from .reports import PluginInfo

__all__ = [
    "Component",
    "find_component",
    "list_components",
    "list_plugins",
    "register_component",
    "unregister_component",
]

_REGISTRY = Registry()


def find_component(kind: str, name: str) -> Component:
    """Return the component of a kind that a name stands for.

    Parameters
    ----------
    kind : {"backbone", "loss", "pooling", "divergence", "adversarial-loss", \
"augmentation", "generator", "meta-method", "slide-reader", "estimator"}
        Kind of component; underscores and spaces count as hyphens.
    name : str
        Short name such as ``"mlp"``, or ``"distribution:name"``; ``"prefix:name"``
        for a member of a family that a plugin registered as ``"prefix:*"``.

    Returns
    -------
    Component
        Call its ``load()`` for the factory, or ``build(...)`` for the product.

    Raises
    ------
    ComponentNotFoundError
        When there is none; close matches and all names are listed.
    ComponentConflictError
        When several plugins register that short name.

    Examples
    --------
    >>> find_component("backbone", "mlp").qualified_name
    'mlmi-sklearn:mlp'
    """
    return _REGISTRY.find(kind, name)


def list_components(
    kind: str | None = None, *, builtin: bool = False, **tags: Any
) -> list[Component]:
    """Return the components that are installed; this loads the plugins.

    Parameters
    ----------
    kind : str, default=None
        Only that kind; see :func:`find_component`.
    builtin : bool, default=False
        Only components of the package itself; then no plugin is loaded.
    **tags
        Only components with these tags, such as ``task="regression"``. Where a tag
        has several values, one of them has to fit.

    Returns
    -------
    list of Component
        Sorted by kind, name and distribution.

    Warns
    -----
    PluginWarning
        Once for each plugin with a fault.

    Examples
    --------
    >>> [part.name for part in list_components("loss", task="regression")][:3]
    ['huber', 'mse', 'quantile']
    """
    return _REGISTRY.select(kind, builtin=builtin, **tags)


def list_plugins() -> list[PluginInfo]:
    """Return what became of every installed plugin; this loads them.

    Returns
    -------
    list of PluginInfo
        The built-in parts first, then the others by distribution and name.

    Warns
    -----
    PluginWarning
        Once for each fault.

    Examples
    --------
    >>> built_in = list_plugins()[0]
    >>> built_in.dist, built_in.status
    ('mlmi-sklearn', 'ok')
    """
    return _REGISTRY.manager.infos()


def register_component(
    kind: str,
    name: str,
    factory: Callable[..., Any] | str,
    *,
    summary: str = "",
    tags: Mapping[str, Any] | None = None,
    example: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Component:
    """Register a component for as long as the program runs.

    It takes precedence over plugins, not over built-in components. To offer it to
    others, write a plugin.

    Parameters
    ----------
    kind : str
        Kind of component; see :func:`find_component`.
    name : str
        Lower-case letters, digits, ``.``, ``_`` and ``-``; a class name for
        estimators; ``"prefix:*"`` for a family of parts, whose factory takes the name
        of a member and returns its factory.
    factory : callable or str
        What builds the component, or ``"package.module:attribute"``. Processes of a
        parallel search do not see what only the main process has registered.
    summary : str, default=""
        One line for listings; by default the first line of the factory's docstring.
    tags, example : mapping, default=None
        Facts to select by; arguments with which checks can build it.
    overwrite : bool, default=False
        Whether to replace a component that this function registered before.

    Returns
    -------
    Component
        What was registered.

    Raises
    ------
    ComponentConflictError
        When the name is built in, or taken and ``overwrite`` is false.

    Examples
    --------
    >>> part = register_component("loss", "total", sum, summary="Sum of everything.")
    >>> find_component("loss", "total").build([1, 2])
    3
    >>> unregister_component("loss", "total")
    """
    if not summary and not isinstance(factory, str):
        summary = (getattr(factory, "__doc__", None) or "").strip().partition("\n")[0]
    part = Component(
        kind,
        name,
        factory,
        summary,
        {} if tags is None else tags,
        {} if example is None else example,
    )
    return _REGISTRY.add(part, overwrite=overwrite)


def unregister_component(kind: str, name: str) -> None:
    """Remove a component that :func:`register_component` added.

    Parameters
    ----------
    kind, name : str
        As given to :func:`register_component`.

    Raises
    ------
    ComponentNotFoundError
        When there is none; built-in components and plugins' stay where they are.

    Examples
    --------
    >>> from mlmi_sklearn.components import register_component, unregister_component
    >>> part = register_component("loss", "total", sum)
    >>> unregister_component("loss", "total")
    >>> "total" in [part.name for part in list_components("loss")]
    False
    """
    _REGISTRY.remove(kind, name)
