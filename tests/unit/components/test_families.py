"""Families: one registration that stands for many parts with names of their own."""

from __future__ import annotations

import copy
import pickle

import pytest

from mlmi_sklearn import NetClassifier
from mlmi_sklearn.components import Component, find_component, list_components
from mlmi_sklearn.components import registry as module
from mlmi_sklearn.components.component import failures_in_use
from mlmi_sklearn.exceptions import (
    ComponentConflictError,
    ComponentNotFoundError,
    PluginError,
)
from mlmi_sklearn.specs import as_spec, make_spec

pytestmark = pytest.mark.filterwarnings("ignore::mlmi_sklearn.exceptions.PluginWarning")

ANIMALS = {"ape": 2, "bear.v1": 3}
CALLS: list[str] = []


def zoo(member):
    """Return the factory of one animal."""
    CALLS.append(member)
    if member == "exit":
        raise SystemExit(3)
    if member == "text":
        return "no factory"
    if member not in ANIMALS:
        raise ComponentNotFoundError(f"no animal {member!r}; there is an 'ape'.")

    def build(input_shape, legs=ANIMALS[member], fur=True):
        return member, input_shape, legs, fur

    return build


@pytest.fixture
def family(plugin, hook):
    """Return a function that makes a plugin with the family "zoo:*"."""

    def make(dist="mlmi-zoo", factory=zoo, name="zoo:*", **tags):
        tags = {"members": ("ape", "bear.v1"), "input": "image", **tags}
        call = (name, factory), {"tags": tags, "example": {"legs": 1}}
        return plugin(dist, mlmi_register_backbones=hook(call))

    return make


@pytest.fixture
def found(registry, family, monkeypatch):
    """Make a registry with one family that of this process, and return it."""
    CALLS.clear()
    made = registry(family())
    monkeypatch.setattr(module, "_REGISTRY", made)
    return made


def test_a_member_is_a_part_like_any_other(found):
    part = found.find("backbone", "zoo:ape")
    assert (part.name, part.member, part.dist) == ("zoo:ape", "ape", "mlmi-zoo")
    assert part.qualified_name == "mlmi-zoo:zoo:ape"
    assert part.third_party
    assert dict(part.tags) == {"input": "image"}
    assert dict(part.example) == {"legs": 1}
    assert list(part.parameters()) == ["legs", "fur"]
    assert part.build((3, 8), fur=False) == ("ape", (3, 8), 2, False)
    assert found.find("backbone", "zoo:bear.v1").build(())[2] == 3


@pytest.mark.parametrize(
    "name", ["mlmi-zoo:zoo:ape", "MLMI_zoo:zoo:ape", "mlmi.zoo:zoo:ape"]
)
def test_qualified_names_of_members(found, name):
    assert found.find("backbone", name) is found.find("backbone", "zoo:ape")


def test_its_factory_is_asked_once_for_each_member(found):
    for _ in range(3):
        found.find("backbone", "zoo:ape").build(())
        found.find("backbone", "mlmi-zoo:zoo:ape").load()
    assert CALLS == ["ape"]


def test_listing_asks_for_no_member(found):
    names = [part.name for part in found.select("backbone", input="image")]
    assert "zoo:*" in names
    assert "zoo:*" in [p.name for p in found.select(members="bear.v1")]
    assert CALLS == []


def test_a_lazy_family_is_not_imported_before_a_member_is_named(registry, family):
    found = registry(family(factory="no_such_module_zz:zoo"))
    assert "zoo:*" in [part.name for part in found.select("backbone")]
    with pytest.raises(PluginError, match=r"'mlmi-zoo', backbone 'zoo:ape': cannot im"):
        found.find("backbone", "zoo:ape")
    (info,) = [i for i in found.manager.infos() if i.dist == "mlmi-zoo"]
    assert (info.status, "no_such_module_zz" in info.error) == ("broken", True)


def test_a_misspelt_member_is_answered_by_the_family(found):
    for name in ("zoo:aep", "mlmi-zoo:zoo:aep"):
        with pytest.raises(ComponentNotFoundError, match="no animal 'aep'; there is"):
            found.find("backbone", name)
    with pytest.raises(ComponentNotFoundError, match="no animal 'aep'"):
        as_spec("backbone", "zoo:aep")
    assert not failures_in_use  # it is no fault of the plugin


def test_a_misspelt_prefix_is_answered_by_the_registry(found):
    with pytest.raises(ComponentNotFoundError, match="Did you mean 'zoo:ape'"):
        found.find("backbone", "zooo:ape")
    with pytest.raises(ComponentNotFoundError, match="no loss is called 'zoo:ape'"):
        found.find("loss", "zoo:ape")
    assert CALLS == []


@pytest.mark.parametrize("name", ["zoo:", "zoo", ":ape", "zooape"])
def test_half_names(found, name):
    with pytest.raises(ComponentNotFoundError, match="no backbone is called"):
        found.find("backbone", name)


@pytest.mark.parametrize("use", ["load", "parameters", "build"])
def test_the_family_itself_cannot_be_built(found, use):
    part = found.find("backbone", "zoo:*")
    assert part.is_family
    with pytest.raises(ValueError, match=r"stands for many; name one.*'zoo:ape'"):
        getattr(part, use)()


def test_members_that_are_given_as_examples(found):
    part = found.find("backbone", "zoo:*")
    assert [p.name for p in part.members()] == ["zoo:ape", "zoo:bear.v1"]
    assert part.members()[0] is found.find("backbone", "zoo:ape")
    assert part.members()[0].members() == [part.members()[0]]


@pytest.mark.parametrize(
    ("member", "text"), [("exit", "SystemExit: 3"), ("text", "a str, which is no fac")]
)
def test_a_family_that_fails_is_a_fault_of_its_plugin(found, member, text):
    with pytest.raises(PluginError, match=text) as caught:
        found.find("backbone", f"zoo:{member}")
    assert "distribution 'mlmi-zoo', backbone" in str(caught.value)
    (info,) = [i for i in found.manager.infos() if i.dist == "mlmi-zoo"]
    assert info.status == "broken"
    assert found.find("backbone", "zoo:ape").build(())[0] == "ape"


def test_two_families_with_one_prefix(registry, family):
    found = registry(family("aaa"), family("bbb"))
    with pytest.raises(ComponentConflictError, match="'aaa:zoo:ape' or 'bbb:zoo:ape'"):
        found.find("backbone", "zoo:ape")
    assert found.find("backbone", "bbb:zoo:ape").dist == "bbb"


def test_a_distribution_of_that_name_comes_first(registry, family, plugin, hook):
    other = plugin("zoo", mlmi_register_backbones=hook((("ape", dict), {})))
    found = registry(family(), other)
    assert found.find("backbone", "zoo:ape").dist == "zoo"
    assert found.find("backbone", "zoo:bear.v1").dist == "mlmi-zoo"
    assert found.find("backbone", "mlmi-zoo:zoo:ape").member == "ape"


def test_a_family_of_the_program(found):
    mine = Component("loss", "mine:*", zoo, tags={"members": ["ape"]})
    found.add(mine)
    assert found.find("loss", "mine:ape").build(())[0] == "ape"
    assert found.find("loss", "user:mine:ape").qualified_name == "user:mine:ape"
    found.remove("loss", "mine:*")
    with pytest.raises(ComponentNotFoundError):
        found.find("loss", "mine:ape")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("backbone", "Zoo:*"),
        ("backbone", ":*"),
        ("backbone", "a:b:*"),
        ("backbone", "zoo:ape"),
        ("backbone", "*"),
        ("backbone", "user:*"),
        ("backbone", "mlmi_sklearn:*"),
        ("estimator", "Zoo:*"),
    ],
)
def test_illegal_names(kind, name):
    with pytest.raises(ValueError, match=f"{kind} name {name!r}".replace("*", r"\*")):
        Component(kind, name, zoo, tags={"members": ("ape",)})


@pytest.mark.parametrize("members", [None, (), "ape", (1,), ("",), {"ape"}])
def test_a_family_must_name_some_members(members):
    with pytest.raises(ValueError, match=r"tags=\{'members': \('one', 'two'\)\}"):
        Component("backbone", "zoo:*", zoo, tags={"members": members})


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, "pickle"])
def test_copies_of_members(found, copied):
    part = found.find("backbone", "zoo:ape")
    twin = pickle.loads(pickle.dumps(part)) if copied == "pickle" else copied(part)
    assert twin == part
    assert twin.build((1,)) == part.build((1,))


# -- in specs and estimators ---------------------------------------------------


def test_specs_know_the_parameters_of_their_member(found):
    ape, bear = make_spec("backbone", "zoo:ape"), make_spec("backbone", "zoo:bear.v1")
    assert (ape.get_params(), bear.get_params()["legs"]) == (
        {"fur": True, "legs": 2},
        3,
    )
    assert repr(bear.set_params(fur=False)) == "ZooBearV1Backbone(fur=False)"
    assert ape.component() is find_component("backbone", "zoo:ape")
    assert pickle.loads(pickle.dumps(bear)).get_params() == bear.get_params()
    with pytest.raises(ValueError, match="Did you mean 'legs'"):
        make_spec("backbone", "zoo:ape", leg=1)


def test_nested_parameters_of_an_estimator(found):
    model = NetClassifier(backbone="zoo:ape").set_params(backbone__legs=7)
    assert model.get_params()["backbone__legs"] == 7
    model.set_params(backbone="zoo:bear.v1", backbone__fur=False)
    assert type(model.backbone).name == "zoo:bear.v1"
    assert model.get_params()["backbone__legs"] == 3
    # A name that was set with its distribution keeps it.
    model.set_params(backbone="mlmi-zoo:zoo:ape", backbone__legs=1)
    assert type(model.backbone).name == "mlmi-zoo:zoo:ape"


def test_the_registry_of_the_process_lists_it(found):
    assert "zoo:*" in [part.name for part in list_components("backbone")]
