"""What `mlmi-sklearn plugins check` says about a distribution."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from .._text import as_table
from ..components import Component
from ._core import CheckResult, ContractError, run_checks
from .components import component_checks
from .plugins import NothingToCheckError, plugin_components

__all__ = ["PartReport", "PluginReport", "report_on"]


@dataclass(frozen=True)
class PartReport:
    """What became of all checks of one part.

    Parameters
    ----------
    part : Component
        What was checked.
    results : list of CheckResult
        One for each check.
    """

    part: Component
    results: list[CheckResult]

    def count(self, status: str) -> int:
        """Return how many checks ended so."""
        return sum(result.status == status for result in self.results)

    @property
    def verdict(self) -> str:
        """All of it in a few words."""
        failed, skipped = self.count("failed"), self.count("skipped")
        text = f"{failed} FAILED" if failed else "ok"
        return f"{text}, {skipped} skipped" if skipped else text

    def problems(self) -> dict[str, list[str]]:
        """Return each problem with the names of the checks that met it."""
        found: dict[str, list[str]] = {}
        for result in self.results:
            if result.status == "failed":
                found.setdefault(_bare(result), []).append(result.check)
        return found


@dataclass(frozen=True)
class PluginReport:
    """What `mlmi-sklearn plugins check` has found out.

    Parameters
    ----------
    distribution : str
        As it was asked for.
    parts : list of PartReport
        One for each part.
    problem : str, default=""
        Why nothing could be checked.
    status : int, default=0
        Exit status: 0 if all is well, 1 for a fault of the plugin, 2 if there is
        nothing to check.

    Examples
    --------
    >>> print(PluginReport("mlmi-x", [], "it is switched off.", 2).as_text())
    Nothing of 'mlmi-x' was checked: it is switched off.
    """

    distribution: str
    parts: list[PartReport] = field(default_factory=list)
    problem: str = ""
    status: int = 0

    def as_text(self) -> str:
        """Return a table of the parts, what to mend, and a summary."""
        if self.problem:
            return f"Nothing of {self.distribution!r} was checked: {self.problem}"
        rows = [
            (one.part.kind, one.part.name, str(len(one.results)), one.verdict)
            for one in self.parts
        ]
        table = as_table(("KIND", "NAME", "CHECKS", "RESULT"), rows)
        mend = "\n".join(line for one in self.parts for line in _to_mend(one))
        return "\n\n".join(filter(None, [table, mend, self._summary()]))

    def as_record(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "distribution": self.distribution,
            "status": self.status,
            "problem": self.problem or None,
            "results": [
                {
                    "kind": one.part.kind,
                    "name": one.part.name,
                    "dist": one.part.dist,
                    "version": one.part.version,
                    **asdict(result),
                }
                for one in self.parts
                for result in one.results
            ],
        }

    def _summary(self) -> str:
        counts = Counter(r.status for one in self.parts for r in one.results)
        first = self.parts[0].part
        text = ", ".join(f"{counts[s]} {s}" for s in ("passed", "failed", "skipped"))
        n = len(self.parts)
        return f"{first.dist} {first.version}: {n} part{'s' * (n > 1)}, {text}."


def report_on(
    distribution: str,
    kind: str | None = None,
    tell: Callable[[str], None] = lambda part: None,
) -> PluginReport:
    """Check all that a distribution registers, whatever goes wrong.

    Parameters
    ----------
    distribution : str
        Name of the distribution.
    kind : str, default=None
        Only parts of this kind.
    tell : callable, default=None
        Is told what is about to be checked, since an estimator takes a minute.

    Returns
    -------
    PluginReport
        All results.

    Examples
    --------
    >>> from mlmi_sklearn.testing._report import report_on
    >>> print(report_on("mlmi-sklearn", "meta-method").as_text())
    KIND         NAME        CHECKS  RESULT
    ...
    """
    try:
        parts = plugin_components(distribution, kind)
    except ContractError as error:
        status = 2 if isinstance(error, NothingToCheckError) else 1
        return PluginReport(distribution, [], str(error), status)
    reports = []
    for part in parts:
        tell(part.label)
        reports.append(PartReport(part, run_checks(component_checks(part), None)))
    failed = any(one.count("failed") for one in reports)
    return PluginReport(distribution, reports, "", int(failed))


def _bare(result: CheckResult) -> str:
    """Return the message without what the report says anyway."""
    text = result.message.removeprefix(f"{result.subject} fails {result.check}: ")
    return text.rpartition(" (Rule: ")[0] or text


def _to_mend(one: PartReport) -> Iterator[str]:
    """Yield lines about each problem of a part: which checks, and what to do."""
    problems = one.problems()
    if problems:
        yield f"{one.part.label}:"
    for problem, checks in problems.items():
        yield from textwrap.wrap(
            f"{', '.join(checks)}: {problem}",
            88,
            initial_indent="  - ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
