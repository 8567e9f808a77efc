"""Bags of instances: the container that multiple-instance estimators read.

A *bag* is a set of instances with one label, such as the tiles of a slide or the
nuclei of a field of view. :class:`Bags` holds many bags of different sizes in one
array and behaves, towards scikit-learn, like a table with one row per bag.
"""

from __future__ import annotations

from mlmi_sklearn.containers.bags import Bags
from mlmi_sklearn.containers.checks import check_bags

__all__ = ["Bags", "check_bags"]
