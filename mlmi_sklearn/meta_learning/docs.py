"""One text for the parameters that estimators of episodes share."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from inspect import cleandoc
from textwrap import indent
from typing import Any, TypeVar

__all__ = ["PACE", "with_episode_parameters"]

_T = TypeVar("_T", bound=type)

PACE: dict[str, Any] = {
    "optimizer": "adam",
    "lr": "3e-3",
    "weight_decay": "0.0",
    "lr_schedule": "cosine",
    "max_epochs": """"auto"
    ``"auto"`` is about 1,000 steps with groups, 10 epochs of episodes from
    classes, and 1 epoch from a set without either.""",
    "batch_size": "",  # tasks are counted, by meta_batch_size
    "classifier": False,
}
"""Defaults of training, for :func:`~mlmi_sklearn.base.with_training_parameters`."""

_TEXTS = {
    "episode_parameters": """
    n_shot : int, default={n_shot}
        Rows of each class, or of a regression task, to learn from.
    n_query : int, default=15
        Other rows of the same that the result is judged by. A task with fewer rows
        takes part with those it has.
    meta_batch_size : int, default={meta_batch_size}
        Tasks in a step of the outer loop.
    episodes : {{"auto", "groups", "classes"}}, default="auto"
        What a task is. ``"groups"``: rows of one group, and not naming any is an
        error. ``"classes"``: some classes, numbered anew. ``"auto"``: groups where
        they are named, otherwise classes if there are more than ``n_way``; fewer
        classes, or numbers, make one pool that any rows are drawn from.
    episodes_per_epoch : int, default=1000
        Episodes in an epoch where tasks are drawn from classes. With groups, an epoch
        visits every task once.
    task : str or int, default=None
        Column of X that names the task of each row: a name, or a position in an
        array. The net does not see it.
    task_chunk_size : int or "auto", default="auto"
        Tasks computed at once. More take memory, and only an accelerator gains much.
    max_grad_norm : float or None, default={max_grad_norm}
        Largest norm of the gradient of the outer loop, divided by the tasks; None for
        exact steps.""",
    "inner_parameters": """
    inner_lr : float, "learn" or "learn-per-step", default="learn"
        Step size :math:`\\alpha` within a task. Learned, there is one for each
        parameter tensor, or one for each and step; a number is algorithm 1 to the
        letter.
    inner_lr_start : float, default=0.1
        Where learned step sizes begin.
    inner_steps : int, default=3
        Steps within a task in training.
    inner_steps_eval : int, default=None
        Steps of :meth:`adapt`; None for ``inner_steps``.
    inner_max_norm : float or None, default=10.0
        Longest gradient of a task; None for exact steps.""",
    "start_parameters": """
    head : {{"learned", "zero", "proto", "shared"}}, default="learned"
        Weights of the last layer at the start of a task: learned ones, one set for
        each of ``n_way`` classes; zeros; those of a classifier by nearest means
        (Proto-MAML); or one learned vector for every class. All but the first take
        any number of classes.
    norm : {{"transductive", "frozen", "per-step", "group"}}, default="transductive"
        Batch normalisation within tasks: by the rows at hand, also in prediction, as
        published; by fixed statistics, measured before each epoch; by the rows at
        hand with a learned scale and shift for each step; or replaced by group
        normalisation.
    finetune_steps : int, default=100
        Steps, from the meta-learned weights, of the ordinary model behind
        :meth:`predict`.""",
    "fitted": """
    n_tasks_ : int
        Groups seen in ``fit``; 1 without groups.
    model_ : estimator
        The ordinary model of all rows that stands behind ``predict``.
    net_ : skorch.NeuralNet
        The meta-trained net.
    history_ : DataFrame
        One row an epoch: loss on the queries, learning rate, duration.
    loss_curve_ : list of float
        Mean loss on the queries in each epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Size of the first dimension of a sample, the column of tasks not counted.
    feature_names_in_ : ndarray of str
        Only when ``X`` had column names.
    link_ : str
        How raw outputs become predictions.
    device_ : str
        Where the net is.""",
}


def _indented(text: str, place: re.Match[str]) -> str:
    return indent(text, place[1])


def with_episode_parameters(**defaults: Any) -> Callable[[_T], _T]:
    """Return a decorator that fills shared texts into the docstring of a class.

    Parameters
    ----------
    **defaults
        ``n_shot``, ``meta_batch_size`` and ``max_grad_norm``, as the constructor has
        them.

    Returns
    -------
    callable
        Fills ``{episode_parameters}`` and ``{fitted}``.
    """

    def fill(cls: _T) -> _T:
        doc = cls.__doc__ or ""
        for name, text in _TEXTS.items():
            replacement = cleandoc(text).format(**defaults)
            place = re.compile(rf"^( *)\{{{name}\}}", re.MULTILINE)
            doc = place.sub(partial(_indented, replacement), doc)
        cls.__doc__ = doc
        return cls

    return fill
