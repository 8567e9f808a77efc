"""Convolutional nets of many tasks, written out: the channels of all tasks in one map.

The maps of T tasks with C channels are one map of T C channels. A convolution of every
task with weights of its own is then one in T groups, and pooling and normalisation,
which look at one channel at a time, need not know of tasks at all. That takes fewer and
faster kernels than vmap, whose batching rules have to do without fused ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ..backbones._layers import GlobalAverage
from .chains import POINTWISE, linear, pixel_by_pixel, plain_chain
from .map_norm import normalise_maps
from .norms import TaskNorm

__all__ = ["plan_maps"]

Params = Mapping[str, Tensor]
Step = Callable[[Params, Tensor, int], Tensor]

_CONVS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv1d: functional.conv1d,
    nn.Conv2d: functional.conv2d,
    nn.Conv3d: functional.conv3d,
}
_POOLS = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
)
_ENDS = (nn.Flatten, GlobalAverage)


def plan_maps(module: nn.Module) -> list[Step] | None:
    """Return what computes the features of a convolutional net, step by step.

    Parameters
    ----------
    module : nn.Module
        The net.

    Returns
    -------
    list of callable or None
        Each maps weights (T, ...), the present (T, N, ...) or (N, T C, ...), and T;
        None for a net that is no chain of convolutions and layers that go with them.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten())
    >>> len(plan_maps(net)), plan_maps(nn.Sequential(nn.LSTM(2, 2)))
    (5, None)
    """
    chain = plain_chain(module)
    if chain is None:
        return None
    chain = _pooled_first(chain)
    first = next((i for i, (_, m) in enumerate(chain) if type(m) in _CONVS), None)
    last = next((i for i, (_, m) in enumerate(chain) if type(m) in _ENDS), None)
    if first is None or last is None or last < first:
        return None
    steps = [
        *map(_before, chain[:first]),
        _together,
        *map(_on_maps, chain[first:last]),
        _end(chain[last][1]),
        _apart,
        *map(_after, chain[last + 1 :]),
    ]
    known = [step for step in steps if step is not None]
    return known if len(known) == len(steps) else None


def _pooled_first(chain: list[tuple[str, nn.Module]]) -> list[tuple[str, nn.Module]]:
    """Pool before a ReLU: the same values and slopes from a quarter of the work."""
    found = list(chain)
    for i in range(len(found) - 1):
        pools = type(found[i + 1][1]) in (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
        if pools and type(found[i][1]) is nn.ReLU:
            found[i], found[i + 1] = found[i + 1], found[i]
    return found


# -- before the maps of the tasks are put together, and after --------------------------


def _before(named: tuple[str, nn.Module]) -> Step | None:
    layer = named[1]
    if type(layer) not in (nn.Unflatten, nn.Identity, *POINTWISE):
        return None
    return lambda weights, x, n: layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def _after(named: tuple[str, nn.Module]) -> Step | None:
    name, layer = named
    if type(layer) is nn.Linear:
        return lambda weights, x, n: linear(weights, name, x)
    return _by_itself(layer) if type(layer) in POINTWISE else None


def _together(weights: Params, x: Tensor, n_tasks: int) -> Tensor:
    """(T, N, C, ...) to (N, T C, ...)."""
    return pixel_by_pixel(x.transpose(0, 1).flatten(1, 2))


def _apart(weights: Params, x: Tensor, n_tasks: int) -> Tensor:
    """(N, T D) to (T, N, D)."""
    return x.unflatten(1, (n_tasks, -1)).transpose(0, 1)


# -- maps ------------------------------------------------------------------------------


def _on_maps(named: tuple[str, nn.Module]) -> Step | None:
    name, layer = named
    if type(layer) in _CONVS:
        return _conv(name, layer)
    if isinstance(layer, TaskNorm):
        return _norm(name, layer)
    if type(layer) is nn.GroupNorm:
        return _group_norm(name, layer)
    return _by_itself(layer) if type(layer) in (*_POOLS, *POINTWISE) else None


def _by_itself(layer: nn.Module) -> Step:
    return lambda weights, x, n: layer(x)


def _conv(name: str, layer: Any) -> Step | None:
    if layer.padding_mode != "zeros":
        return None
    convolve = _CONVS[type(layer)]
    options = {"stride": layer.stride, "padding": layer.padding}

    def step(weights: Params, x: Tensor, n_tasks: int) -> Tensor:
        return convolve(
            x,
            weights[f"{name}weight"].flatten(0, 1),
            _joined(weights, f"{name}bias"),
            dilation=layer.dilation,
            groups=n_tasks * layer.groups,
            **options,
        )

    return step


def _norm(name: str, layer: TaskNorm) -> Step:
    def step(weights: Params, x: Tensor, n_tasks: int) -> Tensor:
        scale, shift = (
            None if value is None else layer.now(value, 1).flatten()
            for value in (weights.get(f"{name}weight"), weights.get(f"{name}bias"))
        )
        if layer.is_frozen:
            known = (layer.running_mean, layer.running_var)
            mean, variance = (value.repeat(n_tasks) for value in known)
            return functional.batch_norm(x, mean, variance, scale, shift, eps=layer.eps)
        return normalise_maps(x, scale, shift, layer.eps)

    return step


def _group_norm(name: str, layer: Any) -> Step:
    def step(weights: Params, x: Tensor, n_tasks: int) -> Tensor:
        scale, shift = (_joined(weights, f"{name}{k}") for k in ("weight", "bias"))
        groups = n_tasks * layer.num_groups
        return functional.group_norm(x, groups, scale, shift, layer.eps)

    return step


def _end(layer: nn.Module) -> Step | None:
    if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) != (1, -1):
        return None
    return _by_itself(layer)


def _joined(weights: Params, name: str) -> Tensor | None:
    values = weights.get(name)
    return None if values is None else values.flatten(0, 1)
