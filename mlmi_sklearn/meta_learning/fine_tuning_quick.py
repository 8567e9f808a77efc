"""Adaptation of a head on a few rows, without what only a long training needs.

Few-shot evaluation adapts hundreds of times to a handful of rows. With the backbone
frozen that is a small problem, for which building a net anew takes longer than solving
it. What is done here is what ``fit`` would do, on features computed once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ..base.inputs import as_tensor
from ..base.parts import Recipe, resolve_part
from ..base.state import rollback
from ..base.targets import Encoded
from ..nn.transfer import SphereHead, TransferModule
from ..training.batches import writes_to_input
from ..training.optim import optimizer_options, resolve_optimizer, resolve_schedule
from ..training.seeding import borrowed_generator, draws_random_numbers
from .fine_tuning_head import (
    build_head,
    clear_head,
    imprint_classes,
    train_head,
    twin_net,
)
from .freezing import covers_backbone, match_names, read_patterns

__all__ = ["adapt_quickly"]


def adapt_quickly(prior: Any, adapted: Any, X: Any, y: Any) -> bool:
    """Fit an estimator that trains a new head alone, if it is such a one.

    Parameters
    ----------
    prior : FineTuned
        Fitted; left as it is.
    adapted : FineTuned
        Its adaptation, not fitted yet.
    X, y : array-like
        Labelled rows.

    Returns
    -------
    bool
        Whether ``adapted`` is fitted now. If not, it must be done by ``fit``, which
        also finds the words for whatever is wrong.
    """
    adapted._validate_params()
    if not _is_quick(prior, adapted):
        return False
    inputs = prior._read_inputs(X, reset=False)
    targets = adapted._read_targets(y)
    if not 0 < len(inputs) == len(targets) <= adapted.batch_size:
        return False
    encoded = adapted._encode(targets, None)
    weight = encoded.weight
    if weight is not None and not (np.isfinite(weight).all() and weight.min() > 0):
        return False
    with rollback(adapted):
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(prior, name):
                setattr(adapted, name, getattr(prior, name))
        return _fit_head(prior, adapted, inputs, encoded)


def _is_quick(prior: Any, adapted: Any) -> bool:
    """Tell whether a new head is all that is trained, in the plain way."""
    names = [name for name, _ in prior.net_.module_.named_parameters()]
    body = [name for name in names if name.startswith("backbone.")]
    unusual = (
        adapted.keep_head is not False
        or adapted.pretrained is None
        or adapted.backbone != "auto"
        or adapted.unfreeze is not None
        or adapted.early_stopping
        or adapted.callbacks
        or adapted.compile
        or adapted.verbose
        or prior.net_.amp_dtype is not None
        or (adapted.device, adapted.precision) != (prior.device, prior.precision)
        or adapted.dtype != prior._recipe.dtype
        or draws_random_numbers(nn.ModuleList([prior.net_.module_]))
    )
    if unusual or not covers_backbone(adapted.freeze, names):
        return False
    # Patterns that match nothing, or the head: left to the errors of ``fit``.
    try:
        return len(match_names(body, read_patterns(adapted.freeze, ""), "")) > 0
    except (ValueError, TypeError):
        return False


def _fit_head(prior: Any, adapted: Any, inputs: Any, encoded: Encoded) -> bool:
    net, source = prior.net_, prior.net_.module_
    recipe = _recipe_of(prior, adapted, encoded)
    criterion = recipe.parts["loss"].build()
    link = adapted._link_of(criterion, encoded)
    like = next(source.parameters())
    rows = as_tensor(inputs, like.dtype).to(like.device)
    rows = rows.clone() if writes_to_input(source) else rows
    source.eval()
    with torch.no_grad():
        features = source.features(rows)
    with borrowed_generator(adapted.random_state, torch.device("cpu")):
        head = build_head(features.shape[1], recipe).to(like.device, like.dtype)
    y = as_tensor(encoded.y)
    y = (y.to(like.dtype) if y.is_floating_point() else y).to(like.device)
    weight = encoded.weight
    weights = None if weight is None else as_tensor(weight, like.dtype).to(like.device)
    if isinstance(head, SphereHead):
        imprint_classes(head, features, y, weights)
    else:
        clear_head(head)
    # The backbone is shared: nothing trains a net of a fitted estimator in place, and
    # copying it takes longer than training the head.
    module = TransferModule(source.backbone, head, source.scale)
    new = twin_net(net, module, _options_of(adapted, criterion, head))
    steps = adapted.max_epochs if adapted.max_steps is None else adapted.max_steps
    losses = train_head(new, features, y, weights, steps)
    finite = all(bool(torch.isfinite(p).all()) for p in head.parameters())
    if not (finite and np.isfinite(losses).all()):
        return False
    _publish(adapted, new, recipe, encoded, link, prior.device_, losses)
    return True


def _recipe_of(prior: Any, adapted: Any, encoded: Encoded) -> Recipe:
    part = resolve_part("loss", adapted.loss)
    columns = getattr(part.build(), "outputs_per_target", 1)
    return replace(
        prior._recipe,
        parts={**prior._recipe.parts, "loss": part},
        n_outputs=columns * encoded.n_outputs,
        options=adapted._options(encoded),
    )


def _options_of(adapted: Any, criterion: Any, head: nn.Module) -> dict[str, Any]:
    factory = resolve_optimizer(adapted.optimizer)
    return {
        "optimizer": factory,
        "optimizer_options": optimizer_options(
            factory, adapted.weight_decay, head.parameters()
        ),
        "lr": adapted.lr,
        "schedule": resolve_schedule(adapted.lr_schedule),
        "criterion": criterion,
        "criterion_": criterion,
        "batch_size": adapted.batch_size,
        "max_epochs": adapted.max_epochs,
    }


def _publish(
    adapted: Any,
    net: Any,
    recipe: Recipe,
    encoded: Encoded,
    link: str,
    device: str,
    losses: list[float],
) -> None:
    attributes = {
        **encoded.attributes,
        "_recipe": recipe,
        "_adapt_seed": adapted.random_state,
        "device_": device,
        "link_": link,
        "net_": net,
    }
    for name, value in attributes.items():
        setattr(adapted, name, value)
    epochs = np.arange(1, len(losses) + 1)
    adapted._set_history(pd.DataFrame({"epoch": epochs, "train_loss": losses}))
