"""Try a plugin's part out when it is built, so that a wrong shape names the plugin.

Parts that come with the package are tested; of a part that somebody else has written, a
wrong shape would otherwise show much later, as an error deep inside PyTorch or not at
all, since tensors of other shapes broadcast. A trial feeds a tiny batch to the part and
compares the shape of the result with the contract of its kind. Each part is tried once
for each set of parameters and sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..components import Component
from .segments import Segments

__all__ = ["try_out"]

_PASSED: set[tuple[str, ...]] = set()

_SHAPES = {"vector": (20,), "image": (1, 16, 16), "volume": (1, 8, 8, 8)}
_LINKS = ("softmax", "sigmoid", "identity")


def try_out(part: Component, built: Any, sizes: tuple[Any, ...] = ()) -> Any:
    """Make sure that a part of a plugin returns what its kind promises.

    Parameters
    ----------
    part : Component
        What was built; nothing is tried unless a plugin registered it.
    built : object
        What its factory returned.
    sizes : tuple, default=()
        What the factory was given first, such as the shape of a sample.

    Returns
    -------
    object
        `built`, as it was.

    Raises
    ------
    PluginError
        If a result has another shape than it should; distribution, part, both shapes
        and what to do are named.
    ValueError
        What the part itself says about its input.

    Examples
    --------
    >>> from mlmi_sklearn.components import Component
    >>> from mlmi_sklearn.nn.trials import try_out
    >>> class Narrow(torch.nn.Flatten):
    ...     out_features = 5
    >>> try_out(Component("backbone", "narrow", Narrow, dist="x"), Narrow(), ((4,),))
    Traceback (most recent call last):
    mlmi_sklearn.exceptions.PluginError: distribution 'x', backbone 'narrow': 2 samples
    of shape (4,) became a tensor of shape (2, 4), where a tensor of shape (2, 5) is
    due, since out_features is 5. `mlmi-sklearn plugins check x` tells more. ...
    """
    trial = _TRIALS.get(part.kind)
    key = (part.kind, part.qualified_name, part.version, f"{sizes} {_settings(built)}")
    if trial is None or not part.third_party or key in _PASSED:
        return built
    training = getattr(built, "training", False)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            if isinstance(built, nn.Module):
                built.eval()
            fault = next(trial(built, *sizes), None)
    # What a part says about its arguments is meant for its user.
    except (ValueError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise part._failure("failed on its first, tiny batch", error) from error
    finally:
        if isinstance(built, nn.Module):
            built.train(training)
    if fault is not None:
        raise part._failure(
            f"{fault}. `mlmi-sklearn plugins check {part.dist}` tells more"
        )
    _PASSED.add(key)
    return built


def _settings(built: Any) -> str:
    """Return what distinguishes two parts of one name: layers and settings."""
    return repr(built)[:2000]


def _backbone(built: Any, shape: tuple[int, ...], *_: Any) -> Iterator[str]:
    if not isinstance(built, nn.Module):
        yield f"its factory returned a {_shape(built)}, where a torch.nn.Module is due"
    width = getattr(built, "out_features", None)
    if not isinstance(width, int):
        yield f"its attribute out_features is {width!r}, where an int is due"
    output = built(_like(built, 2, *shape))
    yield from _compare(
        f"2 samples of shape {tuple(shape)} became",
        output,
        (2, width),
        f", since out_features is {width}",
    )


def _pooling(built: Any, width: int, *_: Any) -> Iterator[str]:
    # Those that use coordinates and the like are right to ask for them.
    if not isinstance(built, nn.Module) or getattr(built, "uses", None):
        return
    output = built(_like(built, 3, width), Segments(torch.tensor([2, 1])))
    what = f"two bags of two and one instances with {width} columns became"
    if not (isinstance(output, tuple) and len(output) == 2):
        yield f"{what} a {_shape(output)}, where a pair (pooled, weights) is due"
    columns = getattr(built, "out_features", None)
    yield from _compare(
        f"{what} pooled,", output[0], (2, columns), f", since out_features is {columns}"
    )
    yield from _compare(f"{what} weights,", output[1], (3,))


def _divergence(built: Any, width: int, *_: Any) -> Iterator[str]:
    zs, zt = _like(built, 3, width), _like(built, 2, width)
    zs[0], zt[0] = 1, -1
    yield from _compare(f"3 and 2 rows of {width} features became", built(zs, zt), ())


def _loss(built: Any, *_: Any) -> Iterator[str]:
    link = getattr(built, "link", None)
    if link not in _LINKS:
        yield f"its attribute link is {link!r}, where one of {_LINKS} is due"
    columns = int(getattr(built, "outputs_per_target", 1))
    rows = torch.arange(4)
    cases: list[tuple[int, Tensor]] = [(columns, torch.zeros(4))]
    if link != "identity":
        cases = [(3, rows % 3), (1, rows % 2)]
    for k, target in cases:
        try:
            found = built(torch.zeros(4, k), target)
        # It may be meant for a certain number of classes, which is not known here.
        except Exception:
            continue
        yield from _compare(
            f"scores of shape (4, {k}) and 4 targets became",
            found,
            (4,),
            ": one value a sample, not reduced",
        )


def _adversarial(built: Any, *_: Any) -> Iterator[str]:
    real, fake = torch.ones(3, 1), -torch.ones(3, 1)
    for name, scores in (("discriminator", (real, fake)), ("generator", (fake,))):
        method = getattr(built, name, None)
        if not callable(method):
            yield f"it has no method {name}"
            return
        yield from _compare(f"{name} made of 3 scores", method(*scores), ())


def _augmentation(built: Any, takes: str | tuple[str, ...], *_: Any) -> Iterator[str]:
    for kind in (takes,) if isinstance(takes, str) else takes:
        batch = torch.zeros(2, *_SHAPES.get(kind, _SHAPES["image"]))
        try:
            found = built(batch, torch.Generator().manual_seed(0))
        # It may want several channels, say, which the real batch has.
        except Exception:
            continue
        yield from _compare(
            f"a batch of shape {tuple(batch.shape)} became", found, tuple(batch.shape)
        )


def _generator(
    built: Any, latent: int, shape: tuple[int, ...], vector: int, maps: int
) -> Iterator[str]:
    if not isinstance(built, nn.Module):
        yield f"its factory returned a {_shape(built)}, where a torch.nn.Module is due"
    z = _like(built, 2, latent + int(getattr(built, "noise_features", 0)))
    given = (
        _like(built, 2, vector) if vector else None,
        _like(built, 2, maps, *shape[1:]) if maps else None,
    )
    what = f"2 rows for samples of shape {tuple(shape)} became"
    yield from _compare(what, built(z, *given), (2, *shape))


def _compare(
    what: str, found: Any, expected: tuple[Any, ...], why: str = ""
) -> Iterator[str]:
    """Yield a sentence if a result is no tensor of the expected shape."""
    if isinstance(found, Tensor) and tuple(found.shape) == expected:
        return
    due = f"a tensor of shape {expected}" if expected else "a scalar tensor"
    yield f"{what} a {_shape(found)}, where {due} is due{why}"


def _shape(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"tensor of shape {tuple(value.shape)}"
    return type(value).__name__


def _like(built: Any, *shape: int) -> Tensor:
    """Return zeros of the type and device of a module's parameters."""
    found = built.parameters() if isinstance(built, nn.Module) else iter(())
    like = next((p for p in found if p.is_floating_point()), torch.empty(0))
    return torch.zeros(*shape, dtype=like.dtype, device=like.device)


_TRIALS: dict[str, Callable[..., Iterator[str]]] = {
    "backbone": _backbone,
    "pooling": _pooling,
    "divergence": _divergence,
    "loss": _loss,
    "adversarial-loss": _adversarial,
    "generator": _generator,
    "augmentation": _augmentation,
}
