"""Heart disease at four hospitals, of which one has no diagnoses."""

from __future__ import annotations

from ...content import Figure, Finding, Metric, Scores, Section, Table
from ...evidence import finding
from .fitting import by_method, changes, contrasts, list_of
from .hospital_pictures import changes_panel, levels_panel, shares_panel
from .hospital_runs import (
    ALONE,
    DANN,
    EM,
    LOGISTIC,
    Hospitals,
    names_with_labels,
    run_hospitals,
)
from .settings import Settings

__all__ = ["hospital_sections"]

_MEAN = Metric("balanced_accuracy", "mean", decimals=2)
_TITLES = {
    "cleveland": "Cleveland",
    "hungarian": "Hungary",
    "switzerland": "Switzerland",
    "va": "VA",
}

_QUESTION = """\
Patients of four hospitals, 13 measurements each, many missing at some of them: who \
has heart disease? Each hospital in turn keeps its diagnoses to itself and sends \
measurements only; the other three are the source. Does it help to make the hospitals \
look alike (DANN), or to know a handful of diagnoses (MME)? Balanced accuracy counts \
the sick and the healthy the same; a constant answer scores 0.50."""

_SHARES_QUESTION = """\
The same predictions, counted plainly. The hospitals differ in how many of their \
patients are sick, which is called label shift. So accuracy is to be held against the \
share of the more frequent diagnosis, which a constant answer reaches without looking \
at anybody; and a net may be told to expect other shares (label_shift='em')."""


def hospital_sections(settings: Settings) -> tuple[Section, Section]:
    """Run the experiment and write both sections.

    Parameters
    ----------
    settings : Settings
        Seeds, epochs and number of labels.

    Returns
    -------
    tuple of Section
        On balanced accuracy, and on what class shares do to accuracy.
    """
    found = run_hospitals(settings)
    return _adapting(found, settings), _shares(found, settings)


def _metrics(found: Hospitals, kind: str) -> tuple[Metric, ...]:
    """Return one column a hospital, and the mean."""
    each = [
        Metric(f"{name}_{kind}", _TITLES.get(name, name), decimals=2)
        for name in found.names
    ]
    return (*each, Metric(kind, "mean", decimals=2))


def _adapting(found: Hospitals, settings: Settings) -> Section:
    """Write the section on what adapting does."""
    metrics = _metrics(found, "balanced_accuracy")
    caption = (
        f"balanced accuracy at the target, mean ± sd over {settings.hospital_seeds} "
        "seeds"
    )
    return Section(
        title="Four hospitals, one without diagnoses",
        question=_QUESTION,
        table=Table("hospitals", caption, metrics, found.scores),
        findings=(
            finding(found.scores, Metric(_MEAN.key, "balanced accuracy", decimals=3)),
            _against_controls(found, metrics[:-1], settings),
        ),
        figures=(_figure(found, settings),),
        protocol=_protocol(settings),
    )


def _pairs(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return names of methods that adapt, each with the same net without."""
    control, mme = names_with_labels(settings.labels)
    return (DANN, ALONE), (EM, ALONE), (mme, control)


def _figure(found: Hospitals, settings: Settings) -> Figure:
    """Show where methods stand, and what adapting changes."""
    return Figure(
        "Left: mean balanced accuracy of each method at each hospital; the dashed line "
        "is a constant answer. Right: what adapting changes against the same net "
        "without it, one dot a seed and a bar for the mean. Left of zero it hurts.",
        (
            levels_panel(found, "balanced_accuracy", _TITLES),
            changes_panel(found, "balanced_accuracy", _pairs(settings), _TITLES),
        ),
    )


def _against_controls(
    found: Hospitals, places: tuple[Metric, ...], settings: Settings
) -> Finding:
    """Say what adapting alone changes: the same net with and without."""
    named, pairs = by_method(found.scores), _pairs(settings)
    metric = Metric(_MEAN.key, "balanced accuracy", decimals=3)
    lower = [a for a, b in pairs if _rounded(named[a]) < _rounded(named[b])]
    headline = (
        f"Below the same net without adaptation, in the mean: {list_of(lower)}."
        if lower
        else "No method that adapts is below the same net without, in the mean."
    )
    # The best baseline was dealt with above.
    best = max((r for r in found.scores if not r.ours), key=lambda r: r.mean(_MEAN.key))
    left = [pair for pair in pairs if pair[1] != best.method]
    details = contrasts(found.scores, left, metric)
    by_place = [changes(named[a], named[b], places, "hospital") for a, b in pairs]
    return Finding(headline, (*details, *by_place))


def _rounded(row: Scores) -> float:
    return round(row.mean(_MEAN.key), 3)


def _shares(found: Hospitals, settings: Settings) -> Section:
    """Write the section on shares of classes."""
    metrics = _metrics(found, "accuracy")
    rows = (*found.scores, found.majority)
    caption = (
        f"accuracy at the target, mean ± sd over {settings.hospital_seeds} seeds; last "
        "row: share of the more frequent diagnosis"
    )
    return Section(
        title="Class shares: what accuracy hides",
        question=_SHARES_QUESTION,
        table=Table("hospital-shares", caption, metrics, rows),
        findings=(_above_constant(found, metrics[:-1]), _of_shares(found)),
        figures=(
            Figure(
                "Left: mean accuracy of each method at each hospital; the black bar is "
                "the share of the more frequent diagnosis, and what lies left of it "
                "does worse than a constant answer. Right: the true share of the sick, "
                "and what label_shift='em' takes it for, one mark a seed.",
                (
                    levels_panel(found, "accuracy", _TITLES),
                    shares_panel(found, _TITLES),
                ),
            ),
        ),
        protocol=(
            f"The same fits, with random_state 0 to {settings.hospital_seeds - 1}. The "
            "constant answer knows which diagnosis is more frequent at the target, "
            "which no other method here does.",
            "label_shift='em' estimates the shares of the target by expectation "
            "maximisation on predictions out of fold, and weights patients of the "
            "source so that theirs are the same. It assumes that the sick look the "
            "same everywhere, and so do the healthy. Where that does not hold, as "
            "where other things were measured, its estimate may be off.",
        ),
    )


def _above_constant(found: Hospitals, metrics: tuple[Metric, ...]) -> Finding:
    """Say how many methods beat a constant answer, by hospital."""
    n, details = len(found.scores), []
    for name, metric in zip(found.names, metrics, strict=True):
        share = round(found.majority.mean(metric.key), metric.decimals)
        above = [
            row.method
            for row in found.scores
            if round(row.mean(metric.key), metric.decimals) > share
        ]
        which = f": {list_of(above)}" if 0 < len(above) < n else ""
        details.append(
            f"{metric.title}, {100 * found.sick[name]:.0f} % sick, constant answer "
            f"{share:.2f}: {len(above)} of {n} methods do better{which}."
        )
    nowhere = [d.split(",")[0] for d in details if f": 0 of {n} methods" in d]
    headline = (
        f"No method beats a constant answer by accuracy at: {list_of(nowhere)}."
        if nowhere
        else "At every hospital some method beats a constant answer by accuracy."
    )
    return Finding(headline, tuple(details))


def _of_shares(found: Hospitals) -> Finding:
    """Say what correcting for the shares of classes does."""
    named = by_method(found.scores)
    both = [
        f"{metric} {named[DANN].mean(key):.3f} without it, {named[EM].mean(key):.3f} "
        "with it"
        for key, metric in (
            ("accuracy", "accuracy"),
            ("balanced_accuracy", "balanced accuracy"),
        )
    ]
    shares = [
        f"{_TITLES.get(name, name)} {100 * found.sick[name]:.0f} % "
        f"(estimated {100 * sum(values) / len(values):.0f} %)"
        for name, values in found.estimated.items()
    ]
    warned = list_of([_TITLES.get(name, name) for name in found.warned])
    return Finding(
        f"DANN with label_shift='em', mean over the hospitals: {'; '.join(both)}.",
        (
            f"Truly sick: {list_of(shares)}. A net told that nearly all are sick "
            "calls nearly all sick: accuracy likes that where it is true, balanced "
            "accuracy never does.",
            f"DANN without it warned, in the first repetition, that shares of classes "
            f"differ where the target was: {warned}.",
        ),
    )


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    return (
        f"Each hospital in turn is the target. random_state 0 to "
        f"{settings.hospital_seeds - 1} for nets and for the labels shown. Nets train "
        f"{settings.hospital_epochs} epochs, all else are the defaults; nothing was "
        "tuned, and nothing chosen or stopped by looking at labels of the target.",
        f"MME and its control see {settings.labels} diagnoses of the target, drawn at "
        "random whatever they are, so that all may be of one kind. These patients are "
        "left out of the test, for all methods. The other methods do not look at them.",
        "Nets see the measurements, not the diagnoses, of the patients they are tested "
        "on. That is the setting of a hospital whose records are at hand.",
        "In a Pipeline: gaps are filled with the mean and marked, and columns "
        "standardised, on all rows that are trained on, the target among them, without "
        "labels. Zeros of blood pressure and cholesterol count as gaps.",
        f"Controls: '{ALONE}' is DANNClassifier with lambda_=0, and "
        f"'{names_with_labels(settings.labels)[0]}' is MMEClassifier with "
        f"entropy_weight=0. '{LOGISTIC}' is scikit-learn's, with its defaults, on the "
        "source alone.",
        "Lists of where a method is better or worse compare rounded means; the table "
        "has their spread. Intervals are over seeds, which change the start of a net, "
        "its batches and the labels shown, not the patients: they say nothing of a "
        "fifth hospital.",
    )
