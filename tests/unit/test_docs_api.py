"""Every public object has a complete page: what it takes, gives, raises, and a use.

Public are the names in ``__all__`` of the package and its public modules, and the
methods and properties of public classes, unless scikit-learn or PyTorch wrote them.
"""

import ast
import doctest
import inspect
import re
import runpy
import warnings
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlmi_sklearn
from mlmi_sklearn.specs import spec_names

docscrape = pytest.importorskip("numpydoc.docscrape")
validation = pytest.importorskip("numpydoc.validate")

# The modules that have a page on the site.
SITE = Path(__file__).parents[2] / "docs" / "_ext" / "api_sections.py"
MODULES = (
    "mlmi_sklearn",
    *(m for section in runpy.run_path(str(SITE))["SECTIONS"] for m in section.modules),
)

# Checks of numpydoc that are not asked for, and why.
NOT_ASKED = {
    "ES01": "many functions are said in one line; more would be filling",
    "EX01": "methods are shown in the example of their class; own test below",
    "SA01": "asked of estimators alone; own test below",
    "SA04": "the name of a related class often says enough",
}


# Nor these, of methods that skorch and PyTorch call and describe.
OVERRIDES = {"PR01": "arguments are as there", "RT01": "so is what they return"}


@cache
def public():
    """Return the public classes and functions under the shortest name of each."""
    found = {}
    for module in MODULES:
        holder = import_module(module)
        # Specs are attributes of their module, made when they are asked for.
        specs = spec_names() if module == "mlmi_sklearn.specs" else []
        for name in [*holder.__all__, *specs]:
            item = getattr(holder, name)
            if inspect.isclass(item) or inspect.isroutine(item):
                found.setdefault(id(item), (f"{module}.{name}", item))
    return dict(found.values())


def classes():
    return {n: item for n, item in public().items() if inspect.isclass(item)}


def own(item):
    return (getattr(item, "__module__", None) or "").startswith("mlmi_sklearn")


@cache
def members():
    """Return the public methods and properties that the package itself defines."""
    found = {}
    for owner, cls in classes().items():
        for name in dir(cls):
            raw = inspect.getattr_static(cls, name)
            function = plain(raw)
            public_one = inspect.isfunction(function) and not name.startswith("_")
            if public_one and own(function):
                found.setdefault(id(function), (f"{owner}.{name}", raw))
    return dict(found.values())


def overrides(name):
    """Whether skorch or PyTorch says what a method takes and gives."""
    owner, _, method = name.rpartition(".")
    cls = public().get(owner)
    others = [base for base in getattr(cls, "__mro__", ())[1:] if not own(base)]
    home = next((base.__module__ for base in others if method in vars(base)), "")
    return method != "forward" and home.startswith(("skorch.", "torch."))


def plain(item):
    """Return the function behind a class method or a property."""
    return getattr(item, "__func__", getattr(item, "fget", item))


def sections(item):
    return docscrape.NumpyDocString(inspect.getdoc(item) or "")


def report(problems):
    assert not problems, f"{len(problems)} problems:\n" + "\n".join(problems)


class Page(validation.Validator):
    """The checks of numpydoc, without reading source files for its own comments."""

    source_file_name = None
    source_file_def_line = None
    method_returns_something = False  # told by the annotation, in a test below

    def __init__(self, obj_name):
        super().__init__(docscrape.get_doc_object(self._load_obj(obj_name)))

    @cached_property
    def section_titles(self):
        return super().section_titles

    @property
    def parameter_mismatches(self):
        """The text may group what is passed by keyword alone."""
        found = super().parameter_mismatches
        listed, real = list(self.doc_all_parameters), self.signature_parameters
        order = [name for name in listed if name in self.by_position]
        in_order = order == [name for name in real if name in self.by_position]
        return [row for row in found if not (row[0] == "PR03" and in_order)]

    @property
    def by_position(self):
        parameters = inspect.signature(self.obj).parameters.values()
        return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    @property
    def signature_parameters(self):
        """A protocol is never called, so it has none."""
        protocol = getattr(self.obj, "_is_protocol", False)
        return () if protocol else super().signature_parameters


def complaints(name):
    excused = NOT_ASKED | (OVERRIDES if overrides(name) else {})
    for code, text in validation.validate(name, validator_cls=Page)["errors"]:
        if code not in excused:
            yield f"{name}: {code} {text}"


def test_numpydoc_finds_nothing():
    names = [*public(), *members()]
    report([line for name in names for line in complaints(name)])


# -- examples --------------------------------------------------------------------------


def test_every_class_and_function_has_an_example_of_its_use():
    problems = []
    for name, item in public().items():
        examples = doctest.DocTestParser().get_examples(inspect.getdoc(item) or "")
        source = "".join(example.source for example in examples)
        if not re.search(rf"\b{item.__name__}\b", source):
            problems.append(f"{name}: no example uses {item.__name__}")
        elif not any(example.want for example in examples):
            problems.append(f"{name}: its example shows no result")
        elif "SKIP" in inspect.getdoc(item):
            problems.append(f"{name}: its example is not run")
    report(problems)


def test_doctest_finds_every_example():
    problems = []
    for name, item in public().items():
        module = inspect.getmodule(item)
        made = item.__name__ in spec_names()  # run by test_specs_pages.py
        if not made and getattr(module, item.__name__, None) is not item:
            problems.append(f"{name}: pytest does not find it in {module.__name__}")
    report(problems)


def test_estimators_name_their_neighbours():
    found = dict(mlmi_sklearn.all_estimators())
    report([name for name, cls in found.items() if not sections(cls)["See Also"]])


# -- parameters ------------------------------------------------------------------------


def defaults(item):
    try:
        parameters = inspect.signature(item).parameters.values()
    except ValueError:
        return {}
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def same(said, place, value):
    if repr(value) == "<factory>":  # of a dataclass; all of ours are dict
        value = {}
    said = re.sub(r", which .*$", "", said)
    texts = (said, *said.split(", ")[place : place + 1])
    names = (str(value), getattr(value, "__name__", ""))
    return any(text in names or read(text) == value for text in texts)


def read(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def test_defaults_are_those_of_the_signature():
    problems = []
    for name, item in {**public(), **members()}.items():
        real = {} if isinstance(item, property) else defaults(plain(item))
        for row in sections(item)["Parameters"]:
            said = row.type.partition("default=")[2]
            for place, parameter in enumerate(row.name.split(", ")):
                value = real.get(parameter, inspect.Parameter.empty)
                if parameter in real and not same(said, place, value):
                    problems.append(f"{name}: {parameter} : {row.type} ({value!r})")
                if parameter not in real and said:
                    problems.append(f"{name}: {parameter} : {row.type} (none)")
    report(problems)


# -- returns and errors ----------------------------------------------------------------


def routines():
    """Return all functions, methods and properties with their functions."""
    for name, item in {**public(), **members()}.items():
        function = plain(item.__init__ if inspect.isclass(item) else item)
        if inspect.isfunction(function) and own(function):
            yield name, item, function


def test_what_is_returned_is_documented():
    problems = []
    for name, item, function in routines():
        given = inspect.signature(function).return_annotation
        nothing = given in (None, "None", "NoReturn")
        if inspect.isclass(item) or isinstance(item, property) or nothing:
            continue
        page = sections(item)
        if not (page["Returns"] or page["Yields"] or overrides(name)):
            problems.append(f"{name}: returns {given}")
    report(problems)


@cache
def functions_of(path):
    """Parse a file and return its functions by their first line."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            found[min(part.lineno for part in (node, *node.decorator_list))] = node
    return found


def raised(function):
    """Return the names of the errors that a function itself raises."""
    code = function.__code__
    if not Path(code.co_filename).is_file():  # written by dataclass
        return set()
    tree = functions_of(code.co_filename)[code.co_firstlineno]
    calls = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    names = [getattr(call, "func", call) for call in calls]
    return {name.id for name in names if isinstance(name, ast.Name)}


# An attribute that is not there, and scikit-learn's name for a bad value.
NOT_NAMED = {"AttributeError": None, "InvalidParameterError": "ValueError"}


def test_errors_are_documented():
    problems = []
    for name, item, function in routines():
        listed = " ".join(row.type or row.name for row in sections(item)["Raises"])
        for error in sorted(raised(function)):
            error = NOT_NAMED.get(error, error)
            known = not error or error in listed or not error[0].isupper()
            if not (known or overrides(name)):
                problems.append(f"{name}: raises {error}")
    report(problems)


# -- fitted attributes -----------------------------------------------------------------

QUICK = {"max_epochs": 1, "max_iter": 2, "n_estimators": 2, "finetune_steps": 1}
QUICK |= {"episodes_per_epoch": 1, "cv": 2, "n_components": 2, "random_state": 0}
# What an estimator of the table below has in other cases only, as its text says.
CONDITIONAL = re.compile(r"only|with ``mode", re.IGNORECASE)


def fitted(cls):
    """Fit as briefly as can be on a table with names of columns."""
    model = cls()
    known = model.get_params(deep=False)
    model.set_params(**{k: v for k, v in QUICK.items() if k in known})
    if "sampler" in known:
        model.set_params(sampler=mlmi_sklearn.CGANSampler(max_iter=2))
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(24, 3)), columns=list("abc"))
    y = np.arange(24) % 2
    if cls.__name__.endswith("Regressor"):
        y = y + 0.5 * X["a"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


def attributes(model):
    names = {n for n in dir(model) if n.endswith("_") and not n.startswith("_")}
    return {n for n in names - set(model.get_params(deep=False)) if hasattr(model, n)}


def test_attributes_of_estimators_are_those_after_fit():
    problems = []
    for name, cls in mlmi_sklearn.all_estimators():
        rows = sections(cls)["Attributes"]
        told = {n: " ".join(row.desc) for row in rows for n in row.name.split(", ")}
        there = attributes(fitted(cls))
        problems += [f"{name}: {n} has no text" for n in sorted(there - set(told))]
        missing = [
            n for n in told if n not in there and not CONDITIONAL.search(told[n])
        ]
        problems += [f"{name}: there is no {n}" for n in missing]
    report(problems)


# -- types -----------------------------------------------------------------------------


def test_every_signature_is_annotated():
    problems = []
    for name, _, function in routines():
        signature = inspect.signature(function)
        if signature.return_annotation is signature.empty:
            problems.append(f"{name}: no type of what it returns")
        for place, parameter in enumerate(signature.parameters.values()):
            untyped = parameter.annotation is parameter.empty
            if untyped and not (place == 0 and parameter.name in ("self", "cls")):
                problems.append(f"{name}: {parameter.name} has no type")
    report(problems)
