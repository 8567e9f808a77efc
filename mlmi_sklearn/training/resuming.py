"""What a training that is to go on after a crash must know: all that changes in it.

:func:`capture` makes a tree of it between two epochs, of tensors and plain values;
:func:`restore` puts it into a net that was prepared in the same way. What is derived
from the parameters of the estimator and the data is not in the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "Resumable",
    "StateError",
    "capture",
    "restore",
    "restore_training",
    "training_state",
]

_PLAIN = (bool, int, float, str, type(None), np.generic, np.ndarray)


class StateError(TypeError):
    """An object of which is not known what changes in it."""


class Resumable:
    """A net that can take up a training where an earlier process left it.

    Attributes
    ----------
    saved_ : dict or None
        State to begin the first epoch from.
    borrows_generator_ : bool
        Whether the training draws from PyTorch's global generators.
    """

    #: Attributes that change in training. A subclass adds its own.
    changes: ClassVar[tuple[str, ...]] = (
        "module_",
        "criterion_",
        "optimizer_",
        "generator",
        "scaler_",
        "best_losses_",
        "steps_done_",
    )
    saved_: dict[str, Any] | None = None
    borrows_generator_: bool = False

    def on_epoch_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Take up what was saved, now that everything is there to be written to."""
        if self.saved_ is not None:
            state, self.saved_ = self.saved_, None
            self.take_up(state)
        super().on_epoch_begin(net, *args, **kwargs)  # type: ignore[misc]

    def take_up(self, state: dict[str, Any]) -> None:
        """Continue from where another process was.

        Parameters
        ----------
        state : dict
            What ``training_state`` returned.
        """
        restore_training(self, state)


def capture(value: Any, name: str = "") -> Any:
    """Return what changes in an object, as a tree of tensors and plain values.

    Parameters
    ----------
    value : object
        A module, an optimiser, a generator of random numbers, a scaler, a tensor,
        containers of such, or an object with ``training_state`` or ``state_dict``.
    name : str
        What to call it in an error.

    Returns
    -------
    object
        Tensors are copies, on the CPU.

    Raises
    ------
    StateError
        If the object is of another kind.

    Examples
    --------
    >>> capture([1, torch.zeros(2)])
    [1, tensor([0., 0.])]
    """
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, nn.Module):
        return _of_module(value, name)
    if isinstance(value, torch.Generator):
        return value.get_state()
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, dict):
        return {k: capture(v, f"{name}[{k!r}]") for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(capture(v, name) for v in value)
    if isinstance(value, _PLAIN):
        return value
    if hasattr(value, "training_state"):
        return value.training_state()
    if hasattr(value, "state_dict"):
        return capture(value.state_dict(), name)
    raise StateError(f"{name} is a {type(value).__name__}")


def restore(value: Any, state: Any) -> Any:
    """Put a captured state into an object, in place where it has a place.

    Parameters
    ----------
    value : object
        Of the kind that was captured.
    state : object
        What :func:`capture` returned.

    Returns
    -------
    object
        The object, or the value to be set in its stead.

    Examples
    --------
    >>> one, other = torch.Generator().manual_seed(1), torch.Generator()
    >>> restore(other, capture(one)).initial_seed()
    1
    """
    if isinstance(value, nn.Module):
        _into_module(value, state)
    elif isinstance(value, torch.Generator):
        value.set_state(state)
    elif isinstance(value, np.random.Generator):
        value.bit_generator.state = state
    elif isinstance(value, Tensor):
        return state.to(value.device)
    elif isinstance(value, dict):
        return {k: restore(value.get(k), v) for k, v in state.items()}
    elif isinstance(value, (*_PLAIN, list, tuple)):
        return state
    elif hasattr(value, "load_training_state"):
        value.load_training_state(state)
    else:
        value.load_state_dict(state)
    return value


def _of_module(module: nn.Module, name: str) -> dict[str, Any]:
    """Return weights and buffers, and what else parts keep between two steps."""
    tensors = {k: capture(t) for k, t in _tensors(module)}
    return {
        "tensors": tensors,
        "others": {k: capture(v, name) for k, v in _others(module)},
    }


def _into_module(module: nn.Module, state: dict[str, Any]) -> None:
    with torch.no_grad():
        for name, tensor in _tensors(module):
            tensor.copy_(state["tensors"][name])
    for name, value in _others(module):
        restore(value, state["others"][name])


def _tensors(module: nn.Module) -> Any:
    yield from module.named_parameters()
    yield from module.named_buffers()  # those too that a state_dict leaves out


def _others(module: nn.Module) -> Any:
    """Yield optimisers and generators that parts have of their own."""
    kinds = (torch.optim.Optimizer, torch.Generator, np.random.Generator)
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            if isinstance(value, kinds):
                yield f"{path}.{name}", value


def training_state(net: Any) -> dict[str, Any]:
    """Return what a training has come to, between two epochs.

    Parameters
    ----------
    net : LeanNet
        In training.

    Returns
    -------
    dict
        A tree of tensors and plain values.

    Raises
    ------
    StateError
        If a callback keeps what cannot be written down.
    """
    state = {name: capture(value, name) for name, value in _changing(net)}
    state["history"] = [dict(row) for row in net.history]
    state["callbacks"] = [_of_callback(callback) for _, callback in net.callbacks_]
    if net.borrows_generator_:
        state["noise"] = _noise_state(net)
    return state


def restore_training(net: Any, state: dict[str, Any]) -> None:
    """Put a state into a net that is about to begin its first epoch.

    Parameters
    ----------
    net : LeanNet
        Prepared as that of the state was.
    state : dict
        From :func:`training_state`.
    """
    for name, value in list(_changing(net)):
        setattr(net, name, restore(value, state[name]))
    net.history.extend(state["history"])
    pairs = zip(net.callbacks_, state["callbacks"], strict=True)
    for (_, callback), kept in pairs:
        if hasattr(callback, "load_training_state"):
            callback.load_training_state(kept)
            continue
        for name, value in kept.items():
            setattr(callback, name, restore(getattr(callback, name, None), value))
    if "noise" in state:
        _restore_noise(net, state["noise"])


def _changing(net: Any) -> Iterator[tuple[str, Any]]:
    """Yield what changes in a net; a loss that is no module does not."""
    for name in net.changes:
        value = getattr(net, name, None)
        if name != "criterion_" or isinstance(value, nn.Module):
            yield name, value


def _of_callback(callback: Any) -> Any:
    """Return what a callback has noted: its fitted attributes, by their names."""
    if hasattr(callback, "training_state"):
        return callback.training_state()
    kind = type(callback).__name__
    noted = {
        name: value
        for name, value in vars(callback).items()
        if name.endswith("_")
        and not name.startswith("_")
        # Neither a class nor a function changes.
        and not isinstance(value, (type, FunctionType))
    }
    return {k: capture(v, f"{kind}.{k}") for k, v in noted.items()}


def _noise_state(net: Any) -> list[Any]:
    """Return the states of PyTorch's global generators, which the fit has borrowed."""
    device = torch.device(net.device)
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states


def _restore_noise(net: Any, states: list[Any]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1], torch.device(net.device))
