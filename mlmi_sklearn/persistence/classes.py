"""The allowlist: of which classes a file may hold objects.

They are the registered estimators of the package and of plugins, the classes of this
package that their states consist of (:data:`INNER`), and the public estimators of
scikit-learn and imbalanced-learn (:mod:`.names`).
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable
from functools import lru_cache
from typing import Any

from ..components import Component, find_component, list_components
from ..exceptions import PersistenceError, PluginError
from .names import find_named, name_of

__all__ = ["INNER", "class_name", "find_class"]

#: Name in files -> where in the package the class is. Names in files must never change.
INNER = {
    "AdaptedClassifier": "meta_learning.adapted",
    "AdaptedRegressor": "meta_learning.adapted",
    "Affine": "generation.encoding.scaling",
    "Arsinh": "generation.encoding.scaling",
    "Block": "nn.generation.blocks",
    "ByColumn": "generation.encoding.preprocessing",
    "ByTransformer": "generation.encoding.preprocessing",
    "CategoricalColumn": "generation.encoding.kinds",
    "ConditionColumn": "generation.conditions",
    "ConditionEncoder": "generation.conditions",
    "ConstantColumn": "generation.encoding.kinds",
    "Container": "generation.encoding.container",
    "EpisodeKind": "meta_learning.targets",
    "ImageCodec": "generation.encoding.images",
    "InstanceScaler": "mil.classic.scaling",
    "InstanceWise": "mil.lifting",
    "Levels": "generation.encoding.grids",
    "MetaMethod": "nn.tasks.methods",
    "NumericColumn": "generation.encoding.kinds",
    "Outcome": "mil.classic.alternation",
    "Part": "base.parts",
    "PrototypeClassifier": "meta_learning.prototypes",
    "Range": "generation.encoding.grids",
    "Recipe": "base.parts",
    "RowCodec": "generation.translation_inputs",
    "Side": "generation.translation_inputs",
    "Source": "meta_learning.fine_tuning_source",
    "Steps": "generation.encoding.grids",
    "Storage": "generation.encoding.storage",
    "TableCodec": "generation.encoding.table",
    "VectorizedSearchCV": "search.vectorized",
}
_ROOT = __name__.partition(".")[0]
_PREFIX = "inner:"


def class_name(cls: type[Any]) -> str | None:
    """Return the name of a class in files, or None if none may hold its objects.

    Parameters
    ----------
    cls : type
        A class.

    Returns
    -------
    str or None
        ``"distribution:Name"`` for registered estimators, ``"inner:Name"`` for
        classes of this package, ``"module:Name"`` for scikit-learn's.

    Examples
    --------
    >>> from mlmi_sklearn import NetClassifier
    >>> class_name(NetClassifier), class_name(dict)
    ('mlmi-sklearn:NetClassifier', None)
    """
    root = cls.__module__.partition(".")[0]
    if root in ("sklearn", "imblearn"):
        return name_of(cls, "class")
    if root == _ROOT and cls.__module__ == f"{_ROOT}.{INNER.get(cls.__name__)}":
        return _PREFIX + cls.__name__
    return None if root == "builtins" else _registered(cls)


def find_class(name: str) -> Any:
    """Undo :func:`class_name`.

    Parameters
    ----------
    name : str
        Name in a file.

    Returns
    -------
    type
        The class.

    Raises
    ------
    PersistenceError
        If it is not one whose objects a file may hold.
    PluginError
        If it belongs to a plugin that is not there.

    Examples
    --------
    >>> find_class("subprocess:Popen")
    Traceback (most recent call last):
    mlmi_sklearn.exceptions.PersistenceError: ... 'subprocess:Popen', ...
    """
    home, _, short = name.partition(":")
    if name.startswith(_PREFIX):
        return _inner(short)
    if home.startswith(("sklearn.", "imblearn.")):
        return find_named(name, "class")
    try:
        return find_component("estimator", name).load()
    except PluginError as error:
        raise PersistenceError(
            f"the file holds an object of the class {name!r:.90}, which is not among "
            f"those that a file may hold: {error}"
        ) from error


@lru_cache(maxsize=64)
def _inner(name: str) -> Any:
    if name not in INNER:
        raise PersistenceError(
            f"the file holds an object of the inner class {name!r:.90}, which this "
            "version of mlmi-sklearn does not have."
        )
    return getattr(importlib.import_module(f"{_ROOT}.{INNER[name]}"), name)


def _registered(cls: type[Any]) -> str | None:
    """Return the qualified name under which an estimator is registered."""
    if cls.__module__.partition(".")[0] == _ROOT:
        known: Any = cls
        return _built_in(known)
    return _name_among(list_components("estimator"), cls)


@lru_cache(maxsize=512)
def _built_in(cls: Hashable) -> str | None:
    return _name_among(list_components("estimator", builtin=True), cls)


def _name_among(parts: list[Component], cls: Any) -> str | None:
    for part in parts:
        target = part.factory
        tail = target.split(":")[-1].split(".")[-1] if isinstance(target, str) else None
        # Loading every plugin's estimators only to compare would take too long.
        if target is cls or (tail == cls.__name__ and part.load() is cls):
            return part.qualified_name
    return None
