"""Five drawings of five new characters, and how well the next can be read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ....datasets import load_omniglot_small
from ....meta_learning import FineTuneClassifier, MAMLClassifier, ProtoNetClassifier
from ....model_selection import EpisodeSplit, few_shot_score
from ....supervised import NetClassifier
from ...content import Figure, Metric, Scores, Section, Table
from ...evidence import finding
from ...experiment import SECONDS
from ...pictures import dots_panel
from ...session import progress
from .character_pictures import Shown, query_panel, support_panel
from .settings import Settings
from .words import with_intervals, with_widths

__all__ = ["FINE_TUNED", "LOGISTIC", "MAML", "PROTO", "SCRATCH", "characters_section"]

Array = NDArray[Any]

MAML, PROTO = "MAML", "Prototypical network"
FINE_TUNED = "Fine-tuning"
SCRATCH = "The same net from scratch"
LOGISTIC = "Logistic regression on pixels"

_SHOTS = 5
_ACCURACY = Metric("accuracy", "accuracy")
_TRAINING = Metric(SECONDS, "s to train", decimals=1, spread=False)
_TASK = Metric("seconds_per_task", "s per task", decimals=2, spread=False)

_QUESTION = """\
Five characters that no method has seen are shown as five people write them: 25 \
drawings of 14 x 14 pixels. Which of the five are the next 75? Meta-learning and \
fine-tuning have practised on {known} other characters; the last two methods know \
nothing but the 25 drawings."""


@dataclass(frozen=True)
class _Learner:
    """A method, and whether it is one of those in question."""

    name: str
    ours: bool
    estimator: Any

    @property
    def practises(self) -> bool:
        """Whether it learns from other characters first."""
        return self.name not in (SCRATCH, LOGISTIC)


def characters_section(settings: Settings) -> Section:
    """Train on known characters, judge by new ones, and write the section.

    Parameters
    ----------
    settings : Settings
        Episodes and epochs.

    Returns
    -------
    Section
        Accuracy with intervals, and one task in pictures.
    """
    rows, shown, known = _run(settings)
    caption = (
        f"mean and half its 95 % interval over {settings.episodes} tasks of 5 new "
        "characters"
    )
    columns = (*with_intervals(_ACCURACY), _TRAINING, _TASK)
    return Section(
        title="Five drawings of five new characters",
        question=_QUESTION.format(known=known),
        table=Table("characters", caption, columns, rows),
        findings=(finding(rows, _ACCURACY, reference=SCRATCH),),
        figures=_figures(rows, shown),
        protocol=_protocol(settings, known),
    )


def learners(settings: Settings) -> tuple[_Learner, ...]:
    """Return the methods compared.

    Parameters
    ----------
    settings : Settings
        Episodes and epochs.

    Returns
    -------
    tuple of _Learner
        Meta-learners, then fine-tuning, then those that begin anew.
    """
    common: dict[str, Any] = {"device": "cpu", "random_state": 0}
    episodic: dict[str, Any] = {"n_shot": 1, "n_query": 5, "max_epochs": 1, **common}
    return (
        _Learner(
            MAML,
            True,
            MAMLClassifier(
                inner_lr=0.4,
                inner_steps=1,
                inner_steps_eval=3,
                finetune_steps=0,
                episodes_per_epoch=settings.maml_episodes,
                **episodic,
            ),
        ),
        _Learner(
            PROTO,
            True,
            ProtoNetClassifier(
                episodes_per_epoch=settings.proto_episodes,
                **episodic,
            ),
        ),
        _Learner(
            FINE_TUNED,
            False,
            FineTuneClassifier(max_epochs=settings.source_epochs, **common),
        ),
        _Learner(
            SCRATCH,
            False,
            NetClassifier(
                "conv", max_epochs=settings.scratch_epochs, **common
            ).set_params(backbone__norm="group"),
        ),
        _Learner(
            LOGISTIC,
            False,
            make_pipeline(
                FunctionTransformer(flattened), LogisticRegression(max_iter=200)
            ),
        ),
    )


def flattened(images: Array) -> Array:
    """Return images as rows of pixels."""
    return images.reshape(len(images), -1)


def _run(settings: Settings) -> tuple[tuple[Scores, ...], Shown, int]:
    """Train and judge; return scores, the first task, and how many were known."""
    known = load_omniglot_small(subset="train")
    new = load_omniglot_small(subset="test")
    rows, answers = [], {}
    support, query = _first_task(new, settings)
    methods = learners(settings)
    with progress("Characters", len(methods)) as step:
        for method in methods:
            model, start = method.estimator, time.perf_counter()
            if method.practises:
                model = model.fit(known.data, known.target)
            trained = time.perf_counter()
            score = few_shot_score(
                model,
                new.data,
                new.target,
                n_shot=_SHOTS,
                n_episodes=settings.episodes,
                random_state=0,
            )
            per_task = (time.perf_counter() - trained) / settings.episodes
            values = with_widths({_ACCURACY.key: score.frame["score"].to_numpy()})
            values[SECONDS] = np.array([trained - start])
            values[_TASK.key] = np.array([per_task])
            rows.append(Scores(method.name, method.ours, _as_long(values)))
            learn = model.adapt if method.practises else model.fit
            learnt = learn(new.data[support], new.target[support])
            answers[method.name] = learnt.predict(new.data[query])
            step(method.name)
    parts = (new.data, new.target, support, query)
    return tuple(rows), Shown(*parts, answers), len(np.unique(known.target))


def _first_task(new: Any, settings: Settings) -> tuple[Array, Array]:
    """Return support and query of the first task that methods are judged by."""
    episodes = EpisodeSplit(settings.episodes, n_shot=_SHOTS, random_state=0)
    return next(episodes.split(new.data, new.target))


def _as_long(values: dict[str, Array]) -> dict[str, Array]:
    """Repeat single numbers, so that all metrics have as many entries."""
    n = max(map(len, values.values()))
    return {key: np.resize(value, n) for key, value in values.items()}


def _figures(rows: Sequence[Scores], shown: Shown) -> tuple[Figure, ...]:
    task = Figure(
        "The first of the tasks. Above: the five drawings of each character that "
        "methods learn from, one character a row. Then, for each method, the 75 "
        "drawings to be read, by their true character; those read wrongly are framed, "
        "with the row they were taken for beside them.",
        (
            support_panel(shown),
            *(query_panel(shown, name) for name in (MAML, PROTO, FINE_TUNED, SCRATCH)),
        ),
    )
    spread = Figure(
        "Accuracy on each task; bars are one standard deviation of tasks, which is "
        "how much tasks differ, not how exactly the mean is known.",
        (dots_panel("tasks", rows, _ACCURACY),),
    )
    return task, spread


def _protocol(settings: Settings, known: int) -> tuple[str, ...]:
    """Say how it was done."""
    return (
        f"Omniglot in its fixed split, {known} characters to practise on and 251 "
        "others to be judged by: few_shot_score with 5 characters, 5 drawings of each "
        f"to learn from and 15 to read, {settings.episodes} tasks, random_state 0. All "
        "methods see the same tasks, so differences are paired.",
        f"MAML trains on {settings.maml_episodes} tasks, with one step of size 0.4 and "
        "three steps on a new task (Finn et al.); the prototypical network on "
        f"{settings.proto_episodes} tasks of 20 characters; both with one drawing to "
        "learn from and five to be judged by, which is cheaper than five and fifteen. "
        f"Fine-tuning trains a net on all characters for {settings.source_epochs} "
        "epochs, then a head on the features of the new task. Training is short here: "
        "longer, all three get better, and not equally fast.",
        "MAML normalises the drawings to be read by their own batch (transductive, as "
        "published), which the others do not.",
        f"The net from scratch has the same layers, {settings.scratch_epochs} epochs, "
        "and group normalisation: running statistics of batch normalisation would need "
        "more steps than 25 drawings give. Logistic regression is scikit-learn's.",
        "Each method was trained once, with random_state 0: the interval says how "
        "exactly the mean over tasks of these characters is known, not what another "
        "training would give. Seconds are those of this run.",
        "How long to train, and the norm of the net from scratch, were settled by a "
        "look at accuracy on characters of the test split, for all methods alike.",
    )
