"""One component: its fields, its factory, its parameters."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import sys
import types

import pytest

from mlmi_sklearn.components import Component
from mlmi_sklearn.components.component import describe_error, failures_in_use
from mlmi_sklearn.exceptions import ComponentNotFoundError, PluginError


def tiny(input_shape, hidden=(8,), *, dropout=0.0):
    """Build nothing."""
    return input_shape, hidden, dropout


class Pool:
    """Take the size of the input first, as poolings do."""

    def __init__(self, in_features, heads=1):
        self.made = in_features, heads


@pytest.fixture
def module(monkeypatch):
    """Return a module that lazy factories can name."""
    made = types.ModuleType("lazy_module")
    made.number = 3
    made.Outer = types.SimpleNamespace(inner=tiny)
    made.tiny = tiny
    monkeypatch.setitem(sys.modules, "lazy_module", made)
    return made


def test_fields_have_defaults():
    part = Component("backbone", "tiny", tiny)
    assert (part.dist, part.version, part.summary) == ("user", "", "")
    assert dict(part.tags) == dict(part.example) == {}
    assert part.qualified_name == "user:tiny"
    assert part.label == "backbone 'tiny'"


def test_kind_is_normalised():
    assert Component("Adversarial_Loss", "x", tiny).kind == "adversarial-loss"


def test_it_is_frozen_all_the_way():
    tags = {"input": "vector"}
    part = Component("backbone", "tiny", tiny, tags=tags)
    tags["input"] = "image"
    assert part.tags["input"] == "vector"
    with pytest.raises(AttributeError):
        part.name = "other"
    with pytest.raises(TypeError):
        part.tags["input"] = "image"


def test_equality_hash_copy_and_pickle():
    part = Component(
        "backbone", "tiny", "builtins:dict", "S.", {"a": [1]}, {"b": {}}, "d", "1"
    )
    part.load()
    for other in (
        copy.copy(part),
        copy.deepcopy(part),
        pickle.loads(pickle.dumps(part)),
    ):
        assert other == part
        assert hash(other) == hash(part)
        assert other.load() is dict
    assert part != Component("backbone", "tiny", "builtins:dict", "S.", dist="other")


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"kind": "los"}, ComponentNotFoundError, "Did you mean 'loss'"),
        ({"name": "Bad Name"}, ValueError, "lower-case"),
        ({"factory": 3}, TypeError, "factory of loss 'x' must be a callable.*int: 3"),
        ({"factory": None}, TypeError, "must be a callable"),
        ({"factory": "no_colon"}, ValueError, "must look like 'package.module:attrib"),
        ({"factory": ":attr"}, ValueError, "must look like"),
        ({"factory": "mod:"}, ValueError, "must look like"),
        ({"factory": "mod:a b"}, ValueError, "must look like"),
        ({"factory": "import os; os:x"}, ValueError, "must look like"),
        ({"summary": None}, TypeError, "summary of loss 'x' must be a str"),
        ({"tags": [("a", 1)]}, TypeError, "tags of loss 'x' must be a mapping"),
        ({"example": None}, TypeError, "example of loss 'x' must be a mapping"),
        ({"tags": {"not key": 1}}, ValueError, "usable as keyword"),
        ({"tags": {3: 1}}, ValueError, "usable as keyword"),
        ({"tags": {"kind": 1}}, ValueError, "has the key 'kind'"),
        ({"tags": {"builtin": 1}}, ValueError, "other than"),
    ],
)
def test_bad_fields_are_refused(change, error, match):
    fields = {"kind": "loss", "name": "x", "factory": tiny, **change}
    with pytest.raises(error, match=match):
        Component(**fields)


def test_example_may_have_the_key_kind():
    assert Component("loss", "x", tiny, example={"kind": 1}).example["kind"] == 1


def test_callable_loads_as_itself():
    assert Component("backbone", "tiny", tiny).load() is tiny


@pytest.mark.parametrize("path", ["lazy_module:tiny", "lazy_module:Outer.inner"])
def test_lazy_factory_is_imported_on_demand(module, path):
    assert Component("backbone", "tiny", path).load() is tiny


def test_lazy_factory_is_resolved_once(module):
    part = Component("backbone", "tiny", "lazy_module:tiny")
    first = part.load()
    module.tiny = dict
    assert part.load() is first


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_such_module_zz:x", "ModuleNotFoundError: No module named"),
        ("lazy_module:absent", "AttributeError: module 'lazy_module' has no"),
        ("lazy_module:number", "int, which cannot be called"),
    ],
)
def test_failed_import_names_distribution_and_part(module, path, reason):
    part = Component("loss", "odd", path, dist="mlmi-odd")
    with pytest.raises(PluginError, match=reason) as caught:
        part.load()
    assert "'mlmi-odd'" in str(caught.value)
    assert "loss 'odd'" in str(caught.value)


def test_failed_import_is_tried_again(monkeypatch):
    part = Component("loss", "odd", "late_module:x", dist="mlmi-odd")
    with pytest.raises(PluginError):
        part.load()
    assert len(failures_in_use) == 1
    monkeypatch.setitem(sys.modules, "late_module", types.SimpleNamespace(x=tiny))
    assert part.load() is tiny
    assert failures_in_use == {}


def test_sys_exit_in_a_lazy_module_becomes_an_error(tmp_path, monkeypatch):
    (tmp_path / "exits_at_import.py").write_text("import sys; sys.exit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="SystemExit: 3"):
        Component("loss", "odd", "exits_at_import:x", dist="mlmi-odd").load()


def test_estimators_must_be_classes():
    with pytest.raises(PluginError, match="is not a class"):
        Component("estimator", "Net", tiny).load()


def test_build_passes_arguments_on():
    assert Component("backbone", "tiny", tiny).build((3,), dropout=0.5) == (
        (3,),
        (8,),
        0.5,
    )


def raising(error):
    """Return a factory that raises."""

    def factory():
        raise error

    return factory


@pytest.mark.parametrize(
    "error", [RuntimeError("boom"), KeyError("k"), SystemExit(1), RecursionError()]
)
def test_failing_third_party_factory_is_wrapped(error):
    part = Component("loss", "boom", raising(error), dist="mlmi-odd", version="1")
    with pytest.raises(PluginError) as caught:
        part.build()
    text = str(caught.value)
    assert "'mlmi-odd'" in text
    assert "loss 'boom'" in text
    assert type(error).__name__ in text
    assert caught.value.__cause__ is error
    assert "boom" in failures_in_use["loss", "mlmi-odd", "boom"]


@pytest.mark.parametrize(
    "error", [ValueError("alpha"), TypeError("beta"), PluginError("gamma")]
)
def test_errors_about_arguments_pass(error):
    with pytest.raises(type(error)) as caught:
        Component("loss", "boom", raising(error), dist="mlmi-odd").build()
    assert caught.value is error
    assert failures_in_use == {}


def test_ctrl_c_passes():
    with pytest.raises(KeyboardInterrupt):
        Component("loss", "x", raising(KeyboardInterrupt()), dist="odd").build()


@pytest.mark.parametrize("dist", ["user", "mlmi-sklearn"])
def test_own_factories_are_not_wrapped(dist):
    with pytest.raises(RuntimeError, match=r"^boom$"):
        Component("loss", "boom", raising(RuntimeError("boom")), dist=dist).build()


def test_parameters_leave_the_input_size_out():
    assert list(Component("backbone", "t", tiny).parameters()) == ["hidden", "dropout"]
    assert list(Component("pooling", "p", Pool).parameters()) == ["heads"]
    assert list(Component("divergence", "p", Pool).parameters()) == ["heads"]
    found = Component("backbone", "t", tiny).parameters()
    assert found["hidden"].default == (8,)


def test_parameters_of_other_kinds_keep_the_first():
    assert list(Component("loss", "l", tiny).parameters()) == [
        "input_shape",
        "hidden",
        "dropout",
    ]


def test_parameters_skip_what_has_no_keyword():
    def odd(input_shape, /, *args, width=1, **rest): ...

    part = Component("backbone", "odd", odd)
    assert list(part.parameters()) == ["width"]
    assert part.takes_any_parameter
    assert not Component("backbone", "t", tiny).takes_any_parameter


def test_parameters_of_a_partial_and_of_a_keyword_only_factory():
    assert list(
        Component("backbone", "p", functools.partial(tiny, dropout=1.0)).parameters()
    ) == ["hidden", "dropout"]

    def keywords(*, input_shape, width): ...

    assert list(Component("backbone", "k", keywords).parameters()) == [
        "input_shape",
        "width",
    ]


def test_factory_without_signature_has_no_parameters():
    class Mute:
        __signature__ = "nonsense"

        def __call__(self): ...

    mute = Mute()
    with pytest.raises((ValueError, TypeError)):
        inspect.signature(mute)
    assert Component("loss", "mute", mute).parameters() == {}


def test_describe_error_is_one_short_line():
    text = describe_error(ValueError("a\n  b " + "x" * 1000))
    assert text.startswith("ValueError: a b x")
    assert "\n" not in text
    assert len(text) == 400
    assert describe_error(ValueError()) == "ValueError"


def test_describe_error_survives_a_hostile_message():
    class Hostile(Exception):
        def __str__(self):
            raise SystemExit(9)

    assert describe_error(Hostile()) == "Hostile: (its message cannot be shown)"
