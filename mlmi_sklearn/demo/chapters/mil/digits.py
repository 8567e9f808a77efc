"""Bags of handwritten digits: find those that hold a nine, and the nines in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ....containers import Bags
from ....datasets import make_digit_bags
from ...content import Figure, Metric, Section, Table
from ...evidence import finding
from ...experiment import SECONDS, Fold, run_folds
from .bag_pictures import bag_panel
from .instance_scores import INSTANCE, ranks_of_instances
from .methods import SIL, methods
from .settings import Settings

__all__ = ["digits_section"]

_BAG = Metric("bag_roc_auc", "bag AUC")
_HIT = Metric("hit_rate_at_1", "top image hit")
_SECONDS = Metric(SECONDS, "s per fit", decimals=3, spread=False)

_QUESTION = """\
A bag holds about ten images of handwritten digits, 8×8 pixels each, and is positive \
if one of them is a nine. Training sees the labels of bags only. Which test bags are \
positive, and does the model know which images made them so?"""

_CAPTION = """\
Six test bags of the first draw, as scored by MILClassifier with max pooling: the \
first four positive ones, the first negative one, and the one it gets most wrong. \
They were not picked for looks. The number below an image, and the colour of its \
frame, is the probability the model gives it of being a nine. Stars mark the true \
nines, which the model was never told."""


def digits_section(settings: Settings) -> Section:
    """Train on bags of digits and write the section.

    Parameters
    ----------
    settings : Settings
        Draws, bags and epochs.

    Returns
    -------
    Section
        How well bags and, inside positive bags, instances are ranked.
    """
    folds = [_draw(settings, seed) for seed in range(settings.draws)]
    compared = methods(settings.epochs, scale=False)
    outcome = run_folds("Digit bags", compared, folds, _evaluate)
    table = Table(
        "digits",
        f"mean ± sd over {settings.draws} draws of bags",
        (_BAG, INSTANCE, _HIT, _SECONDS),
        outcome.scores,
    )
    model = outcome.models[0][compared[0].name]
    return Section(
        title="Digit bags: which image made the bag positive?",
        question=_QUESTION,
        table=table,
        findings=(
            finding(table.rows, _BAG, reference=SIL),
            finding(table.rows, INSTANCE),
        ),
        figures=(_figure(model[-1], folds[0]),),
        protocol=_protocol(settings),
    )


def _draw(settings: Settings, seed: int) -> Fold:
    """Draw training bags, and test bags of other images."""
    X, y = make_digit_bags(settings.train_bags, random_state=seed)
    X_test, y_test = make_digit_bags(
        settings.test_bags, split="test", random_state=seed
    )
    return Fold(X, y, X_test, y_test, seed)


def _evaluate(model: Any, X: Bags, y: Any) -> dict[str, float]:
    """Rank the bags, and the instances of positive bags."""
    return {
        _BAG.key: roc_auc_score(y, model.decision_function(X)),
        **ranks_of_instances(model, X, np.asarray(X.y_instances)),
    }


def _figure(model: Any, fold: Fold) -> Figure:
    """Show some test bags with the probabilities of their images."""
    bags, y = fold.X_test, fold.y_test
    of_bags = model.predict_proba(bags)[:, 1]
    of_instances = [p[:, 1] for p in model.predict_instances_proba(bags)]
    labels = np.split(bags.y_instances, bags.offsets[1:-1])
    shown = _choose(y, of_bags)
    images = [bag.reshape(-1, 8, 8) for bag in bags]
    panels = tuple(
        bag_panel(i, images[i], of_bags[i], of_instances[i], labels[i]) for i in shown
    )
    return Figure(_CAPTION, panels)


def _choose(y: NDArray[Any], probability: NDArray[Any]) -> list[int]:
    """Return four positive bags, a negative one, and the worst of the others."""
    first = [*np.flatnonzero(y == 1)[:4], *np.flatnonzero(y == 0)[:1]]
    error = np.abs(y - probability)
    error[first] = -1
    return [int(i) for i in (*first, error.argmax())]


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    return (
        f"{settings.draws} draws of {settings.train_bags} training and "
        f"{settings.test_bags} test bags, half of them positive; draw and methods have "
        f"random_state 0 to {settings.draws - 1}. Test bags hold images that no "
        "training bag holds.",
        "Bag AUC ranks the test bags. Instance AUC ranks the images inside positive "
        "test bags, each scored as a bag of its own. Top image hit is the share of "
        "positive bags whose best scored image is a nine.",
        f"Nets train {settings.epochs} epochs with the defaults of MILClassifier. "
        "Pixels are used as they are, between 0 and 1. The other methods as above.",
        "The intervals are for new bags of these images. The data do not say who wrote "
        "what, so a hand that training never saw is another question.",
    )
