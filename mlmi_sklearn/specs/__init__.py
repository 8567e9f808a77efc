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

from typing import Any

from .base import ComponentSpec
from .classes import builtin_specs
from .making import AutoBackbone, as_spec, make_spec, spec_class

__all__ = [
    "AutoBackbone",
    "ComponentSpec",
    "as_spec",
    "make_spec",
    "spec_class",
    "spec_names",
]


def spec_names() -> list[str]:
    """Return the names of the spec classes of the built-in components.

    Returns
    -------
    list of str
        Attributes of this module and of the package.

    Examples
    --------
    >>> spec_names()[:3]
    ['ANILMetaMethod', 'AdditivePooling', 'AttentionPooling']
    """
    return sorted(builtin_specs())


def __getattr__(attribute: str) -> Any:
    if attribute.startswith("_"):
        raise AttributeError(attribute)
    found = builtin_specs().get(attribute)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
    return spec_class(*found)
