"""State of numpy and PyTorch, behind the guard that plugins are loaded behind."""

from __future__ import annotations

import random
import sys
import threading
import warnings

import numpy as np
import pytest
import torch

from mlmi_sklearn.components.discovery import patience
from mlmi_sklearn.components.guard import Guard, conduct


def fault(deed):
    """Return what the guard says about code, and that the state is the same again."""
    guard = Guard()
    with guard.watch("somebody"):
        deed()
    return guard.faults


@pytest.mark.parametrize(
    ("deed", "name"),
    [
        (lambda: np.random.seed(3), "numpy's random numbers"),
        (lambda: np.random.rand(2), "numpy's random numbers"),
        (lambda: np.seterr(all="raise"), "numpy's handling of errors"),
        (lambda: torch.manual_seed(3), "PyTorch's random numbers"),
        (lambda: torch.nn.Linear(2, 2), "PyTorch's random numbers"),
        (lambda: torch.set_default_dtype(torch.float64), "PyTorch's default dtype"),
        (lambda: torch.set_grad_enabled(False), "whether PyTorch records gradients"),
        (lambda: torch.set_num_threads(7), "PyTorch's number of threads"),
        (lambda: random.seed(3), "Python's random numbers"),
    ],
)
def test_libraries_are_put_back(deed, name):
    np.random.rand(1)
    before = (
        np.random.get_state()[1].tolist(),
        np.geterr(),
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        random.getstate(),
    )
    assert fault(deed) == [f"changed {name} for the whole process (put back)"]
    after = (
        np.random.get_state()[1].tolist(),
        np.geterr(),
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        random.getstate(),
    )
    assert after == before


def test_a_plugin_that_imports_torch_first_cannot_set_its_default(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")

    def deed():
        sys.modules["torch"] = torch
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(0)  # nobody can have relied on another one

    try:
        assert fault(deed) == [
            "changed PyTorch's default dtype for the whole process (put back)"
        ]
        assert torch.get_default_dtype() == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_half_imported_library_is_no_trouble(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", type(sys)("torch"))
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert fault(lambda: None) == []


def test_errors_pass_and_state_is_put_back_all_the_same():
    guard = Guard()
    limit = sys.getrecursionlimit()
    with pytest.raises(SystemExit), guard.watch("somebody"):
        sys.setrecursionlimit(limit + 10)
        raise SystemExit(3)
    assert sys.getrecursionlimit() == limit
    assert len(guard.faults) == 1


def test_faults_of_one_plugin_are_not_those_of_the_next():
    guard = Guard()
    with guard.watch("somebody"):
        random.seed(3)
    with guard.watch("somebody"):
        pass
    assert conduct(guard, 60) == []


def test_outside_the_main_thread():
    found = []
    thread = threading.Thread(
        target=lambda: found.extend(fault(lambda: random.seed(1)))
    )
    thread.start()
    thread.join()
    assert found == ["changed Python's random numbers for the whole process (put back)"]


def test_filters_hold_again_after_the_block():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Guard().watch("me"), warnings.catch_warnings(record=True) as caught:
            warnings.warn("inside", UserWarning, stacklevel=1)
        assert len(caught) == 1
        with pytest.raises(UserWarning, match="outside"):
            warnings.warn("outside", UserWarning, stacklevel=1)


@pytest.mark.parametrize("value", ["", "soon", None])
def test_patience_that_cannot_be_read(value):
    environ = {} if value is None else {"MLMI_SKLEARN_SLOW_SECONDS": value}
    assert patience(environ) == 5.0
