"""What the methods learn that good scores hide: the tests of Raff and Holt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....mil import check_mil_assumption
from ...content import Figure, Finding, Metric, Scores, Section, Table
from ...evidence import interval_of_mean
from ...experiment import Method
from ...session import progress
from .methods import methods
from .settings import Settings
from .slopes import slopes_panel

__all__ = ["BOUND", "TESTS", "assumption_finding", "assumption_section", "state_of"]

BOUND = 0.7
# What a failure means where bags are scans.
_MEANING = {
    "single-concept": "These take what only negative bags held in training for a sign "
    "of health. They can call a scan with a lesion healthy because it also shows "
    "something harmless.",
    "multi-concept": "The same, although here two signs must come together to make a "
    "bag positive: both are there, and the harmless thing outvotes them.",
    "false-frequency": "Their score rises with the number of instances of a harmless "
    "kind. They can call a scan without a lesion positive because it is large.",
}
TESTS = tuple(_MEANING)
_KEYS = tuple(f"{test}_{part}_auc" for test in TESTS for part in ("test", "train"))
_METRICS = tuple(Metric(f"{test}_test_auc", test, decimals=2) for test in TESTS)

_QUESTION = """\
A bag is positive if, and only if, it holds a positive instance: the standard \
assumption. A model can score well and break it. Three tests offer a short cut in \
training that the assumption rules out, and turn it round in the test bags. Who takes \
the short cut falls below 0.5, worse than guessing; who keeps the assumption loses \
little."""

_CAPTION = """\
ROC AUC of the bags each method was trained on, left, and of the test bags, right; \
means over the draws. A line that ends below the dashed one, 0.5, took the short cut: \
it is drawn in orange, one that ends at 0.7 or above in blue."""


def assumption_section(settings: Settings) -> Section:
    """Run the tests on all methods and write the section.

    Parameters
    ----------
    settings : Settings
        Draws, bags and epochs.

    Returns
    -------
    Section
        The area under the ROC curve in training and in testing, and what it means.
    """
    compared = methods(settings.epochs, scale=False)
    table = Table(
        "assumption",
        f"ROC AUC of test bags, mean ± sd over {settings.checks} draws",
        _METRICS,
        _run(compared, settings),
    )
    panels = tuple(slopes_panel(test, table.rows, BOUND) for test in TESTS)
    return Section(
        title="Is the assumption kept? Three tests",
        question=_QUESTION,
        table=table,
        findings=(assumption_finding(table.rows),),
        figures=(Figure(_CAPTION, panels),),
        protocol=_protocol(settings),
    )


def _run(compared: Sequence[Method], settings: Settings) -> tuple[Scores, ...]:
    """Run all tests in every draw."""
    rows: dict[str, list[dict[str, float]]] = {method.name: [] for method in compared}
    with progress("Assumption", settings.checks * len(compared)) as step:
        for seed in range(settings.checks):
            for method in compared:
                rows[method.name].append(_check(method, seed, settings.check_bags))
                step(method.name)
    return tuple(
        Scores(
            method.name,
            method.ours,
            {key: np.array([r[key] for r in rows[method.name]]) for key in _KEYS},
        )
        for method in compared
    )


def _check(method: Method, seed: int, n_bags: int) -> dict[str, float]:
    """Return the areas under the curve of one draw by name."""
    report = check_mil_assumption(
        method.build(seed), n_bags=n_bags, bound=BOUND, random_state=seed
    )
    return {
        f"{test}_{part}": float(report.results[part][test])
        for test in TESTS
        for part in ("train_auc", "test_auc")
    }


def state_of(row: Scores, test: str) -> str:
    """Say how a method stands in a test.

    Parameters
    ----------
    row : Scores
        With ``<test>_test_auc``.
    test : str
        Name of the test.

    Returns
    -------
    {"fails", "passes", "undecided"}
        Fails: the 95 % interval of the mean lies below 0.5. Passes: every draw
        reaches :data:`BOUND`.
    """
    values = row.values[f"{test}_test_auc"]
    if interval_of_mean(values)[1] < 0.5:
        return "fails"
    return "passes" if values.min() >= BOUND else "undecided"


def assumption_finding(rows: Sequence[Scores]) -> Finding:
    """Put the results of all methods into words.

    Parameters
    ----------
    rows : sequence of Scores
        With the areas under the curve of each test.

    Returns
    -------
    Finding
        Who passes all tests and who fails one; then, for each test that was failed,
        what the failure means, and what stays open.
    """
    states = {row.method: [state_of(row, test) for test in TESTS] for row in rows}
    kept = [name for name, found in states.items() if set(found) == {"passes"}]
    failed = [name for name, found in states.items() if "fails" in found]
    details = [_broken(rows, test) for test in TESTS]
    details += [_undecided(rows, test) for test in TESTS]
    return Finding(
        f"Pass all tests: {_list(kept)}. Fail one or more: {_list(failed)}.",
        tuple(text for text in details if text),
    )


def _broken(rows: Sequence[Scores], test: str) -> str:
    """Say who failed a test, with the numbers, and what that means."""
    key = f"{test}_test_auc"
    failed = [
        f"{row.method} {row.mean(key):.2f}"
        for row in rows
        if state_of(row, test) == "fails"
    ]
    return f"Fail {test}: {_list(failed)}. {_MEANING[test]}" if failed else ""


def _undecided(rows: Sequence[Scores], test: str) -> str:
    """Say for whom a test decides nothing."""
    open_ = [
        f"{row.method} ({row.mean(f'{test}_test_auc'):.2f} ± "
        f"{row.sd(f'{test}_test_auc'):.2f})"
        for row in rows
        if state_of(row, test) == "undecided"
    ]
    if not open_:
        return ""
    return (
        f"Undecided in {test}: {_list(open_)}, neither at least {BOUND} in every draw "
        "nor surely below 0.5. Too little was learned to tell."
    )


def _list(names: Sequence[str]) -> str:
    """Join names, or say that there is none."""
    if len(names) < 2:
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    return (
        f"check_mil_assumption, {settings.checks} draws of {settings.check_bags} "
        f"training and {settings.check_bags} test bags for each test, random_state 0 "
        f"to {settings.checks - 1}, also of the methods. The bags are made up, after "
        "Raff and Holt. Methods as above, without scaling.",
        "single-concept: one kind of instance makes bags positive. In training every "
        "negative bag, in testing every positive bag also holds a harmless instance "
        "that stands out. multi-concept: the same, with a pair of kinds.",
        "false-frequency: negative bags hold one instance of a harmless kind in "
        "training and about forty in testing.",
        f"Fails: the 95 % interval of the mean test AUC lies below 0.5. Passes: it is "
        f"at least {BOUND} in every draw. To pass is no proof that the assumption is "
        "kept; nor is to break it always wrong: where the absence of something does "
        "speak for a disease, a method that can use it will score better.",
    )
