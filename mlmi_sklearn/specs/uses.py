"""Values that show the use of a spec: other than the default, and sensible."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from ..components import Component
from ..components.naming import BUILTIN_DIST

__all__ = ["use_of"]

# Of built-in components, by parameter; the first that has a value here is shown.
_VALUES: Mapping[str, tuple[Any, ...]] = {
    "anneal": (0.5,),
    "auxiliary_weight": (0.5,),
    "axes": ((-2, -1),),
    "beta": (0.5,),
    "channels": ((8, 16),),
    "degrees": (30.0,),
    "delta": (0.5,),
    "depth": (14,),
    "factor": (1.5,),
    "gamma": (1.5,),
    "gradient_penalty": (5.0,),
    "hidden": ((64,), 32),
    "k": (5,),
    "label_smoothing": (0.1,),
    "low": (2,),
    "margin": (0.5,),
    "n_kernels": (3,),
    "out_features": (16,),
    "q": (0.9, 0.5),
    "r": (5.0,),
    "rate": (0.2,),
    "ratio": (0.25,),
    "sd": (0.05,),
    "smoothing": (0.1,),
    "strength": (0.2,),
    "width": (32,),
}


def use_of(
    component: Component, parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """Return parameters for an example.

    Parameters
    ----------
    component : Component
        What is to be shown.
    parameters : mapping of str to inspect.Parameter
        What can be set.

    Returns
    -------
    dict of str to object
        Of a built-in part one parameter, if it has any; of others what they were
        registered with as their example.

    Examples
    --------
    >>> from mlmi_sklearn import find_component
    >>> focal = find_component("loss", "focal")
    >>> use_of(focal, focal.parameters())
    {'gamma': 1.5}
    """
    if component.dist != BUILTIN_DIST:
        return {k: v for k, v in component.example.items() if k in parameters}
    return dict(next(_known(parameters), ()))


def _known(
    parameters: Mapping[str, inspect.Parameter],
) -> Iterator[tuple[tuple[str, Any]]]:
    for name, parameter in parameters.items():
        default = parameter.default
        for value in _VALUES.get(name, ()):
            # The same name may stand for a width here and for several there.
            fits = default is None or type(value) is type(default)
            if fits and value != default:
                yield ((name, value),)
