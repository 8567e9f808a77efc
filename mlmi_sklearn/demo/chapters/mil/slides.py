"""Where in the image: slides cut into tiles, trained from labels of slides alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from ....containers import Bags
from ....mil import BagStatistics, MILClassifier, SingleInstanceClassifier
from ....preprocessing import TileGrid
from ...content import Figure, Metric, Panel, Section, Table
from ...evidence import finding
from ...experiment import SECONDS, Fold, Method, run_folds
from .bag_pictures import per_cent, tiles_panel
from .instance_scores import INSTANCE, ranks_of_instances
from .mosaic import CELL, Slides, make_slides
from .settings import Settings
from .slide_pictures import slide_panel

__all__ = ["slides_section"]

_SLIDE = Metric("slide_roc_auc", "slide AUC")
_TILE = Metric(INSTANCE.key, "tile AUC")
_HIT = Metric("hit_rate_at_1", "top tile hit")
_SECONDS = Metric(SECONDS, "s per fit", decimals=3, spread=False)
_BEST = 10

_QUESTION = """\
A pathologist's slide has one label and thousands of places. Here are slides whose \
truth is known: the cells of the tissue are handwritten digits, and the lesion of a \
positive slide is a patch of nines. Training sees pictures and the labels of slides. \
Which test slides are positive, and where is the lesion?"""

_CAPTION = """\
Four test slides of the first draw with MILClassifier: the first two positive ones, \
the first negative one, and the one it gets most wrong. Left the slide, its true \
lesion outlined, which the model was never told. Right the probability of each tile, \
the stronger the higher, with the same outline. Then the tile of highest probability \
of each of the first ten positive test slides; stars mark tiles truly of the lesion. \
One tile suffices to call a slide positive, so the map need not fill the lesion."""


def slides_section(settings: Settings) -> Section:
    """Train on slides and write the section.

    Parameters
    ----------
    settings : Settings
        Draws, slides and epochs.

    Returns
    -------
    Section
        How well slides and, inside positive slides, tiles are ranked; and maps.
    """
    folds = [_draw(settings, seed) for seed in range(settings.slide_draws)]
    compared = _methods(settings.epochs)
    outcome = run_folds("Slides", compared, folds, _evaluate)
    table = Table(
        "slides",
        f"mean ± sd over {settings.slide_draws} draws of slides",
        (_SLIDE, _TILE, _HIT, _SECONDS),
        outcome.scores,
    )
    figure = _figure(outcome.models[0][compared[0].name], folds[0].X_test)
    return Section(
        title="Where in the image? Tiles of a slide",
        question=_QUESTION,
        table=table,
        findings=(finding(table.rows, _SLIDE), finding(table.rows, _TILE)),
        figures=(figure,),
        protocol=_protocol(settings),
    )


class _Images(list[Any]):
    """A list of images that remembers where the lesions are."""

    def __init__(self, slides: Slides) -> None:
        super().__init__(slides.images)
        self.slides = slides


def _draw(settings: Settings, seed: int) -> Fold:
    """Draw training slides, and test slides of other digits."""
    train = make_slides(settings.train_slides, "train", seed)
    test = make_slides(settings.test_slides, "test", seed)
    return Fold(train.images, train.y, _Images(test), test.y, seed)


def _methods(epochs: int) -> tuple[Method, ...]:
    """Return the net, and baselines that see the same tiles."""
    grid = TileGrid(tile_size=CELL, flatten=True)
    net = MILClassifier(max_epochs=epochs, device="cpu")
    forest = RandomForestClassifier(50, min_samples_leaf=5)
    logistic = LogisticRegression(max_iter=2000)

    # The table compares rankings, for which a threshold would be wasted time.
    def alone(classifier: Any) -> SingleInstanceClassifier:
        return SingleInstanceClassifier(classifier, threshold=0.0, scale=False)

    mean = BagStatistics(("mean",))
    return (
        Method("MILClassifier (max pooling)", True, make_pipeline(grid, net)),
        Method("SIL random forest", False, make_pipeline(grid, alone(forest))),
        Method("SIL logistic regression", False, make_pipeline(grid, alone(logistic))),
        Method(
            "Mean + logistic regression", False, make_pipeline(grid, mean, logistic)
        ),
    )


def _evaluate(model: Any, X: _Images, y: Any) -> dict[str, float]:
    """Rank the slides, and the tiles of positive slides."""
    tiles = model[0].transform(X)
    labels = np.concatenate(_labels(X.slides, tiles))
    return {
        _SLIDE.key: roc_auc_score(y, model.decision_function(X)),
        **ranks_of_instances(model[1:], tiles, labels),
    }


def _labels(slides: Slides, tiles: Bags) -> list[NDArray[Any]]:
    """Return the true labels of the tiles of each slide."""
    coords = np.split(np.asarray(tiles.coords), tiles.offsets[1:-1])
    return [slides.labels_of(i, where) for i, where in enumerate(coords)]


def _figure(model: Any, X: _Images) -> Figure:
    """Show some slides with truth and map, and the best tiles."""
    slides, tiles = X.slides, model[0].transform(X)
    of_slides = model.predict_proba(X)[:, 1]
    of_tiles = [p[:, 1] for p in model[-1].predict_instances_proba(tiles)]
    coords = np.split(np.asarray(tiles.coords), tiles.offsets[1:-1])
    labels = _labels(slides, tiles)
    panels = [
        slide_panel(
            i, slides.images[i], coords[i], of_slides[i], of_tiles[i], labels[i]
        )
        for i in _choose(slides.y, of_slides)
    ]
    return Figure(_CAPTION, (*panels, _best_panel(slides.y, tiles, of_tiles, labels)))


def _choose(y: NDArray[Any], probability: NDArray[Any]) -> list[int]:
    """Return two positive slides, a negative one, and the worst of the others."""
    first = [*np.flatnonzero(y == 1)[:2], *np.flatnonzero(y == 0)[:1]]
    error = np.abs(y - probability)
    error[first] = -1
    return [int(i) for i in (*first, error.argmax())]


def _best_panel(
    y: NDArray[Any], tiles: Bags, of_tiles: list[Any], labels: list[Any]
) -> Panel:
    """Show the best tile of each of the first positive slides."""
    shown = np.flatnonzero(y == 1)[:_BEST]
    best = [int(of_tiles[i].argmax()) for i in shown]
    pairs = list(zip(shown.tolist(), best, strict=True))
    chance = np.array([of_tiles[i][j] for i, j in pairs])
    true = np.array([labels[i][j] for i, j in pairs])
    # Pixels, with the channels first, became a vector of each tile.
    flat = np.stack([np.asarray(tiles[i])[j] for i, j in pairs])
    images = np.moveaxis(flat.reshape(len(flat), 3, CELL, CELL), 1, -1)
    title = f"Best tile of {len(shown)} positive slides"
    alt = (
        f"{title}: {int(true.sum())} of them are truly of the lesion. Their "
        f"probabilities: {', '.join(map(per_cent, chance))}."
    )
    return tiles_panel("best-tiles", title, alt, images, chance, true)


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    return (
        f"{settings.slide_draws} draws of {settings.train_slides} training and "
        f"{settings.test_slides} test slides, half of them positive; draw and methods "
        f"have random_state 0 to {settings.slide_draws - 1}. Test slides hold digits "
        "that no training slide holds.",
        f"TileGrid cuts slides into tiles of {CELL} by {CELL} pixels, in colour, and "
        "leaves out the glass. Tiles coincide with cells, which no real slide grants; "
        "the slides are made up to show the way, not to show that it is easy.",
        "Slide AUC ranks the test slides. Tile AUC ranks the tiles inside positive "
        "test slides, each scored as a bag of its own. Top tile hit is the share of "
        "positive slides whose best scored tile is of the lesion.",
        f"MILClassifier trains {settings.epochs} epochs with its defaults. SIL: tiles "
        "inherit the label of their slide. The forest has 50 trees with "
        "at least 5 tiles in a leaf; nothing was tuned.",
    )
