"""Checks of modules: what holds for backbones, poolings and divergences alike."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from ._core import require
from ._subjects import ModuleSubject
from ._tensors import require_close, require_finite, require_gradients, seeded

__all__ = ["MODULE_CHECKS", "require_width"]


def require_width(module: Any) -> int:
    """Return `out_features`, or fail."""
    width = getattr(module, "out_features", None)
    good = isinstance(width, int) and not isinstance(width, bool) and width > 0
    require(
        good,
        f"its attribute out_features is {width!r}.",
        "Set self.out_features to the number of columns of the result, a positive int.",
    )
    return int(width or 0)


def check_precision(subject: ModuleSubject) -> None:
    """Results have the type of the input, float32 or float64, and are finite."""
    for dtype in (torch.float32, torch.float64):
        outputs = subject.run(subject.module(dtype=dtype), subject.inputs(dtype))
        for name, tensor in outputs.items():
            require(
                tensor.dtype == dtype,
                f"{name} is {tensor.dtype} for input and parameters of {dtype}.",
                "Make new tensors with x.new_zeros(...), or pass dtype=x.dtype.",
            )
            require_finite(tensor, name, "Look for a division by zero or a log of 0.")


def check_autocast(subject: ModuleSubject) -> None:
    """It runs forward and backward under bf16 autocast."""
    module, inputs = subject.module().train(), subject.inputs().requires_grad_()
    with seeded(0), torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = subject.run(module, inputs)
    total = sum(tensor.float().sum() for tensor in outputs.values())
    if isinstance(total, Tensor) and total.requires_grad:
        total.backward()
    for name, tensor in outputs.items():
        remedy = "Compute what is delicate in float32: x.float()."
        require_finite(tensor, f"{name} under bf16 autocast", remedy)


def check_gradients(subject: ModuleSubject) -> None:
    """Finite gradients reach the input and every parameter in training mode."""
    module, inputs = subject.module().train(), subject.inputs().requires_grad_()
    with seeded(0):
        output = next(iter(subject.run(module, inputs).values()))
        require(
            output.requires_grad,
            "its result does not carry a gradient.",
            "Remove detach(), torch.no_grad() and .item() from forward.",
        )
        # Not a plain sum, whose gradient may vanish for normalised results.
        (output * torch.randn(output.shape)).sum().backward()
    owns_more = hasattr(module, "auxiliary_loss") or getattr(module, "owns_head", False)
    require_gradients(module, inputs, optional=bool(owns_more))
    lost = inputs.grad is not None and not bool(inputs.grad.abs().any())
    require(
        not lost, "the gradient of the input is zero everywhere.", "Look for .data."
    )


def check_evaluation_is_deterministic(subject: ModuleSubject) -> None:
    """In evaluation mode the same input gives the same result."""
    module, inputs = subject.module(), subject.inputs()
    with seeded(1):
        first = subject.run(module, inputs)
    with seeded(2):
        second = subject.run(module, inputs)
    for name, tensor in first.items():
        require_close(
            second[name],
            tensor,
            f"two calls in evaluation mode differ in {name}",
            "Draw random numbers only if self.training; keep no state between calls.",
            1e-12,
        )


def check_seed(subject: ModuleSubject) -> None:
    """The same seed gives the same initial weights and the same training pass."""
    first, second = subject.module(seed=3), subject.module(seed=3)
    states = first.state_dict(), second.state_dict()
    require(
        states[0].keys() == states[1].keys()
        and all(torch.equal(states[0][key], states[1][key]) for key in states[0]),
        "built twice after torch.manual_seed(3), it has different weights.",
        "Draw initial weights from PyTorch's global generator only.",
    )
    outputs = []
    for module in (first, second):
        with seeded(4):
            outputs.append(subject.run(module.train(), subject.inputs()))
    for name, tensor in outputs[0].items():
        require_close(
            outputs[1][name],
            tensor,
            f"two training passes under one seed differ in {name}",
            "Draw from PyTorch's global generator, not from numpy's or Python's.",
            1e-12,
        )


def check_input_is_left_alone(subject: ModuleSubject) -> None:
    """The input is not written to."""
    for training in (False, True):
        module, inputs = subject.module().train(training), subject.inputs()
        before = inputs.clone()
        with seeded(0), torch.no_grad():
            subject.run(module, inputs)
        require(
            torch.equal(inputs, before),
            "forward changed its input.",
            "Avoid in-place operations (x += ..., x.mul_(...), x[...] = ...) on it.",
        )


def check_functional_call(subject: ModuleSubject) -> None:
    """It works under torch.func.functional_call, with other parameters too."""
    module, other = subject.module(seed=0), subject.module(seed=5)
    inputs = subject.inputs()
    state = {**dict(other.named_parameters()), **dict(other.named_buffers())}
    expected = subject.run(other, inputs)
    arguments = subject.keywords(inputs), subject.beside(module, inputs)
    found = subject.named(functional_call(module, state, *arguments))
    for name, tensor in expected.items():
        require_close(
            found[name],
            tensor,
            f"functional_call with the parameters of a second copy gives another "
            f"{name} than that copy",
            "Read parameters from self at each call; store no tensor made of them.",
        )


def check_copies(subject: ModuleSubject) -> None:
    """A state dictionary, a deep copy and a pickle give the same results."""
    module, inputs = subject.module(seed=0), subject.inputs()
    expected = subject.run(module, inputs)
    loaded = subject.module(seed=6)
    loaded.load_state_dict(module.state_dict())
    copies = {
        "after load_state_dict": loaded,
        "of its deep copy": copy.deepcopy(module),
    }
    # A class of a notebook or of a test function cannot be pickled by anyone.
    if "<locals>" not in type(module).__qualname__:
        copies["after pickling"] = pickle.loads(pickle.dumps(module))
    for when, twin in copies.items():
        found = subject.run(twin, inputs)
        for name, tensor in expected.items():
            require_close(
                found[name],
                tensor,
                f"{name} {when} differs from the original's",
                "Keep what matters in parameters and registered buffers.",
            )


def check_layout_does_not_matter(subject: ModuleSubject) -> None:
    """Input that is not contiguous in memory gives the same results."""
    module, inputs = subject.module(), subject.inputs()
    backwards = inputs.transpose(0, -1).contiguous().transpose(0, -1)
    expected, found = subject.run(module, inputs), subject.run(module, backwards)
    for name, tensor in expected.items():
        remedy = "Use reshape instead of view, or call x.contiguous()."
        require_close(
            found[name], tensor, f"{name} depends on the layout of memory", remedy
        )


MODULE_CHECKS = [
    check_precision,
    check_autocast,
    check_gradients,
    check_evaluation_is_deterministic,
    check_seed,
    check_input_is_left_alone,
    check_functional_call,
    check_copies,
    check_layout_does_not_matter,
]
