"""The rows: what races against what, for how long."""

from __future__ import annotations

import copy
import dataclasses
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from suite import Case, Remote, case, largest_difference, remote_python
from suite.timing import in_turns

from .loops import LR, Losses, Rule, in_clones, one_by_one, prototypes, together
from .training import Race, characters, sinusoid, vectors

LEARN2LEARN = "no wheel for this Python, and its source does not build on 3.11"


def race(task: Race, kind: str, shape: dict[str, int], most_rounds: int = 100) -> Case:
    """Return a race of whole fits.

    ``kind`` and ``shape`` say to the peer, which imports nothing of ours, what to
    train.
    """
    contenders: dict[str, Callable[[], object]] = {
        "ours": task.fit,
        "limit": task.by_hand,
    }
    if task.losses is together:
        contenders["loop over tasks"] = lambda: task.by_hand(one_by_one)
    elif task.losses is not prototypes:
        contenders["vmap"] = lambda: task.by_hand(together)
    peer, agree = None, task.agree
    absent = {"learn2learn": LEARN2LEARN}
    if task.losses is not prototypes and not task.rule.first_order:
        arguments = {
            "kind": kind,
            "steps": task.rule.steps,
            "rate": task.rule.rate,
            "lr": LR,
            "outer": task.steps,
            **shape,
        }
        python = remote_python("torchopt")
        peer = Remote(python, "torchopt_maml", "training", **arguments)
        contenders["TorchOpt"] = peer

        def agree() -> str:
            return f"{task.agree()}; {_peer_agrees(task, python, arguments)}"

    return Case(contenders, agree, "step", task.steps, absent, 1 / 3, most_rounds)


def _peer_agrees(task: Race, python: Path, arguments: dict[str, Any]) -> str:
    """Compare the gradient of the peer with that of the raw loop on the same tasks."""
    net, _, drawn = task.start()
    net = copy.deepcopy(net)
    task.losses(net, drawn[0], task.rule).backward()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.pt"
        tensors = [p.detach() for p in net.parameters()], list(drawn[0])
        torch.save(tensors, path)
        peer = Remote(python, "torchopt_maml", "gradient", path=str(path), **arguments)
        if peer.missing():
            return f"TorchOpt: {peer.missing()}"
        try:
            peer()
        finally:
            peer.close()
        theirs = torch.load(path)
    apart = largest_difference([p.grad for p in net.parameters()], theirs)
    largest = max(float(p.grad.abs().max()) for p in net.parameters())
    if not apart < 1e-7 * largest:
        raise AssertionError(f"gradients of TorchOpt differ by {apart:.1e}")
    return f"gradients of TorchOpt differ by {apart / largest:.0e} of the largest"


def of_sinusoid(inner: int, outer: int) -> Case:
    task = sinusoid(Rule(inner, 0.01), outer)
    return race(task, "sinusoid", {"size": 25, "n_way": 1, "n_shot": 10})


@case("meta_learning", "MAML, sinusoid, MLP, 1 inner step")
def sinusoid_1() -> Case:
    return of_sinusoid(1, 60)


@case("meta_learning", "MAML, sinusoid, MLP, 5 inner steps")
def sinusoid_5() -> Case:
    return of_sinusoid(5, 20)


@case("meta_learning", "MAML, sinusoid, MLP, 10 inner steps")
def sinusoid_10() -> Case:
    return of_sinusoid(10, 20)


@case("meta_learning", "first-order MAML, sinusoid, MLP, 5 inner steps")
def sinusoid_first_order() -> Case:
    task = sinusoid(Rule(5, 0.01, first_order=True), 40)
    return race(task, "sinusoid", {"size": 25, "n_way": 1, "n_shot": 10})


@case("meta_learning", "MAML, vectors, MLP, 5-way, 5 inner steps")
def vectors_5() -> Case:
    task = vectors(Rule(5, 0.1), 5, 20)
    return race(task, "vectors", {"size": 16, "n_way": 5, "n_shot": 5})


def of_characters(
    n_way: int, inner: int, outer: int, size: int = 4, first_order: bool = False
) -> Case:
    """Return a race of some steps, where a real training takes thousands.

    What an estimator does once a fit counts for more here than it ever will.
    """
    rule = Rule(inner, 0.4, first_order)
    task = characters(rule, n_way, outer, size)
    task.losses = quicker(task, {"one_by_one": one_by_one, "in_clones": in_clones})
    shape = {"size": size, "n_way": n_way, "n_shot": 1}
    return race(task, "characters", shape, most_rounds=3)


def quicker(task: Race, ways: dict[str, Losses]) -> Losses:
    """Return the way of a raw loop over tasks that takes less time here."""
    short = dataclasses.replace(task, steps=1)
    runs = {name: partial(short.by_hand, losses) for name, losses in ways.items()}
    clock = "cpu" if torch.get_num_threads() == 1 else "wall"
    seconds = in_turns(runs, 3, clock)
    return ways[min(seconds, key=lambda name: min(seconds[name]))]


@case("meta_learning", "MAML, conv4, 5-way, 1 inner step", threads=(1,))
def characters_5_1() -> Case:
    return of_characters(5, 1, 16)


@case("meta_learning", "MAML, conv4, 5-way, 5 inner steps", threads=(1,))
def characters_5_5() -> Case:
    return of_characters(5, 5, 5)


@case("meta_learning", "MAML, conv4, 5-way, 10 inner steps", threads=(1,))
def characters_5_10() -> Case:
    return of_characters(5, 10, 3)


@case("meta_learning", "MAML, conv4, 20-way, 1 inner step", threads=(1,))
def characters_20_1() -> Case:
    return of_characters(20, 1, 8, 2)


@case("meta_learning", "first-order MAML, conv4, 5-way, 5 inner steps", threads=(1,))
def characters_first_order() -> Case:
    return of_characters(5, 5, 8, first_order=True)


@case("meta_learning", "ProtoNet, conv4, 20-way")
def prototypes_20() -> Case:
    # One task a step, as is usual: batch statistics are those of the step.
    task = characters(Rule(0, 0.0), 20, 12, 1, prototypes)
    return race(task, "characters", {"size": 1, "n_way": 20, "n_shot": 1}, 5)
