"""Access to the files embedded in the package."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable


def data_file(name: str) -> Traversable:
    """Return a file of the data folder, also from inside a zipped package."""
    return resources.files("mlmi_sklearn.datasets").joinpath("data", name)


def description(name: str) -> str:
    """Return the text that describes a data set."""
    return data_file(f"{name}.rst").read_text(encoding="utf-8")
