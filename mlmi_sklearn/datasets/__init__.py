"""Data for examples and tests: embedded real data, and generators of data.

Nothing here downloads anything. Sources and licences of the embedded data are in
``data/LICENSES.md`` beside this module and in the ``DESCR`` of each set.
"""

from __future__ import annotations

from mlmi_sklearn.datasets._breast_ultrasound import load_breast_ultrasound
from mlmi_sklearn.datasets._digit_bags import make_digit_bags
from mlmi_sklearn.datasets._heart import load_heart_multisite
from mlmi_sklearn.datasets._musk import load_musk1
from mlmi_sklearn.datasets._omniglot import load_omniglot_small
from mlmi_sklearn.datasets._parkinsons import load_parkinsons_tasks
from mlmi_sklearn.datasets._pneumonia import load_pneumonia_xray
from mlmi_sklearn.datasets._raff_holt import make_raff_holt_bags
from mlmi_sklearn.datasets._rotated_moons import make_rotated_moons
from mlmi_sklearn.datasets._shifted_digits import make_shifted_digits
from mlmi_sklearn.datasets._sinusoids import make_sinusoid_tasks
from mlmi_sklearn.datasets._ultrasound_phantom import (
    make_probe_path,
    make_ultrasound_phantom,
)

__all__ = [
    "load_breast_ultrasound",
    "load_heart_multisite",
    "load_musk1",
    "load_omniglot_small",
    "load_parkinsons_tasks",
    "load_pneumonia_xray",
    "make_digit_bags",
    "make_probe_path",
    "make_raff_holt_bags",
    "make_rotated_moons",
    "make_shifted_digits",
    "make_sinusoid_tasks",
    "make_ultrasound_phantom",
]
