"""Seeds that belong to one fit.

PyTorch draws initial weights and dropout masks from one generator of the whole
process. A fit must neither disturb it nor be disturbed through it: not by code of
the user, and not by another fit in another thread. So a fit borrows the generator
under a lock, with its own seed, and puts back what it found.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from .foreign import is_foreign

__all__ = [
    "borrowed_generator",
    "draws_random_numbers",
    "generator_on_cpu",
    "seed_generators",
]

_LOCK = threading.RLock()


def _begin_in_child() -> None:
    """Make a forked process able to fit.

    A lock that another thread held at that moment would stay locked for ever, and the
    threads of OpenMP that PyTorch had started are not there, yet waited for.
    """
    global _LOCK
    _LOCK = threading.RLock()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)


@contextmanager
def borrowed_generator(seed: int, device: torch.device) -> Iterator[None]:
    """Run a block with PyTorch's global generators seeded, then restore them.

    Parameters
    ----------
    seed : int
        Seed of the block.
    device : torch.device
        The accelerator whose generator is used too, if it is one.

    Yields
    ------
    None
        Inside the block the generators are those of the seed.

    Examples
    --------
    >>> import torch
    >>> before = torch.get_rng_state()
    >>> with borrowed_generator(0, torch.device("cpu")):
    ...     first = torch.rand(1).item()
    >>> with borrowed_generator(0, torch.device("cpu")):
    ...     first == torch.rand(1).item()
    True
    >>> bool((torch.get_rng_state() == before).all())
    True
    """
    on_accelerator = device.type not in ("cpu", "meta")
    devices = [device] if on_accelerator else []
    kind = device.type if on_accelerator else "cuda"
    with _LOCK, torch.random.fork_rng(devices=devices, device_type=kind):
        seed_generators(seed, device)
        yield


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed PyTorch's global generators, that of ``device`` among them."""
    # Not torch.manual_seed: it would reseed accelerators this fit does not use.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def generator_on_cpu(seed: int) -> torch.Generator:
    """Return a private generator, for the order of the batches.

    Parameters
    ----------
    seed : int
        Its seed.

    Returns
    -------
    torch.Generator
        On the CPU, so that the order does not depend on the device.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.training import generator_on_cpu
    >>> generator_on_cpu(7).initial_seed()
    7
    """
    generator = torch.Generator(device="cpu")
    generator.manual_seed(seed)
    return generator


def draws_random_numbers(module: nn.Module) -> bool:
    """Whether a forward pass in training may use the global generator.

    Errs on the side of yes: a module from elsewhere may call ``F.dropout`` without
    any sub-module to show for it, and then threads must take turns.

    Parameters
    ----------
    module : nn.Module
        The model about to be trained.

    Examples
    --------
    >>> from torch import nn
    >>> draws_random_numbers(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    False
    >>> draws_random_numbers(nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5)))
    True
    """
    return any(_is_random(m) for m in module.modules())


def _is_random(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    if isinstance(module, nn.MultiheadAttention):
        return module.dropout > 0
    if getattr(module, "draws_random_numbers", False):
        return True
    return is_foreign(module) or isinstance(module, nn.RReLU)
