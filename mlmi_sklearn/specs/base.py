"""The base of all specs: a name, parameters, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from ..components import Component, did_you_mean, find_component

__all__ = ["ComponentSpec", "restore"]


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

    Examples
    --------
    >>> from mlmi_sklearn import FocalLoss
    >>> from mlmi_sklearn.specs import ComponentSpec
    >>> spec = FocalLoss(gamma=1.5)
    >>> isinstance(spec, ComponentSpec), spec.kind, spec.name
    (True, 'loss', 'focal')
    >>> spec.set_params(gamma=3.0).component().build(**spec.get_params()).gamma
    3.0
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
        return restore, (kind, name, self.get_params(deep=False))

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


def restore(kind: str, name: str, params: dict[str, Any]) -> ComponentSpec:
    """Make the spec that a pickle describes.

    Parameters
    ----------
    kind, name : str
        Which component.
    params : dict of str to object
        Its parameters.

    Returns
    -------
    ComponentSpec
        The spec.

    Examples
    --------
    >>> from mlmi_sklearn.specs.base import restore
    >>> restore("loss", "focal", {"gamma": 1.5})
    FocalLoss(gamma=1.5)
    """
    # The class is made when the name is looked up, which needs this module.
    from .making import make_spec

    return make_spec(kind, name, **params)
