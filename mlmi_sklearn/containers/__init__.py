"""Containers that estimators read: bags of instances, and streams of samples.

A *bag* is a set of instances with one label, such as the tiles of a slide or the
nuclei of a field of view. :class:`Bags` holds many bags of different sizes in one
array and behaves, towards scikit-learn, like a table with one row per bag.
:class:`Stream` stands for samples that are too many for memory.
"""

from __future__ import annotations

from mlmi_sklearn.containers.bags import Bags
from mlmi_sklearn.containers.checks import check_bags
from mlmi_sklearn.containers.stream import Stream

__all__ = ["Bags", "Stream", "check_bags"]
