"""Tensors that say they are on CUDA, compute on the CPU, and note every wait.

A step on an accelerator is queued, and the processor goes on; reading a number back
makes both wait. Whether a training loop does so can be told without an accelerator:
:class:`PretendCuda` takes the branches that CUDA takes and notes each operation whose
result Python needs at once.
"""

import traceback
from contextlib import ExitStack, contextmanager, nullcontext
from unittest import mock

import torch
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    return_and_correct_aliasing,
)
from torch.utils._pytree import tree_map_only

aten = torch.ops.aten
# Their results are Python numbers, or tensors of a size that depends on values.
READS = {
    aten._local_scalar_dense.default,
    aten.is_nonzero.default,
    aten.equal.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.repeat_interleave.Tensor,
    aten._unique2.default,
    aten.unique_consecutive.default,
    aten.unique_dim.default,
}
MASKS = (torch.bool, torch.uint8)
CUDA = torch.device("cuda", 0)


class PretendCuda(torch.Tensor):
    """A CPU tensor that is taken for one on CUDA."""

    waits: list[str] | None = None

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            # A real device of PyTorch, though without memory: there is no other here.
            device="meta",
        )

    def __init__(self, inner):
        self.inner = inner

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = is_meta = property(lambda self: False)

    def tolist(self):
        """Read numbers back by way of the CPU."""
        return self.detach().cpu().tolist()

    def numpy(self, **kwargs):
        raise TypeError("can't convert a CUDA tensor to numpy; use .cpu() first")

    def __repr__(self):
        return f"PretendCuda({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return dispatch(func, args, kwargs or {})


def dispatch(func, args, kwargs):
    """Compute on the CPU; results are on CUDA where those of CUDA would be."""
    if func in READS and not (
        func is aten.repeat_interleave.Tensor and kwargs.get("output_size") is not None
    ):
        note(func)
    if func is aten.index.Tensor and any(map(waits_for, args[1])):
        note(func)
    to = kwargs.get("device")
    on_cpu = to is not None and torch.device(to).type == "cpu"
    moves = func is aten._to_copy.default and is_crossing(args[0], to)
    if moves and (on_cpu or not kwargs.get("non_blocking")):
        note(func)
    writes = func is aten.copy_.default and is_crossing(args[1], args[0].device)
    if writes and (args[0].is_cpu or not any(args[2:])):
        note(func)
    plain = tree_map_only(PretendCuda, lambda t: t.inner, (args, kwargs))
    if to is not None:
        plain[1]["device"] = torch.device("cpu")
    found = func(*plain[0], **plain[1])
    if on_cpu:
        return found
    if func is aten.copy_.default and not isinstance(args[0], PretendCuda):
        return args[0]
    wrapped = tree_map_only(torch.Tensor, PretendCuda, found)
    if to is not None:  # a copy
        return wrapped
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


def is_crossing(tensor, device):
    return device is not None and tensor.is_cpu == (torch.device(device).type != "cpu")


def waits_for(index):
    """Whether a selection has to count what is true, or to fetch its index."""
    return index is not None and (index.is_cpu or index.dtype in MASKS)


def note(func):
    """Remember an operation that waits, and who asked for it."""
    if PretendCuda.waits is None:
        return
    frames = [
        f"{frame.filename.rsplit('mlmi_sklearn/', 1)[-1]}:{frame.lineno}"
        for frame in traceback.extract_stack()
        if "/mlmi_sklearn/" in frame.filename and "/tests/" not in frame.filename
    ]
    PretendCuda.waits.append(f"{func} from {' < '.join(frames[:-4:-1])}")


class PretendGenerator(torch.Generator):
    """A generator on the CPU that is taken for one on CUDA."""

    device = property(lambda self: CUDA)

    def __new__(cls, device="cpu"):
        kind = cls if torch.device(device).type == "cuda" else REAL_GENERATOR
        return REAL_GENERATOR.__new__(kind, "cpu")


REAL_GENERATOR = torch.Generator


class PretendDevice(nullcontext):
    """Stands for ``torch.cuda.device``, which PyTorch asks for as a type as well."""


class Factories(TorchDispatchMode):
    """Make tensors that are asked for on CUDA pretend, and move to it as well."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        to = kwargs.get("device")
        # Within PyTorch itself the pretended device goes by its real name.
        if to is not None and torch.device(to).type in ("cuda", "meta"):
            return dispatch(func, args, kwargs)
        return func(*args, **kwargs)


@contextmanager
def pretend_cuda():
    """Let tensors be made on and moved to a CUDA device that is not there.

    Yields
    ------
    list of str
        Grows by a line for each operation that makes the processor wait.
    """
    waits = PretendCuda.waits = []
    replaced = {
        "cuda._lazy_init": lambda: None,
        "cuda.mem_get_info": lambda device=None: (2**34, 2**34),
        "cuda.device": PretendDevice,
        "cuda.manual_seed_all": lambda seed: None,
        "cuda.get_device_capability": lambda device=None: (9, 0),
        "cuda.manual_seed": lambda seed: None,
        "cuda.get_rng_state": lambda device=None: None,
        "cuda.set_rng_state": lambda state, device=None: None,
        "Generator": PretendGenerator,
        "inference_mode": torch.no_grad,  # knows no tensors of another kind
    }
    with ExitStack() as stack:
        for name, value in replaced.items():
            stack.enter_context(mock.patch(f"torch.{name}", value))
        stack.enter_context(Factories())
        stack.callback(setattr, PretendCuda, "waits", None)
        yield waits
