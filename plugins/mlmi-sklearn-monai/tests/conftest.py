"""The plugin under test is switched on."""

from __future__ import annotations

import os

import numpy as np
import pytest

for switch in ("MLMI_SKLEARN_PLUGINS", "MLMI_SKLEARN_DISABLE"):
    os.environ.pop(switch, None)


@pytest.fixture(scope="session")
def images():
    """Return 24 images of 16 x 16 pixels, half of them with a bright square."""
    rng = np.random.default_rng(0)
    X = rng.normal(0, 0.3, (24, 1, 16, 16)).astype("float32")
    y = np.arange(24) % 2
    X[y == 1, :, 4:10, 4:10] += 2
    return X, y
