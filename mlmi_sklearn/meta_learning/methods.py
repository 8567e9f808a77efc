"""Methods of gradient-based meta-learning by name."""

from __future__ import annotations

from typing import Any

from ..base import resolve_part
from ..nn.tasks import MetaMethod

__all__ = ["resolve_method"]


def resolve_method(method: Any) -> MetaMethod:
    """Return the method of a name, a spec, a factory, or the method itself.

    Parameters
    ----------
    method : str, spec, callable or MetaMethod
        What the user passed.

    Returns
    -------
    MetaMethod
        The method.

    Raises
    ------
    TypeError
        If something else than a method was made.

    Examples
    --------
    >>> resolve_method("anil").adapts
    'head'
    """
    if isinstance(method, MetaMethod):
        return method
    found = resolve_part("meta_method", method).build()
    if not isinstance(found, MetaMethod):
        raise TypeError(
            f"method={method!r} made a {type(found).__name__}, not a "
            "mlmi_sklearn.nn.tasks.MetaMethod."
        )
    return found
