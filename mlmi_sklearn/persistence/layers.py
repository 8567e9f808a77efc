"""Which classes of modules a file may refer to: layers of torch and of this package."""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from typing import Any

from torch import nn

from ..exceptions import PersistenceError

__all__ = ["find_layer", "layer_name"]

_OURS = re.compile(r"mlmi_sklearn\.(nn(\.[a-z_]+)*|generation\.regularizer)")
# They would build weights from what a file says when they are first used.
_NOT = re.compile("Lazy|Module$|.*DataParallel")


def layer_name(cls: type[nn.Module]) -> str | None:
    """Return the name of a class of modules, if a file may refer to it.

    Parameters
    ----------
    cls : type
        A class of modules.

    Returns
    -------
    str or None
        ``"module:name"``.

    Examples
    --------
    >>> layer_name(nn.Linear)
    'torch.nn:Linear'
    """
    home = "torch.nn" if cls.__module__.startswith("torch.") else cls.__module__
    return f"{home}:{cls.__name__}" if _look_up(home, cls.__name__) is cls else None


def find_layer(name: str) -> Any:
    """Undo :func:`layer_name`.

    Parameters
    ----------
    name : str
        ``"module:name"``.

    Raises
    ------
    PersistenceError
        If there is none that a file may refer to.
    """
    home, _, attribute = name.partition(":")
    found = _look_up(home, attribute)
    if found is None:
        raise PersistenceError(
            f"the file refers to the module {name!r:.90}, which is not among the "
            "layers that a file may refer to, or which the installed version lacks."
        )
    return found


@lru_cache(maxsize=4096)
def _look_up(home: str, attribute: str) -> Any:
    if home != "torch.nn" and not _OURS.fullmatch(home):
        return None
    if _NOT.match(attribute) or attribute.startswith("_"):
        return None
    try:
        found = getattr(importlib.import_module(home), attribute, None)
    except ImportError:
        return None
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        return None
    return found if home == "torch.nn" or found.__module__ == home else None
