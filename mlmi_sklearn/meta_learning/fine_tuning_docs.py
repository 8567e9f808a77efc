"""One text for the parameters that both estimators for fine-tuning share."""

from __future__ import annotations

import re
from functools import partial
from inspect import cleandoc
from textwrap import indent
from typing import TypeVar

__all__ = ["with_fine_tuning_parameters"]

_T = TypeVar("_T", bound=type)

_TEXTS = {
    "fine_tuning_parameters": """
    pretrained : fitted estimator, nn.Module or None, default=None
        Where the weights of the backbone come from: an estimator of this package whose
        ``net_.module_`` has a backbone, or a module, which is or has a ``backbone``.
        Never changed; clones share it. None trains from scratch.
    freeze : str or sequence of str, default=()
        Patterns, as for :mod:`fnmatch`, of names of parameters that are not trained:
        ``"backbone.*"``, ``"backbone.0.*"``. Names are those of
        ``net_.module_.named_parameters()``. Batch normalisation that is frozen keeps
        its statistics, too; with all of the backbone frozen, features are computed
        once, without dropout.
    unfreeze : "gradual", dict of int to patterns, or None, default=None
        ``"gradual"`` trains the head in the first epoch and one more layer, from the
        top down, in each epoch after it (Howard and Ruder 2018, section 3.3). A dict
        says which of the frozen parameters are trained from which epoch on:
        ``{{5: "backbone.*"}}``.
    lr_decay : float, default=1.0
        Each layer learns at the rate of the layer above it times this, above 0 and at
        most 1 (section 3.2 there, which uses 1 / 2.6).
    keep_head : bool or "auto", default="auto"
        Whether to begin with the head of ``pretrained``. ``"auto"`` does if it is for
        the same classes, or of a module or for numbers, and of the same kind and size.
    max_steps : int or None, default=None
        Steps of the optimiser, at least 0, in place of ``max_epochs``.""",
    "fitted": """
    net_ : skorch.NeuralNet
        The trained net; its ``module_`` has ``backbone`` and ``head``.
    history_ : DataFrame
        Loss, learning rate and duration, one row an epoch.
    loss_curve_ : list of float
        Training loss of each epoch.
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


def with_fine_tuning_parameters(cls: _T) -> _T:
    """Replace ``{fine_tuning_parameters}`` and ``{fitted}`` in a class docstring.

    Parameters
    ----------
    cls : type
        The class.

    Returns
    -------
    type
        The same class.
    """
    doc = cls.__doc__ or ""
    for name, text in _TEXTS.items():
        clean = cleandoc(text).replace("{{", "{").replace("}}", "}")
        place = re.compile(rf"^( *)\{{{name}\}}", re.MULTILINE)
        doc = place.sub(partial(_indented, clean), doc)
    cls.__doc__ = doc
    return cls
