"""What all checks share: how one is made, run and reported.

A check is a function of one subject, a component or an estimator to be examined. The
first line of its docstring is the rule it stands for. It returns nothing if the rule
holds and raises :class:`ContractError` with what is wrong and what to do. Any other
exception comes from the subject and is reported as such.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from unittest import SkipTest

from ..components.component import describe_error
from ..exceptions import PluginError

__all__ = [
    "Check",
    "CheckResult",
    "ContractError",
    "fail",
    "fail_with",
    "place",
    "require",
    "run_checks",
]

# An error is looked for in the code that called these, not in these.
_LIBRARIES = {
    *("mlmi_sklearn", "torch", "numpy", "scipy", "pandas", "sklearn", "skorch"),
    *("joblib", "threading", "concurrent", "copy", "pickle", "functools"),
    *("pytest", "_pytest", "pluggy", "importlib", "contextlib", "unittest"),
}


class ContractError(AssertionError):
    """Raised when a component or an estimator breaks its contract.

    An :class:`AssertionError`, so test runners report it as a failed test.

    Examples
    --------
    >>> from mlmi_sklearn import find_component, register_component
    >>> from mlmi_sklearn.components import unregister_component
    >>> from mlmi_sklearn.testing import ContractError, check_component
    >>> part = register_component("loss", "mean", lambda: lambda raw, y: raw.mean())
    >>> try:
    ...     check_component("loss", "mean")
    ... except ContractError as error:
    ...     print("check_" in str(error))
    True
    >>> unregister_component("loss", "mean")
    """


@dataclass(frozen=True)
class CheckResult:
    """What became of one check.

    Parameters
    ----------
    subject : str
        What was examined, such as ``"pooling 'max' of 'mlmi-sklearn'"``.
    check : str
        Name of the check.
    status : {"passed", "failed", "skipped"}
        "skipped": it cannot be run here, for instance for want of a package.
    message : str, default=""
        Why it failed or was skipped.

    Examples
    --------
    >>> CheckResult("loss 'mse'", "check_link", "passed").status
    'passed'
    """

    subject: str
    check: str
    status: str
    message: str = ""


@dataclass(frozen=True)
class Check:
    """A rule that can be put to a subject.

    Parameters
    ----------
    function : callable
        Raises :class:`ContractError` if the subject breaks the rule.
    prepare : callable, default=None
        Turns what the check is called with into what `function` takes.
    label : callable, default=str
        Names what the check is called with, for messages.

    Examples
    --------
    >>> def check_positive(number):
    ...     "Numbers are positive."
    ...     require(number > 0, f"it is {number}.", "Add something.")
    >>> Check(check_positive)(3)
    >>> Check(check_positive)(-1)
    Traceback (most recent call last):
    mlmi_sklearn.testing._core.ContractError: -1 fails check_positive: it is -1. Add
    something. (Rule: Numbers are positive.)
    """

    function: Callable[[Any], None]
    prepare: Callable[[Any], Any] | None = None
    label: Callable[[Any], str] = str

    @property
    def name(self) -> str:
        """Name of the check."""
        return self.function.__name__

    @property
    def rule(self) -> str:
        """The rule in one sentence."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def __call__(self, subject: Any) -> None:
        """Put the rule to a subject.

        Parameters
        ----------
        subject : object
            A component or an estimator.

        Raises
        ------
        ContractError
            If it breaks the rule; the message names it, says what is wrong and how
            to mend it.
        """
        try:
            self.function(self.prepare(subject) if self.prepare else subject)
        except ContractError as error:
            raise self._error(subject, str(error)) from error
        except SkipTest:
            raise
        # A part that calls sys.exit must not end the run of all the others.
        except (Exception, SystemExit) as error:
            raise self._error(subject, _told(error)) from error

    def _error(self, subject: Any, problem: str) -> ContractError:
        rule = f" (Rule: {self.rule})" if self.rule else ""
        return ContractError(
            f"{self.label(subject)} fails {self.name}: {problem}{rule}"
        )


def place(error: BaseException) -> str:
    """Return file and line in the examined code that an error came from.

    Parameters
    ----------
    error : BaseException
        As it was caught.

    Returns
    -------
    str
        In brackets, after a space; empty if only libraries took part.

    Examples
    --------
    >>> place(ValueError("never raised"))
    ''
    """
    found, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _LIBRARIES and not code.co_filename.startswith("<"):
            found = f" ({Path(code.co_filename).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found


def _told(error: BaseException) -> str:
    """Say what was raised, where, and what usually mends it."""
    cause = error.__cause__
    # What users of a plugin are told is no news to its author; the reason behind it is.
    if isinstance(error, PluginError) and cause is not None:
        error = cause
    text = describe_error(error).rstrip(".")
    return f"it raised {text}{place(error)}.{_hint(error)}"


def _hint(error: BaseException) -> str:
    """Say what usually mends an error that is not one of the contract's."""
    text = str(error)
    if isinstance(error, TypeError) and "required positional argument" in text:
        return (
            " Give every parameter a default, or pass register(..., example={...}) "
            "with what the checks should pass. The docstrings of "
            "mlmi_sklearn.components.hookspecs say what is called with what."
        )
    if isinstance(error, TypeError) and "unexpected keyword argument" in text:
        return " The keys of example have to be parameters of the factory."
    if isinstance(error, TypeError) and "positional argument" in text:
        return " mlmi_sklearn.components.hookspecs says what is called with what."
    return ""


def require(condition: Any, problem: str, remedy: str = "") -> None:
    """Raise a ContractError unless a condition holds.

    Parameters
    ----------
    condition : bool
        What has to be true.
    problem, remedy : str
        Sentences for the message: what is wrong, and what to do about it.
    """
    if not condition:
        fail(problem, remedy)


def fail(problem: str, remedy: str = "") -> NoReturn:
    """Raise a ContractError.

    Parameters
    ----------
    problem, remedy : str
        As in :func:`require`.
    """
    raise ContractError(f"{problem} {remedy}".strip())


def fail_with(error: Exception, when: str, remedy: str = "") -> NoReturn:
    """Raise a ContractError about an exception of the subject.

    Parameters
    ----------
    error : Exception
        What it raised; a ContractError is raised again as it is.
    when : str
        What it was given, as the beginning of the sentence.
    remedy : str
        As in :func:`require`.
    """
    if isinstance(error, ContractError):
        raise error
    text = describe_error(error).rstrip(".")
    hint = _hint(error).strip() or remedy
    raise ContractError(
        f"{when} raised {text}{place(error)}. {hint}".strip()
    ) from error


def run_checks(
    pairs: Iterable[tuple[Any, Check]], on_fail: str | None = "raise"
) -> list[CheckResult]:
    """Run checks to the end and report.

    Parameters
    ----------
    pairs : iterable of (subject, Check)
        What to run.
    on_fail : {"raise", None}, default="raise"
        Whether to raise an error that lists all failures.

    Returns
    -------
    list of CheckResult
        One for each check.

    Raises
    ------
    ContractError
        If checks failed and `on_fail` is "raise".
    """
    if on_fail not in ("raise", None):
        raise ValueError(f"on_fail must be 'raise' or None, got {on_fail!r}.")
    results = [_run(subject, check) for subject, check in pairs]
    failures = [result.message for result in results if result.status == "failed"]
    if failures and on_fail == "raise":
        count = f"{len(failures)} of {len(results)} checks failed"
        lines = "".join(f"\n- {message}" for message in failures)
        raise ContractError(f"{count}:{lines}")
    return results


def _run(subject: Any, check: Check) -> CheckResult:
    status, message = "passed", ""
    try:
        check(subject)
    except ContractError as error:
        status, message = "failed", str(error)
    except SkipTest as reason:
        status, message = "skipped", str(reason)
    return CheckResult(check.label(subject), check.name, status, message)
