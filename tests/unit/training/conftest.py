"""What tests of the training loop share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pretend_cuda import pretend_cuda
from pretend_ranks import PretendRanks

sys.path.pop(0)


@pytest.fixture
def cuda_waits():
    """Pretend that there is a CUDA device; list what makes the processor wait."""
    with pretend_cuda() as waits:
        yield waits


@pytest.fixture
def pretend_ranks():
    """Return the class of ranks that are threads."""
    return PretendRanks
