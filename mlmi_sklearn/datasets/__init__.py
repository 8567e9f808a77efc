"""Data for examples and tests: embedded real data and generators of bags.

Nothing here downloads anything. Sources and licences of the embedded data are in
``data/LICENSES.md`` beside this module and in the ``DESCR`` of each set.
"""

from __future__ import annotations

from mlmi_sklearn.datasets._digit_bags import make_digit_bags
from mlmi_sklearn.datasets._heart import load_heart_multisite
from mlmi_sklearn.datasets._musk import load_musk1
from mlmi_sklearn.datasets._raff_holt import make_raff_holt_bags
from mlmi_sklearn.datasets._rotated_moons import make_rotated_moons
from mlmi_sklearn.datasets._shifted_digits import make_shifted_digits

__all__ = [
    "load_heart_multisite",
    "load_musk1",
    "make_digit_bags",
    "make_raff_holt_bags",
    "make_rotated_moons",
    "make_shifted_digits",
]
