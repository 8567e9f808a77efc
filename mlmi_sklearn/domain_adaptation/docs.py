"""One text for the parameters that the estimators for several domains share."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from inspect import cleandoc
from textwrap import indent
from typing import Any, TypeVar

__all__ = ["PACE", "with_domain_parameters"]

_T = TypeVar("_T", bound=type)

PACE: dict[str, Any] = {
    "optimizer": "sgd",
    "lr": '"auto", which is 0.03, or 1 with ``hidden_layer_sizes``',
    "weight_decay": "1e-4",
    "lr_schedule": "ganin",
    "max_epochs": '"auto", which is 100',
    "batch_size": """"auto" or int, default="auto"
    Rows of each side in a batch; 64, or 16 with ``hidden_layer_sizes``. A last
    batch of less than half the size joins the one before it; a smaller target is used
    over and over.""",
}
"""Defaults of training, for :func:`~mlmi_sklearn.base.with_training_parameters`."""

_TEXTS = {
    "domain_parameters": """
    domain_norm : {"separate", "shared", "adabn"}, default="separate"
        How batch normalisation treats domains. ``"separate"``: in training every
        domain has statistics of its own batches, predictions use the average over
        both. ``"shared"``: one batch holds both. ``"adabn"``: as ``"separate"``, but
        predictions use the statistics of the target, so that they are made for it.
    target_labels : {"ignore", "use"}, default="%(target_labels)s"
        Whether labels of target rows are trained on. Ignored, they are not looked at,
        so that ``y`` may hold the truth for a score. Used, labelled rows of the target
        count together as much as those of the source.
    target_domains : list of ids, default=None
        Ids in ``sample_domain`` that are targets, if that is not the sign of a number.
    hidden_layer_sizes : int or tuple of int, default=None
        Short for the shallow form of Ganin et al. (2016): sigmoid units in place of
        ``backbone``, no normalisation, and a linear discriminator unless
        ``discriminator`` says otherwise.
    diagnostics : bool, default=True
        Whether ``fit`` measures how far apart the domains are before and after. Off,
        a search over many settings is faster.
    momentum : float, default=0.9
        Of optimisers that have one, from 0 to 1.
    max_grad_norm : float or None, default=1.0
        Gradients of all weights together are shortened to this norm, which keeps the
        game against the discriminator stable; None for exact steps.""",
    "passing": """
    X : array-like of shape (n_samples, n_features) or (n_samples, [channels,] ...)
        Rows of all domains, stacked; or of the source alone with ``X_target``.
        Vectors (sparse ones too), images or volumes.
    y : array-like of shape (n_samples,)
        Targets. Those of target domains are ignored or may be missing; the marker of
        a missing one is %(marker)s. Without ``sample_domain`` the rows that
        carry the marker are the target.
    sample_domain : array-like of shape (n_samples,), scalar, default=None
        One id a row: at least 0 for sources, below 0 for targets, or any ids with
        ``target_domains``.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights, in the loss of labels and in that of domains.""",
    "fitted": """
    net_ : skorch.NeuralNet
        The trained net.
    n_source_, n_target_ : int
        Rows of source and target.
    domains_ : ndarray of shape (n_domains,)
        Ids of the domains, sources first; empty if none were given.
    pad_ : dict
        Proxy A-distance of ``"input"`` and ``"features"``, from 0 (alike) to 2, by
        the better of a linear and an RBF support vector machine; empty without a
        target.
    discriminator_accuracy_ : float
        Balanced accuracy of telling source from target, at the end: by the
        discriminator, or a linear one where the divergence has none. NaN without
        a target.
    lambda_path_ : ndarray of shape (n_epochs,)
        Lambda at the end of each epoch.
    adaptation_report_ : Bunch
        These figures, the warnings, and a ``verdict`` in one sentence.
    history_ : DataFrame
        One row an epoch: loss of labels, ``domain_loss``, ``lambda``,
        ``discriminator_accuracy``.
    loss_curve_ : list of float
        Training loss of labelled rows in each epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Size of the first dimension of a sample.
    feature_names_in_ : ndarray of str
        Only when ``X`` had column names.
    link_ : str
        How raw outputs become predictions.
    device_ : str
        Where the net is.""",
}


def _indented(text: str, place: re.Match[str]) -> str:
    return indent(text, place[1])


def with_domain_parameters(
    *, target_labels: str = "ignore", marker: str = "-1, or NaN or None"
) -> Callable[[_T], _T]:
    """Return a decorator that fills shared texts into docstrings of a class.

    Parameters
    ----------
    target_labels : str, default="ignore"
        Default of the parameter of that name.
    marker : str, default="-1, or NaN or None"
        What stands for a missing target.

    Returns
    -------
    callable
        Fills ``{domain_parameters}`` and ``{fitted}`` in the class and ``{passing}``
        in ``fit`` and ``partial_fit``.
    """
    values = {"target_labels": target_labels, "marker": marker}
    texts = {name: cleandoc(text) % values for name, text in _TEXTS.items()}

    def fill_text(doc: str | None) -> str:
        text = doc or ""
        for name, replacement in texts.items():
            place = re.compile(rf"^( *)\{{{name}\}}", re.MULTILINE)
            text = place.sub(partial(_indented, replacement), text)
        return text

    def fill(cls: _T) -> _T:
        cls.__doc__ = fill_text(cls.__doc__)
        for method in ("fit", "partial_fit"):
            function = vars(cls).get(method)
            if function is not None:
                function.__doc__ = fill_text(function.__doc__)
        return cls

    return fill
