"""Component names with parameters, as objects that scikit-learn can search over.

A string such as ``backbone="mlp"`` is the easy way to name a part, but a grid search
needs ``backbone__hidden``. A *spec* closes the gap: it has a name, parameters,
``get_params`` and ``set_params``, and nothing else. No torch module exists until
``fit`` builds one from it.

>>> from mlmi_sklearn import MLPBackbone
>>> spec = MLPBackbone(hidden=(64, 32))
>>> spec
MLPBackbone(hidden=(64, 32))
>>> spec.set_params(dropout=0.2).dropout
0.2

Estimators promote a string to its spec on the first nested ``set_params``:

>>> from mlmi_sklearn import NetClassifier
>>> NetClassifier(backbone="mlp").set_params(backbone__hidden=(8,)).backbone
MLPBackbone(hidden=(8,))

The spec of a component is an attribute of this module, named after the class behind
it (``MLPBackbone`` for ``mlmi_sklearn.nn.backbones:MLP``); :func:`make_spec` finds it
by kind and name, for plugins too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from .components import Component, did_you_mean, find_component, list_components
from .exceptions import PluginError

__all__ = [
    "AutoBackbone",
    "ComponentSpec",
    "as_spec",
    "make_spec",
    "spec_class",
    "spec_names",
]

_AUTO_BACKBONES = ("mlp", "conv", "conv3d")
# Of a generator: known from the data, or parameters of the estimator itself.
_GIVEN = ("latent_dim", "output_shape", "vector_size", "map_channels")


class ComponentSpec(BaseEstimator):
    """Base of all specs; make one with :func:`make_spec` or by its own class.

    Parameters
    ----------
    **params
        Parameters of the component. Unknown names are an error.

    Attributes
    ----------
    kind, name : str
        Which component this is.
    """

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""
    _defaults: ClassVar[Mapping[str, Any]] = {}
    _required: ClassVar[Collection[str]] = ()
    # A factory with **kwargs decides itself what it knows.
    _open: ClassVar[bool] = False
    _advice: ClassVar[str] = ""

    def __init__(self, /, **params: Any) -> None:
        self._require_known(params)
        for key, value in {**self._defaults, **params}.items():
            setattr(self, key, value)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the component.

        Parameters
        ----------
        deep : bool, default=True
            Ignored; values are plain.

        Returns
        -------
        dict
            Names and values, defaults included.
        """
        return dict(sorted(vars(self).items()))

    def set_params(self, **params: Any) -> ComponentSpec:
        """Set parameters of the component.

        Parameters
        ----------
        **params
            New values.

        Returns
        -------
        ComponentSpec
            The spec itself.

        Raises
        ------
        ValueError
            If the component has no such parameter.
        """
        self._require_known(params)
        for key, value in params.items():
            setattr(self, key, value)
        return self

    def component(self) -> Component:
        """Return the registered component.

        Returns
        -------
        Component
            Entry of the registry.

        Raises
        ------
        ValueError
            If a parameter without default has no value yet.
        """
        # Of the class: a component may have parameters called "kind" and "name".
        kind, name = type(self).kind, type(self).name
        missing = [key for key in self._required if getattr(self, key) is None]
        if missing:
            key, spec = missing[0], type(self).__name__
            raise ValueError(
                f"{kind} {name!r} has no default for {key!r}: set {kind}__{key}, or "
                f"pass {spec}({key}=...)."
            )
        return find_component(kind, name)

    def __reduce__(self) -> tuple[Any, ...]:
        kind, name = type(self).kind, type(self).name
        return _restore, (kind, name, self.get_params(deep=False))

    @classmethod
    def _known(cls) -> Collection[str]:
        return cls._defaults

    @classmethod
    def _require_known(cls, params: Mapping[str, Any]) -> None:
        known = cls._known()
        unknown = [] if cls._open else sorted(set(params) - set(known))
        if unknown:
            hint = did_you_mean(unknown[0], known)
            raise ValueError(
                f"Invalid parameter {unknown[0]!r} for {cls.kind} {cls.name!r}.{hint} "
                f"Valid parameters are: {sorted(known)}.{cls._advice}"
            )


class AutoBackbone(ComponentSpec):
    """The backbone that suits the input, with parameters given before it is known.

    Parameters
    ----------
    **params
        Parameters of the backbone that will be chosen: ``mlp`` for vectors, ``conv``
        for images, ``conv3d`` for volumes.

    Examples
    --------
    >>> AutoBackbone(hidden=(16,))
    AutoBackbone(hidden=(16,))
    >>> AutoBackbone(hidden=(16,)).resolve((30,))
    MLPBackbone(hidden=(16,))
    """

    kind = "backbone"
    name = "auto"
    _advice = " Name the backbone (backbone='resnet', say) to set others of its own."

    @classmethod
    def _known(cls) -> Collection[str]:
        return {k for n in _AUTO_BACKBONES for k in spec_class("backbone", n)._defaults}

    def resolve(
        self,
        input_shape: tuple[int, ...],
        defaults: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> ComponentSpec:
        """Choose the backbone for inputs of one shape.

        Parameters
        ----------
        input_shape : tuple of int
            (features,), ([channels,] height, width) or (channels, depth, height,
            width).
        defaults : mapping of str to mapping, default=None
            Parameters by name of backbone, for those that were not given.

        Returns
        -------
        ComponentSpec
            Spec of ``mlp``, ``conv`` or ``conv3d``.

        Raises
        ------
        ValueError
            If the shape fits none of them, or a parameter is not one of the chosen
            backbone's.
        """
        rank = len(input_shape)
        if rank not in (1, 2, 3, 4):
            raise ValueError(
                f"backbone='auto' handles vectors, images and volumes, not samples of "
                f"shape {input_shape}. Pass a backbone that takes such input."
            )
        name = ("mlp", "conv", "conv", "conv3d")[rank - 1]
        params = {**(defaults or {}).get(name, {}), **self.get_params()}
        return make_spec("backbone", name, **params)


def make_spec(kind: str, name: str, /, **params: Any) -> ComponentSpec:
    """Make the spec of a registered component.

    Parameters
    ----------
    kind : str
        Kind of component, such as ``"backbone"`` or ``"loss"``.
    name : str
        Registered name, or ``"dist:name"``; ``"auto"`` for backbones.
    **params
        Parameters of the component.

    Returns
    -------
    ComponentSpec
        The spec.

    Raises
    ------
    ComponentNotFoundError
        If no such component is registered.
    ValueError
        If a parameter is not one of the component's.

    Examples
    --------
    >>> make_spec("loss", "focal", gamma=1.5)
    FocalLoss(gamma=1.5)
    """
    return spec_class(kind, name)(**params)


def as_spec(kind: str, value: object) -> ComponentSpec:
    """Turn a name into a spec, or pass a spec through.

    Parameters
    ----------
    kind : str
        Kind of component.
    value : str or ComponentSpec
        A name or a spec.

    Returns
    -------
    ComponentSpec
        The spec.

    Raises
    ------
    ValueError
        If ``value`` is an object without searchable parameters, or a spec of
        another kind.
    """
    if isinstance(value, str):
        return make_spec(kind, value)
    if isinstance(value, ComponentSpec):
        if type(value).kind == kind:
            return value
        raise ValueError(f"{kind}={value!r} is a {type(value).kind}; pass a {kind}.")
    raise ValueError(
        f"{kind}={type(value).__name__} object has no parameters to set with "
        f"{kind}__*. Pass a registered name, or register it with "
        f"register_component({kind!r}, ...)."
    )


def spec_class(kind: str, name: str) -> type[ComponentSpec]:
    """Return the spec class of a registered component.

    Parameters
    ----------
    kind, name : str
        Which component.

    Returns
    -------
    type
        A subclass of :class:`ComponentSpec` whose signature is the component's.
    """
    if (kind, name) == ("backbone", "auto"):
        return AutoBackbone
    component = find_component(kind, name)
    known = _CLASSES.get((component.kind, name))
    # A name that was registered anew must not keep its old spec.
    if known is None or known[0] is not component.factory:
        known = component.factory, _make_class(component, name)
        _CLASSES[component.kind, name] = known
    return known[1]


_CLASSES: dict[tuple[str, str], tuple[object, type[ComponentSpec]]] = {}


def _make_class(component: Component, name: str) -> type[ComponentSpec]:
    """Make the spec class that has the component's parameters."""
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
        "__doc__": f"{component.summary}\n\nSpec of the {component.label}.",
        "__module__": __name__,
        "__init__": _constructor(list(parameters.values())),
    }
    return type(_class_name(component), (ComponentSpec,), body)


def _constructor(parameters: list[inspect.Parameter]) -> Callable[..., None]:
    """Make a constructor whose signature names the parameters, for help and repr."""

    def __init__(self: ComponentSpec, /, **params: Any) -> None:
        ComponentSpec.__init__(self, **params)

    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    keywords = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
    __init__.__signature__ = inspect.Signature([own, *keywords])  # type: ignore[attr-defined]  # mypy knows no __signature__
    return __init__


def _class_name(component: Component) -> str:
    target = component.factory
    path = target if isinstance(target, str) else getattr(target, "__name__", "")
    stem = re.split("[:.]", path)[-1]
    if not stem.isidentifier():  # a lambda, a partial, an object that can be called
        stem = "".join(map(str.capitalize, re.split(r"[-._]", component.name)))
    suffix = component.kind.title().replace("-", "")
    return stem if stem.endswith(suffix) else stem + suffix


def _restore(kind: str, name: str, params: dict[str, Any]) -> ComponentSpec:
    return spec_class(kind, name)(**params)


@lru_cache(maxsize=1)
def _builtin_specs() -> dict[str, tuple[str, str]]:
    """Class name -> (kind, name) of the built-in components that have specs."""
    kinds = ("backbone", "loss", "pooling", "divergence", "generator")
    parts = [c for kind in kinds for c in list_components(kind, builtin=True)]
    return {_class_name(c): (c.kind, c.name) for c in parts}


def spec_names() -> list[str]:
    """Return the names of the spec classes of the built-in components.

    Returns
    -------
    list of str
        Attributes of this module and of the package.

    Examples
    --------
    >>> spec_names()[:3]
    ['AdditivePooling', 'AttentionPooling', 'BCELoss']
    """
    return sorted(_builtin_specs())


def __getattr__(attribute: str) -> Any:
    if attribute.startswith("_"):
        raise AttributeError(attribute)
    found = _builtin_specs().get(attribute)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
    return spec_class(*found)
