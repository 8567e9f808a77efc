"""Training of a head alone, on features that stay as they are."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ..base.parts import Recipe
from ..nn.transfer import SphereHead, unit_rows
from ..training.backward import RowGradients, run_backward
from ..training.losslog import weighted_mean
from ..training.stepping import Stepper

__all__ = ["build_head", "clear_head", "imprint_classes", "train_head", "twin_net"]


def build_head(width: int, recipe: Recipe) -> nn.Module:
    """Return the head that a recipe asks for.

    Parameters
    ----------
    width : int
        Of the features.
    recipe : Recipe
        Its options say which head; it is drawn from PyTorch's generator.

    Returns
    -------
    nn.Module
        The head.
    """
    if recipe.options["head"] == "linear":
        return nn.Linear(width, recipe.n_outputs)
    return SphereHead(width, recipe.n_outputs, recipe.options["cosine_scale"])


def clear_head(head: nn.Module) -> None:
    """Set the weights of a new head to zero.

    Random weights for directions in which the few rows do not differ would never be
    unlearned, and would be noise in every prediction.

    Parameters
    ----------
    head : nn.Module
        Changed in place.
    """
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()


def imprint_classes(
    head: SphereHead, features: Tensor, y: Tensor, weight: Tensor | None
) -> None:
    """Put the prototypes of a head in the middle of their classes.

    Parameters
    ----------
    head : SphereHead
        Changed in place.
    features : Tensor of shape (n, D)
        Features of labelled rows.
    y : Tensor of shape (n,) or (n, n_labels)
        Codes of classes, or label indicators.
    weight : Tensor of shape (n,) or None
        Weights of rows.
    """
    if y.ndim == 1:
        codes = y.to(torch.int64)
        members = nn.functional.one_hot(codes, len(head.weight)).to(features.dtype)
    else:
        members = y.to(features.dtype)
    if weight is not None:
        members = members * weight.to(members.dtype)[:, None]
    head.imprint(features, members)


def train_head(
    net: Any, features: Tensor, y: Tensor, weight: Tensor | None, steps: int
) -> list[float]:
    """Do steps of the optimiser on all rows at once, with the head of a net.

    The same steps as :class:`~.fine_tuning_net.TransferNet` does where one batch holds
    all rows, without its bookkeeping, which for a handful of rows costs several times
    the arithmetic.

    Parameters
    ----------
    net : TransferNet
        Its ``optimizer_`` holds the weights of the head.
    features : Tensor of shape (n, D)
        What the backbone makes of the rows.
    y : Tensor
        Encoded targets.
    weight : Tensor of shape (n,) or None
        Weights of rows.
    steps : int
        Steps, at least 0.

    Returns
    -------
    list of float
        Loss before each step.
    """
    head, criterion = net.module_.head.train(), net.criterion_
    score = head
    if isinstance(head, SphereHead):  # then lengths need be taken once only
        features, score = unit_rows(features), head.scores
    parameters = [p for group in net.optimizer_.param_groups for p in group["params"]]
    gradients, stepper, seen = RowGradients(), Stepper(net.optimizer_), []
    stepper.begin()
    for step in range(steps):
        if net.schedule is not None:
            net._set_rates(net.schedule(step / steps))
        for parameter in parameters:
            parameter.grad = None
        losses = criterion(score(features), y)
        run_backward(losses, gradients(losses, weight))
        stepper.step()
        seen.append(losses.detach())
    stepper.end()
    head.eval()
    if not seen:
        return []
    return torch.stack([weighted_mean(s, weight) for s in seen]).tolist()


def twin_net(net: Any, module: Any, options: dict[str, Any]) -> Any:
    """Return a net like another around a new module, with an optimiser of its head.

    Building one from scratch takes longer than fine-tuning a head on a few rows.

    Parameters
    ----------
    net : TransferNet
        Initialised; left as it is.
    module : TransferModule
        On the device of ``net``; only its head is trained.
    options : dict
        Attributes to set: ``optimizer``, ``lr``, ``schedule``, ``criterion_``,
        ``optimizer_options``, ``max_epochs``.

    Returns
    -------
    TransferNet
        The new net.
    """
    new = object.__new__(type(net))
    vars(new).update(vars(net))
    keywords = options.pop("optimizer_options")
    vars(new).update(options, module=module, module_=module)
    vars(new)["history"] = type(net.history)()
    vars(new)["callbacks_"] = copy.copy(net.callbacks_)
    head = list(module.head.parameters())
    new.optimizer_ = new.optimizer(head, lr=new.lr, **keywords)
    new.base_rates_ = [group["lr"] for group in new.optimizer_.param_groups]
    return new
