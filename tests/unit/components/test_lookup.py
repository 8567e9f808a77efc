"""Which component a name stands for."""

from __future__ import annotations

import pytest

from mlmi_sklearn.components import Component, hookimpl
from mlmi_sklearn.components import registry as module
from mlmi_sklearn.components.lookup import Registry
from mlmi_sklearn.exceptions import (
    ComponentConflictError,
    ComponentNotFoundError,
    PluginError,
    PluginWarning,
)

pytestmark = pytest.mark.filterwarnings("ignore::mlmi_sklearn.exceptions.PluginWarning")


@pytest.fixture
def bomb(plugin):
    """Return a plugin whose import is noticed."""

    def load():
        raise AssertionError("a plugin was imported")

    return plugin("bomb", load=load)


def test_a_hit_among_builtins_loads_no_plugin(registry, bomb):
    found = registry(bomb)
    assert found.find("backbone", "mlp").dist == "mlmi-sklearn"
    assert found.find("backbone", "mlmi-sklearn:mlp").name == "mlp"
    assert found.find("backbone", "MLMI_sklearn:mlp").name == "mlp"
    assert found.select("loss", builtin=True)
    assert found.manager._queue is None


def test_a_hit_among_the_users_parts_loads_no_plugin(registry, bomb):
    found = registry(bomb)
    mine = found.add(Component("loss", "mine", sum))
    assert found.find("loss", "mine") is mine
    assert found.find("loss", "user:mine") is mine
    assert found.manager._queue is None


def test_names_of_one_kind_only(registry):
    with pytest.raises(ComponentNotFoundError, match="no loss is called 'mlp'"):
        registry().find("loss", "mlp")


def test_not_found_says_what_there_is(registry, losses):
    with pytest.raises(ComponentNotFoundError) as caught:
        registry(losses("d", "tversky")).find("loss", "tversy")
    text = str(caught.value)
    assert "no loss is called 'tversy'. Did you mean 'tversky'?" in text
    assert "Available: bce, cross-entropy," in text
    assert isinstance(caught.value, ValueError)


def test_not_found_names_plugins_that_might_have_had_it(registry, bomb, losses):
    found = registry(bomb, losses("quiet", "x"), MLMI_SKLEARN_DISABLE="quiet")
    with pytest.raises(ComponentNotFoundError) as caught:
        found.find("loss", "x")
    text = str(caught.value)
    assert "Plugin 'main' of 'bomb' is broken: AssertionError" in text
    assert "Plugin 'main' of 'quiet' is disabled: switched off" in text


def test_not_found_lists_what_there_is(registry):
    with pytest.raises(ComponentNotFoundError, match=r"'flip'.*Available: .*cutout"):
        registry().find("augmentation", "flp")


def test_qualified_not_found(registry, losses):
    with pytest.raises(ComponentNotFoundError, match="mean 'mlmi-d:x'"):
        registry(losses("mlmi-d", "x")).find("loss", "mlmi-e:x")
    with pytest.raises(ComponentNotFoundError):
        registry().find("loss", "mlmi-sklearn:absent")
    with pytest.raises(ComponentNotFoundError):
        registry().find("loss", ":mse")


@pytest.mark.parametrize("name", [None, 3, ("mlp",)])
def test_name_must_be_a_string(registry, name):
    with pytest.raises(TypeError, match="name must be a str"):
        registry().find("backbone", name)


def test_short_name_of_two_plugins_is_an_error_that_lists_both(registry, losses):
    found = registry(losses("aaa", "x"), losses("bbb", "x"))
    with pytest.raises(ComponentConflictError, match="'aaa:x' or 'bbb:x'"):
        found.find("loss", "x")
    assert found.find("loss", "aaa:x").dist == "aaa"
    assert found.find("loss", "bbb:x").dist == "bbb"


def test_distributions_are_compared_by_pep_503(registry, losses):
    found = registry(losses("My_Plugin", "x"))
    for spelling in ("My_Plugin", "my-plugin", "my.plugin"):
        assert found.find("loss", f"{spelling}:x").qualified_name == "My_Plugin:x"


def test_a_users_part_wins_over_a_plugins(registry, losses):
    for load_first in (True, False):
        found = registry(losses("d", "x"))
        if load_first:
            found.select()
        found.add(Component("loss", "x", max))
        assert found.find("loss", "x").dist == "user"
        assert found.find("loss", "d:x").dist == "d"


def test_a_user_cannot_replace_a_builtin(registry):
    with pytest.raises(ComponentConflictError, match="built in and cannot be replaced"):
        registry().add(Component("loss", "mse", sum), overwrite=True)


def test_overwrite(registry):
    found = registry()
    found.add(Component("loss", "x", sum))
    with pytest.raises(ComponentConflictError, match="overwrite=True"):
        found.add(Component("loss", "x", max))
    found.add(Component("loss", "x", max), overwrite=True)
    assert found.find("loss", "x").load() is max
    found.add(Component("backbone", "x", max))


def test_remove(registry):
    found = registry()
    found.add(Component("loss", "mine", sum))
    with pytest.raises(ComponentNotFoundError, match="mean 'mine'"):
        found.remove("loss", "mina")
    found.remove("loss", "user:mine")
    with pytest.raises(ComponentNotFoundError):
        found.remove("loss", "mine")
    with pytest.raises(ComponentNotFoundError):
        found.remove("loss", "mse")


def test_a_plugin_cannot_pose_as_the_user(registry, plugin):
    @hookimpl
    def mlmi_register_losses(register):
        found.add(Component("loss", "x", sum))

    found = registry(plugin("sly", mlmi_register_losses=mlmi_register_losses))
    with pytest.raises(ComponentNotFoundError, match="register their parts in their"):
        found.find("loss", "x")
    assert not found._user


def test_select_is_sorted_and_complete(registry, losses):
    found = registry(losses("zzz", "a", "mse"), losses("aaa", "a"))
    parts = found.select("loss")
    keys = [(p.name, p.dist) for p in parts]
    assert keys == sorted(keys)
    assert [k for k in keys if k[0] in ("a", "mse")] == [
        ("a", "aaa"),
        ("a", "zzz"),
        ("mse", "mlmi-sklearn"),
        ("mse", "zzz"),
    ]
    kinds = [p.kind for p in found.select()]
    assert kinds[0] == "backbone"
    assert kinds[-1] == "estimator"
    assert len(kinds) == len(found.select("loss")) + sum(k != "loss" for k in kinds)


def test_select_by_tags(registry, plugin, hook):
    calls = [
        (("a", dict), {"tags": {"input": ("image", "volume"), "deep": True}}),
        (("b", dict), {"tags": {"input": "volume"}}),
        (("c", dict), {}),
    ]
    found = registry(plugin("d", mlmi_register_backbones=hook(*calls)))

    def names(**tags):
        parts = found.select("backbone", **tags)
        return [p.name for p in parts if p.third_party]

    assert names() == ["a", "b", "c"]
    assert names(input="volume") == ["a", "b"]
    assert names(input="volume", deep=True) == ["a"]
    assert names(input=("image", "volume")) == ["a"]
    assert names(input="sequence") == []
    assert names(colour=None) == []


def test_select_builtin_leaves_the_others_out(registry, losses):
    found = registry(losses("d", "x"))
    found.add(Component("loss", "mine", sum))
    assert {p.dist for p in found.select("loss", builtin=True)} == {"mlmi-sklearn"}


def test_select_refuses_an_unknown_kind(registry):
    with pytest.raises(ComponentNotFoundError, match="Did you mean 'pooling'"):
        registry().select("poolings")


@pytest.fixture
def public(monkeypatch, registry, losses):
    """Return the public functions, working on a registry of their own."""

    def use(*candidates):
        monkeypatch.setattr(module, "_REGISTRY", registry(*candidates))
        return module

    return use


def test_public_functions(public, losses):
    functions = public(losses("d", "x"))
    assert functions.find_component("loss", "x").dist == "d"
    assert [i.dist for i in functions.list_plugins()] == ["mlmi-sklearn", "d"]
    part = functions.register_component(
        "loss",
        "mine",
        "builtins:sum",
        summary="Sum.",
        tags={"task": "regression"},
        example={"start": 0},
    )
    assert part in functions.list_components("loss", task="regression")
    assert part.dist == "user"
    with pytest.raises(ComponentConflictError):
        functions.register_component("loss", "mine", sum)
    functions.register_component("loss", "mine", max, overwrite=True)
    functions.unregister_component("loss", "mine")
    with pytest.raises(ComponentNotFoundError):
        functions.find_component("loss", "mine")


def test_summary_comes_from_the_docstring(public):
    def documented():
        """Do one thing.

        And another.
        """

    functions = public()
    assert functions.register_component("loss", "a", documented).summary == (
        "Do one thing."
    )
    assert functions.register_component("loss", "b", lambda: 1).summary == ""
    assert functions.register_component(
        "loss", "c", documented, summary="S"
    ).summary == ("S")


def test_register_component_checks_its_arguments(public):
    functions = public()
    with pytest.raises(ComponentNotFoundError, match="Did you mean 'loss'"):
        functions.register_component("losses", "x", sum)
    with pytest.raises(ValueError, match="loss name 'X'"):
        functions.register_component("loss", "X", sum)
    with pytest.raises(TypeError, match="factory of loss 'x'"):
        functions.register_component("loss", "x", 3)


def test_a_registry_makes_its_own_manager():
    assert Registry().manager is not Registry().manager


def test_plugin_errors_are_caught_by_one_class():
    assert issubclass(ComponentConflictError, PluginError)
    assert issubclass(ComponentNotFoundError, PluginError)
    assert issubclass(PluginWarning, UserWarning)
