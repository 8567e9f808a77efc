"""From the name of a component to its spec."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..components import find_component
from ..components.naming import check_kind
from .base import ComponentSpec
from .classes import class_for

__all__ = ["AutoBackbone", "as_spec", "make_spec", "spec_class"]

_AUTO_BACKBONES = ("mlp", "conv", "conv3d")


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

    Examples
    --------
    >>> from mlmi_sklearn.specs import as_spec
    >>> as_spec("pooling", "max")
    MaxPooling()
    """
    kind = check_kind(kind)  # which may be spelt with an underscore
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

    Raises
    ------
    ComponentNotFoundError
        If no such component is registered.

    Examples
    --------
    >>> from mlmi_sklearn.specs import spec_class
    >>> spec_class("backbone", "mlp").__name__
    'MLPBackbone'
    """
    if (kind, name) == ("backbone", "auto"):
        return AutoBackbone
    return class_for(find_component(kind, name), name)
