"""The docstring of a spec: that of the component's factory, cut to what can be set."""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..components import Component
from ..components.naming import BUILTIN_DIST
from .uses import use_of

__all__ = ["Page", "documented"]

_HEADING = re.compile(r"^(\S.*)\n-{3,}[^\S\n]*(?:\n|$)", re.MULTILINE)
_ROW = re.compile(r"^(?=\S)", re.MULTILINE)

Lines = Iterator[str]


class Page:
    """The docstring of a spec class, written when it is read.

    Parameters
    ----------
    component : Component
        What the spec stands for.
    parameters : mapping of str to inspect.Parameter
        What can be set.

    Examples
    --------
    >>> from mlmi_sklearn import FocalLoss
    >>> print(FocalLoss.__doc__.splitlines()[0])
    Cross-entropy with less weight on easy samples.
    """

    def __init__(
        self, component: Component, parameters: Mapping[str, inspect.Parameter]
    ) -> None:
        self.component = component
        self.parameters = parameters

    def __get__(self, instance: object, owner: Any) -> str:
        """Return the text; a class asks for it as for any attribute."""
        lines = [*self._lead(owner), *self._parameters(), *self._raises()]
        return "\n".join([*lines, *self._see_also(), *self._examples(owner), ""])

    def _lead(self, owner: Any) -> Lines:
        spec = f"Spec of the {owner.kind} {owner.name!r}"
        summary = " ".join(self.component.summary.split()).rstrip(".") or spec
        yield from (f"{summary}.", "")
        yield from textwrap.wrap(
            f"{spec}: its parameters as an object, to be passed in place of the name. "
            "Nothing is built before ``fit``, which checks the values, too.",
            88,
        )

    def _parameters(self) -> Lines:
        if self.parameters:
            told = documented(self.component.load())
            yield from _title("Parameters")
            for name, parameter in self.parameters.items():
                yield told.get(name) or _from_signature(parameter)

    def _raises(self) -> Lines:
        if not self.component.takes_any_parameter:
            yield from _title("Raises")
            yield from ("ValueError", "    If there is no parameter of that name.")

    def _see_also(self) -> Lines:
        address = _address(self.component)
        if address:
            yield from _title("See Also")
            yield f"{address} : What ``fit`` builds from it."

    def _examples(self, owner: Any) -> Lines:
        """Yield a call with a value of its own, where a good one is known."""
        part, name = self.component, owner.__name__
        if part.dist == BUILTIN_DIST and part.name == owner.name:
            lead, place, words = f"mlmi_sklearn import {name}", name, []
        else:
            lead, place = "mlmi_sklearn.specs import make_spec", "make_spec"
            words = [repr(owner.kind), repr(owner.name)]
        use = use_of(part, self.parameters)
        words += [f"{key}={value!r}" for key, value in use.items()]
        yield from _title("Examples")
        yield from (f">>> from {lead}", f">>> {place}({', '.join(words)})")
        yield repr(owner(**use))


def documented(factory: Callable[..., Any]) -> dict[str, str]:
    """Return what a docstring says about each parameter.

    Parameters
    ----------
    factory : callable
        Its docstring has a section "Parameters" in the style of numpydoc, or not.

    Returns
    -------
    dict of str to str
        Name to its lines, the first with the type. Parameters that share a text are
        given it each.

    Examples
    --------
    >>> from mlmi_sklearn.nn.augmentations import Noise
    >>> print(documented(Noise)["sd"])
    sd : float, default=0.1
        Standard deviation, not negative.
    """
    while isinstance(factory, functools.partial):
        factory = factory.func
    found = {}
    for row in _ROW.split(_section(_docstring(factory), "Parameters")):
        head, _, text = row.strip().partition("\n")
        names, colon, kind = head.partition(" : ")
        for name in names.split(", ") if text.strip() else ():
            found[name] = f"{name}{colon}{kind}\n{text}"
    return found


def _docstring(factory: Callable[..., Any]) -> str:
    text = inspect.getdoc(factory)
    # Any object may call itself a docstring.
    return text if isinstance(text, str) else ""


def _section(text: str, title: str) -> str:
    """Return what stands below a heading, up to the next."""
    _, *parts = _HEADING.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True)).get(title, "")


def _from_signature(parameter: inspect.Parameter) -> str:
    """Say what is known of a parameter that the factory does not describe."""
    kind = parameter.annotation
    said = "object" if kind is parameter.empty else inspect.formatannotation(kind)
    given = parameter.default is not parameter.empty
    said = said.strip("'") + f", default={parameter.default!r}" * given
    return f"{parameter.name} : {said}\n    Passed on; its author says no more."


def _address(component: Component) -> str:
    """Return the dotted name of the factory, if it has one."""
    target = component.factory
    if isinstance(target, str):
        return "" if component.member else target.replace(":", ".")
    home = getattr(target, "__module__", None)
    name = getattr(target, "__qualname__", "<")
    return f"{home}.{name}" if home and "<" not in name else ""


def _title(title: str) -> Lines:
    yield from ("", title, "-" * len(title))
