"""Set-up for all tests: one thread, no plugins of this machine, stable hypothesis."""

import os
from pathlib import Path

os.environ.setdefault("MLMI_SKLEARN_PLUGINS", "none")

import pytest
import torch
from hypothesis import HealthCheck, settings

# Small nets gain nothing from a second thread, and lose a lot beside other tests.
torch.set_num_threads(1)

settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared_data():
    """Folder of larger real data sets, where a checkout has one beside it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of larger data sets is not here")
    return folder
