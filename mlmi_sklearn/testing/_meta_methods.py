"""Checks of methods of gradient-based meta-learning."""

from __future__ import annotations

import pickle
from typing import Any

import torch

from ..nn.backbones import MLP
from ..nn.losses import CrossEntropy
from ..nn.tasks import Episode, MetaMethod, MetaModel, Support
from ._core import require
from ._subjects import Subject
from ._tensors import require_close, require_finite, seeded

__all__ = ["META_METHOD_CHECKS", "MetaMethodSubject"]

_SHAPE, _CLASSES = (4,), 3
_NAMES = ("backbone.0.weight", "backbone.0.bias", "head.weight", "head.bias")


class MetaMethodSubject(Subject):
    """A method, and a small model that learns by it."""

    def method(self) -> MetaMethod:
        """Build the method."""
        method = self.build()
        require(
            isinstance(method, MetaMethod),
            f"its factory returned a {type(method).__name__}.",
            "Return a mlmi_sklearn.nn.tasks.MetaMethod, or an instance of a subclass.",
        )
        return method

    def gradients(self, engine: str) -> dict[str, torch.Tensor]:
        """Return the gradient of the outer loop after two inner steps."""
        with seeded(0):
            model = MetaModel(
                MLP(_SHAPE, hidden=(5,)),
                _CLASSES,
                self.method(),
                steps=2,
                engine=engine,
            ).double()
        episode = Episode(_rows(1), _rows(2), _CLASSES)
        with seeded(3):
            result = model.episode(episode, CrossEntropy())
        require_finite(result.losses, "the loss of an episode", "Look at the rates.")
        result.objective.sum().backward()
        named = model.named_parameters()
        return {name: p.grad for name, p in named if p.grad is not None}


def check_is_a_method(subject: MetaMethodSubject) -> None:
    """The factory builds a MetaMethod, the same one every time."""
    first, second = subject.method(), subject.method()
    require(
        first == second,
        f"built twice, it is {first!r} and {second!r}, which are not equal.",
        "Make it a frozen dataclass, or define __eq__ by what it was built with.",
    )


def check_changes(subject: MetaMethodSubject) -> None:
    """changes(name) says by True or False what moves, and something does."""
    method = subject.method()
    found: dict[str, Any] = {name: method.changes(name) for name in _NAMES}
    for name, answer in found.items():
        require(
            isinstance(answer, bool),
            f"changes({name!r}) is {answer!r}.",
            "Return True or False.",
        )
    require(
        any(found.values()),
        f"it changes none of {list(_NAMES)}.",
        "Names of parameters begin with 'backbone.' or 'head.'.",
    )


def check_pickle_of_method(subject: MetaMethodSubject) -> None:
    """A pickled copy is equal to it."""
    method = subject.method()
    again = pickle.loads(pickle.dumps(method))
    require(
        again == method,
        f"it is {method!r}, and {again!r} after pickling.",
        "Keep its settings in fields; use functions of a module, not lambdas.",
    )


def check_episode(subject: MetaMethodSubject) -> None:
    """An episode has a finite gradient, the same for all tasks at once as for each."""
    together, alone = subject.gradients("vmap"), subject.gradients("loop")
    require(
        together,
        "no gradient reaches any parameter.",
        "Let the inner loop change something, or learn from the query.",
    )
    remedy = "Let changes and second_order depend on nothing but the name."
    for name, gradient in together.items():
        require_finite(gradient, f"the gradient of {name!r}", "Look at the rates.")
        what = f"the gradient of {name!r} for three tasks at once and one by one differ"
        require_close(gradient, alone[name], what, remedy, 1e-9)


def _rows(seed: int) -> Support:
    with seeded(seed):
        x = torch.randn(3, 6, *_SHAPE, dtype=torch.float64)
    return Support(x, torch.arange(6).remainder(_CLASSES).expand(3, 6))


META_METHOD_CHECKS = [
    check_is_a_method,
    check_changes,
    check_pickle_of_method,
    check_episode,
]
