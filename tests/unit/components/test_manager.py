"""The isolated loader, with plugins made of plain objects."""

from __future__ import annotations

import sys
import threading
import time
import warnings

import pytest

from mlmi_sklearn.components import HOOKS, PluginInfo, hookimpl
from mlmi_sklearn.components.hookspecs import hookspec
from mlmi_sklearn.components.manager import PluginManager
from mlmi_sklearn.exceptions import PluginError, PluginWarning


def raises(error):
    """Return a loader that fails."""

    def load():
        raise error

    return load


def statuses(registry):
    """Return status by distribution, without the warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        return {info.dist: info.status for info in registry.manager.infos()}


def error_of(registry, dist):
    """Return the reason that is listed for a distribution."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        [info] = [i for i in registry.manager.infos() if i.dist == dist]
    return info.error


def names_in_pluggy(registry):
    """Return the plugins that pluggy knows."""
    return {name for name, _ in registry.manager._pluggy.list_name_plugin()}


def test_builtins_need_no_plugin(registry, plugin):
    found = registry(plugin("bad", load=raises(AssertionError("imported"))))
    assert len(found.manager.builtins()) > 20
    assert found.manager._queue is None


def test_builtins_are_listed_first(registry, losses):
    infos = registry(losses("aaa", "x")).manager.infos()
    assert infos[0].name == "builtins"
    assert infos[0].dist == "mlmi-sklearn"
    assert infos[0].status == "ok"
    assert infos[1] == PluginInfo(
        "main", "aaa", "1.0", "ok", None, ("mlmi_register_losses",)
    )


@pytest.mark.parametrize(
    "error",
    [
        ImportError("no such thing"),
        SystemExit(1),
        RecursionError("too deep"),
        GeneratorExit(),
        MemoryError(),
        AssertionError(),
        Warning("as error"),
    ],
)
def test_a_failing_import_harms_no_other(registry, plugin, losses, error):
    found = registry(
        losses("aaa", "one"), plugin("bbb", load=raises(error)), losses("ccc", "two")
    )
    with pytest.warns(PluginWarning) as caught:
        assert found.find("loss", "two").dist == "ccc"
    assert len(caught) == 1
    assert "'bbb'" in str(caught[0].message)
    assert type(error).__name__ in error_of(found, "bbb")
    assert statuses(found) == {
        "mlmi-sklearn": "ok",
        "aaa": "ok",
        "bbb": "broken",
        "ccc": "ok",
    }


def test_the_warning_points_to_the_caller_and_comes_once(registry, plugin):
    found = registry(plugin("bad", load=raises(ImportError("gone"))))
    with pytest.warns(PluginWarning) as caught:
        found.manager.infos()
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.manager.infos()
        found.select()


def test_the_warning_says_how_to_be_rid_of_it(registry, plugin):
    found = registry(plugin("mlmi-bad", name="bad", load=raises(ImportError("gone"))))
    with pytest.warns(PluginWarning, match="MLMI_SKLEARN_DISABLE=bad"):
        found.select()


def test_warnings_as_errors_lose_nothing(registry, plugin, losses):
    found = registry(
        plugin("bad", load=raises(ImportError("one"))),
        losses("good", "x"),
        plugin("worse", load=raises(ImportError("two"))),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PluginWarning, match="one") as caught:
            found.find("loss", "x")
        assert "two" in caught.value.__notes__[0]
        assert found.find("loss", "x").dist == "good"
        assert [i.status for i in found.manager.infos()] == [
            "ok",
            "broken",
            "ok",
            "broken",
        ]


def test_ctrl_c_stops_and_the_next_call_goes_on(registry, plugin, losses):
    attempts = []

    def load():
        attempts.append(1)
        if len(attempts) == 1:
            raise KeyboardInterrupt
        raise ImportError("gone")

    first = losses("aaa", "x")
    found = registry(first, plugin("bbb", load=load), losses("ccc", "y"))
    with pytest.raises(KeyboardInterrupt):
        found.select()
    assert not found.manager.loading
    assert statuses(found) == {
        "mlmi-sklearn": "ok",
        "aaa": "ok",
        "bbb": "broken",
        "ccc": "ok",
    }
    assert len(attempts) == 2


def test_half_of_a_plugin_is_no_plugin(registry, plugin, hook):
    found = registry(
        plugin(
            "half",
            mlmi_register_backbones=hook((("fine", dict), {})),
            mlmi_register_losses=hook((("also-fine", dict), {}), (("BAD", dict), {})),
        )
    )
    assert "BAD" in error_of(found, "half")
    assert [p for p in found.select() if p.third_party] == []
    assert not any(name.startswith("half") for name in names_in_pluggy(found))


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ((("Bad Name", dict), {}), "lower-case"),
        ((("x", 3), {}), "must be a callable"),
        ((("x", "nonsense"), {}), "'package.module:attribute'"),
        ((("x", dict), {"summary": "  "}), "summary of loss 'x' is empty"),
        ((("x", dict), {"summary": 3}), "must be a str"),
        ((("x", dict), {"tags": "abc"}), "tags of loss 'x' must be a mapping"),
        ((("x", dict), {"example": [1]}), "example of loss 'x' must be a mapping"),
        ((("x",), {}), "missing 1 required positional argument: 'factory'"),
        ((("x", dict), {"colour": 1}), "unexpected keyword argument 'colour'"),
        (((None, dict), {}), "must be a str"),
        ((("auto", dict), {}), "reserved"),
    ],
)
def test_wrong_registrations(registry, plugin, hook, call, reason):
    found = registry(plugin("bad", mlmi_register_losses=hook(call)))
    assert reason in error_of(found, "bad")


def test_summary_is_required(registry, plugin):
    @hookimpl
    def mlmi_register_losses(register):
        register("x", dict)

    found = registry(plugin("bad", mlmi_register_losses=mlmi_register_losses))
    reason = error_of(found, "bad")
    assert "missing 1 required keyword-only argument: 'summary'" in reason
    assert "test_manager.py, line" in reason


def test_same_name_twice_in_one_distribution(registry, losses):
    assert "registered twice" in error_of(registry(losses("bad", "x", "x")), "bad")
    found = registry(losses("d", "x", name="one"), losses("D", "x", name="two"))
    assert statuses(found)["D"] == "broken"
    assert found.find("loss", "x").qualified_name == "d:x"


def test_same_object_under_two_names(registry, losses, plugin):
    first = losses("aaa", "x")
    second = plugin("bbb", load=first.load)
    assert "same object as that of plugin 'aaa:main'" in error_of(
        registry(first, second), "bbb"
    )


def test_the_distribution_user_is_reserved(registry, losses):
    assert "reserved" in error_of(registry(losses("User", "x")), "User")


def test_register_cannot_be_kept_for_later(registry, plugin):
    kept = []

    @hookimpl
    def mlmi_register_losses(register):
        kept.append(register)

    found = registry(plugin("sly", mlmi_register_losses=mlmi_register_losses))
    assert statuses(found)["sly"] == "ok"
    with pytest.raises(PluginError, match="after the hooks had returned"):
        kept[0]("x", dict, summary="Too late.")
    assert not [p for p in found.select() if p.third_party]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_registers_its_kind(registry, plugin, hook, name):
    kind = HOOKS[name]
    part = "Thing" if kind == "estimator" else "thing"
    call = ((part, "builtins:dict"), {"tags": {"a": 1}, "example": {"b": 2}})
    found = registry(plugin("mlmi-x", **{name: hook(call)}))
    got = found.find(kind, part)
    assert (got.kind, got.dist, got.version) == (kind, "mlmi-x", "1.0")
    assert (dict(got.tags), dict(got.example)) == ({"a": 1}, {"b": 2})
    assert found.manager.infos()[1].hooks == (name,)


def test_misspelt_hook_lists_close_matches(registry, plugin, hook):
    found = registry(plugin("typo", mlmi_register_loses=hook()))
    reason = error_of(found, "typo")
    assert "unknown hook 'mlmi_register_loses'" in reason
    assert "Did you mean 'mlmi_register_losses'" in reason


def test_misspelt_hook_without_decorator_is_found_too(registry, plugin):
    for name in ("mlmi_register_loses", "mlmi_regster_losses"):
        found = registry(plugin("typo", **{name: lambda register: None}))
        assert f"unknown hook '{name}'" in error_of(found, "typo")


def test_hook_with_any_other_name_is_unknown(registry, plugin, hook):
    found = registry(plugin("typo", setup_everything=hook()))
    assert "unknown hook 'setup_everything'" in error_of(found, "typo")
    found = registry(plugin("typo", good=hook(specname="mlmi_register_loss")))
    assert "unknown hook 'mlmi_register_loss'" in error_of(found, "typo")


def test_a_hook_may_have_another_name_in_the_plugin(registry, plugin, hook):
    mine = hook((("x", dict), {}), specname="mlmi_register_losses")
    assert registry(plugin("d", mine=mine)).find("loss", "x").dist == "d"


def test_forgotten_decorator_is_an_error(registry, plugin):
    found = registry(plugin("bare", mlmi_register_losses=lambda register: None))
    assert "mlmi_register_losses lacks the decorator" in error_of(found, "bare")


def test_optional_hook_may_be_unknown(registry, plugin, hook):
    future = hook(optionalhook=True)
    assert statuses(registry(plugin("new", mlmi_register_moons=future)))["new"] == "ok"


def test_harmless_names_are_left_alone(registry, plugin, hook):
    @hookspec
    def mlmi_register_backbones(register): ...

    found = registry(
        plugin(
            "d",
            mlmi_register_losses=hook((("x", dict), {})),
            mlmi_register_backbones=mlmi_register_backbones,
            mlmi_register_count=3,
            mlmi_version="1",
        )
    )
    assert error_of(found, "d") is None


def test_plugin_without_hooks_is_broken(registry, plugin):
    assert "implements no hook" in error_of(registry(plugin("empty")), "empty")


def bad_signatures():
    """Yield hooks that could never do their work."""

    def none(): ...

    def other(registry): ...

    def two(register, more): ...

    def default(register=None): ...

    def keyword(*, register): ...

    def star(*register): ...

    return [none, other, two, default, keyword, star]


@pytest.mark.parametrize("function", bad_signatures(), ids=lambda f: f.__name__)
def test_bad_signature(registry, plugin, function):
    found = registry(plugin("bad", mlmi_register_losses=hookimpl(function)))
    reason = error_of(found, "bad")
    assert "bad signature mlmi_register_losses(" in reason
    assert "def mlmi_register_losses(register)" in reason


def test_hooks_whose_body_would_not_run(registry, plugin):
    def generator(register):
        yield register

    async def coroutine(register): ...

    for function in (generator, coroutine):
        found = registry(plugin("bad", mlmi_register_losses=hookimpl(function)))
        assert "would never run" in error_of(found, "bad")
    wrapper = hookimpl(wrapper=True)(generator)
    found = registry(plugin("bad", mlmi_register_losses=wrapper))
    assert "hook wrapper" in error_of(found, "bad")


def test_plugin_may_be_an_instance(registry, plugin):
    class Plugin:
        @hookimpl
        def mlmi_register_losses(self, register):
            register("x", dict, summary="X.")

        @staticmethod
        @hookimpl
        def mlmi_register_poolings(register):
            register("y", dict, summary="Y.")

    instance = Plugin()
    found = registry(plugin("d", load=lambda: instance))
    assert found.find("loss", "x").dist == found.find("pooling", "y").dist == "d"
    # The class itself lacks `self`.
    found = registry(plugin("d", load=lambda: Plugin))
    assert "bad signature" in error_of(found, "d")


def test_odd_objects_are_broken_and_harm_no_other(registry, plugin, losses):
    class Unhashable:
        __hash__ = None

        @hookimpl
        def mlmi_register_losses(self, register):
            register("u", dict, summary="U.")

    class Nasty:
        def __dir__(self):
            raise SystemExit("dir")

    found = registry(
        plugin("aaa", load=Unhashable),
        plugin("bbb", load=Nasty),
        plugin("ccc", load=lambda: None),
        losses("ddd", "x"),
    )
    assert statuses(found) == {
        "mlmi-sklearn": "ok",
        "aaa": "broken",
        "bbb": "broken",
        "ccc": "broken",
        "ddd": "ok",
    }
    assert found.find("loss", "x").dist == "ddd"


def test_each_hook_sees_only_its_own_plugin(registry, losses):
    found = registry(losses("aaa", "x"), losses("bbb", "y"), losses("ccc", "z"))
    assert {p.name: p.dist for p in found.select("loss") if p.third_party} == {
        "x": "aaa",
        "y": "bbb",
        "z": "ccc",
    }


def test_standard_output_stays_clean(registry, plugin, hook, capsys):
    def load():
        print("noise at import")
        return plugin("d", mlmi_register_losses=hook((("x", dict), {}))).load()

    registry(plugin("d", load=load)).find("loss", "x")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "noise at import\n"


def test_output_works_where_there_is_no_standard_error(
    registry, plugin, hook, monkeypatch
):
    def load():
        print("noise at import")
        return plugin("d", mlmi_register_losses=hook((("x", dict), {}))).load()

    monkeypatch.setattr(sys, "stderr", None)
    assert registry(plugin("d", load=load)).find("loss", "x").dist == "d"


def test_a_plugin_may_look_names_up_while_it_loads(registry, plugin, hook, losses):
    seen = {}

    def load():
        seen["mlp"] = found.find("backbone", "mlp").dist
        seen["x"] = found.find("loss", "x").dist
        seen["infos"] = [info.dist for info in found.manager.infos()]
        return plugin("bbb", mlmi_register_losses=hook((("y", dict), {}))).load()

    found = registry(
        plugin("aaa", load=raises(ImportError("gone"))),
        losses("aab", "x"),
        plugin("bbb", load=load),
    )
    with pytest.warns(PluginWarning) as caught:
        assert found.find("loss", "y").dist == "bbb"
    assert len(caught) == 1
    assert seen == {
        "mlp": "mlmi-sklearn",
        "x": "aab",
        "infos": ["mlmi-sklearn", "aaa", "aab"],
    }


def test_threads_load_once(registry, plugin, hook):
    loads = []

    def load():
        loads.append(threading.get_ident())
        time.sleep(0.05)
        return plugin("d", mlmi_register_losses=hook((("x", dict), {}))).load()

    found = registry(plugin("d", load=load))
    barrier = threading.Barrier(8)
    results = []

    def work():
        barrier.wait()
        results.append(found.find("loss", "x").dist)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["d"] * 8
    assert len(loads) == 1


@pytest.mark.parametrize("value", ["none", "NONE", " none "])
def test_all_plugins_off(registry, plugin, value):
    bomb = plugin("bad", load=raises(AssertionError("imported")))
    found = registry(bomb, MLMI_SKLEARN_PLUGINS=value)
    info = found.manager.infos()[1]
    assert (info.status, info.hooks) == ("disabled", ())
    assert info.error == "switched off by MLMI_SKLEARN_PLUGINS=none"
    assert found.find("backbone", "mlp").dist == "mlmi-sklearn"


def test_only_some_plugins(registry, losses):
    three = [losses("mlmi_Aaa", "x", name="a"), losses("bbb", "y"), losses("ccc", "z")]
    found = registry(*three, MLMI_SKLEARN_PLUGINS="mlmi-aaa, bbb")
    assert statuses(found) == {
        "mlmi-sklearn": "ok",
        "mlmi_Aaa": "ok",
        "bbb": "ok",
        "ccc": "disabled",
    }
    by_entry_point = registry(*three, MLMI_SKLEARN_PLUGINS="a")
    assert statuses(by_entry_point)["mlmi_Aaa"] == "ok"
    assert statuses(by_entry_point)["bbb"] == "disabled"


def test_disabling_wins(registry, losses):
    three = [losses("aaa", "x", name="a"), losses("bbb", "y", name="b")]
    found = registry(
        *three, MLMI_SKLEARN_PLUGINS="aaa,bbb", MLMI_SKLEARN_DISABLE="b,absent"
    )
    assert statuses(found)["aaa"] == "ok"
    assert statuses(found)["bbb"] == "disabled"
    assert "MLMI_SKLEARN_DISABLE=b,absent" in error_of(found, "bbb")


def test_builtins_cannot_be_switched_off(registry):
    found = registry(
        MLMI_SKLEARN_PLUGINS="none", MLMI_SKLEARN_DISABLE="mlmi-sklearn,builtins"
    )
    assert found.manager.infos()[0].status == "ok"
    assert found.find("loss", "mse").dist == "mlmi-sklearn"


def test_asking_for_a_plugin_that_is_not_there(registry, losses):
    found = registry(losses("mlmi-fancy", "x"), MLMI_SKLEARN_PLUGINS="mlmi-fanci")
    with pytest.warns(PluginWarning, match="'mlmi-fanci'.*mean 'mlmi-fancy'"):
        found.select()


def test_empty_switches_count_as_unset(registry, losses):
    found = registry(
        losses("d", "x"), MLMI_SKLEARN_PLUGINS="", MLMI_SKLEARN_DISABLE=" , "
    )
    assert statuses(found)["d"] == "ok"


def test_the_order_of_discovery_is_not_changed_by_the_manager(losses):
    order = [losses("bbb", "x"), losses("aaa", "y")]
    manager = PluginManager(lambda: order, {})
    assert [info.dist for info in manager.infos()] == ["mlmi-sklearn", "bbb", "aaa"]


def test_failure_in_use_is_listed(registry, losses):
    found = registry(losses("mlmi-boom", "x", factory="builtins:next"))
    info = found.manager.infos()[1]
    assert (info.status, info.error) == ("ok", None)
    for _ in range(2):
        with pytest.raises(PluginError, match="mlmi-boom"):
            found.find("loss", "x").build(iter(()))
    info = found.manager.infos()[1]
    assert info.status == "broken"
    assert info.error == "loss 'x': failed: StopIteration."


def test_clash_with_a_builtin_is_reported_once_and_listed(registry, losses):
    found = registry(losses("mlmi-clash", "mse", "other"))
    with pytest.warns(PluginWarning) as caught:
        assert found.find("loss", "other").dist == "mlmi-clash"
    assert [str(w.message) for w in caught] == [
        "loss 'mse' is a built-in name and keeps that meaning; use 'mlmi-clash:mse'."
    ]
    assert found.find("loss", "mse").dist == "mlmi-sklearn"
    assert found.find("loss", "mlmi-clash:mse").dist == "mlmi-clash"
    info = found.manager.infos()[1]
    assert info.status == "ok"
    assert info.error == str(caught[0].message)


def test_clash_between_plugins_is_reported_once_and_listed_with_both(registry, losses):
    found = registry(losses("aaa", "x"), losses("bbb", "x"), losses("ccc", "y"))
    with pytest.warns(PluginWarning) as caught:
        infos = found.manager.infos()
    assert [str(w.message) for w in caught] == [
        "loss 'x' is registered by several distributions; use 'aaa:x' or 'bbb:x'."
    ]
    assert [bool(info.error) for info in infos] == [False, True, True, False]
