"""The spec class of every registered component, made when it is first asked for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..components import Component, list_components
from ..exceptions import PluginError
from .base import ComponentSpec
from .pages import Page

__all__ = ["builtin_specs", "class_for"]

# What estimators take as a spec. The reader of slides is not among them: TileGrid has
# its parameters in ``reader_params``.
_KINDS = (
    *("backbone", "loss", "pooling", "divergence", "adversarial-loss", "augmentation"),
    *("generator", "meta-method"),
)

# Of a generator: known from the data, or parameters of the estimator itself.
_GIVEN = ("latent_dim", "output_shape", "vector_size", "map_channels")


_CLASSES: dict[tuple[str, str], tuple[object, type[ComponentSpec]]] = {}


def class_for(component: Component, name: str) -> type[ComponentSpec]:
    """Return the spec class that has a component's parameters.

    Parameters
    ----------
    component : Component
        The component.
    name : str
        The name it was asked for by, short or qualified, which the specs keep.

    Returns
    -------
    type
        The same class at every call, unless the name was registered anew.

    Raises
    ------
    PluginError
        If a parameter has a name that specs need for themselves.

    Examples
    --------
    >>> from mlmi_sklearn import find_component
    >>> class_for(find_component("loss", "focal"), "focal").__name__
    'FocalLoss'
    """
    known = _CLASSES.get((component.kind, name))
    # A name that was registered anew must not keep its old spec.
    if known is None or known[0] != component.factory:
        known = component.factory, _make_class(component, name)
        _CLASSES[component.kind, name] = known
    return known[1]


def _make_class(component: Component, name: str) -> type[ComponentSpec]:
    """Make the spec class of a component."""
    given = _GIVEN if component.kind == "generator" else ()
    parameters = {k: p for k, p in component.parameters().items() if k not in given}
    for key in parameters:
        if hasattr(ComponentSpec, key) and key not in ("kind", "name"):
            raise PluginError(
                f"{component.label} has a parameter {key!r}, a name that specs need "
                "for themselves. Rename it in the factory."
            )
    required = [key for key, p in parameters.items() if p.default is p.empty]
    body = {
        "kind": component.kind,
        "name": name,
        "_defaults": {
            key: None if key in required else p.default for key, p in parameters.items()
        },
        "_required": tuple(required),
        "_open": component.takes_any_parameter,
        "__doc__": Page(component, parameters),
        "__module__": __package__,
        "__init__": _constructor(list(parameters.values())),
    }
    return type(_class_name(component), (ComponentSpec,), body)


def _constructor(parameters: list[inspect.Parameter]) -> Callable[..., None]:
    """Make a constructor whose signature names the parameters, for help and repr."""

    def __init__(self: ComponentSpec, /, **params: Any) -> None:
        ComponentSpec.__init__(self, **params)

    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    keywords = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
    signature = inspect.Signature([own, *keywords], return_annotation=None)
    __init__.__signature__ = signature  # type: ignore[attr-defined]  # mypy knows no __signature__
    return __init__


def _class_name(component: Component) -> str:
    """Name a spec class after the class behind the component."""
    target = component.factory
    path = target if isinstance(target, str) else getattr(target, "__name__", "")
    stem = re.split("[:.]", path)[-1]
    # A lambda, a partial, an object that can be called; a factory of many.
    if not stem.isidentifier() or component.member:
        stem = "".join(map(str.capitalize, re.split(r"[\W_]+", component.name)))
    suffix = component.kind.title().replace("-", "")
    return stem if stem.endswith(suffix) else stem + suffix


@lru_cache(maxsize=1)
def builtin_specs() -> dict[str, tuple[str, str]]:
    """Return what the spec classes of the built-in components stand for.

    Returns
    -------
    dict of str to (str, str)
        Class name to kind and name of the component.

    Examples
    --------
    >>> from mlmi_sklearn.specs.classes import builtin_specs
    >>> builtin_specs()["FocalLoss"]
    ('loss', 'focal')
    """
    parts = [c for kind in _KINDS for c in list_components(kind, builtin=True)]
    return {_class_name(c): (c.kind, c.name) for c in parts}
