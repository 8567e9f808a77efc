"""Plugins made of plain objects, and registries that know only those."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlmi_sklearn.components import hookimpl
from mlmi_sklearn.components.component import failures_in_use
from mlmi_sklearn.components.discovery import Candidate
from mlmi_sklearn.components.lookup import Registry
from mlmi_sklearn.components.manager import PluginManager


class Plugin(SimpleNamespace):
    """Stands for a module; hashable, as modules are."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


@pytest.fixture
def hook():
    """Return a function that makes a hook from what it should register."""

    def make(*calls, **options):
        @hookimpl(**options)
        def function(register):
            for args, kwargs in calls:
                register(*args, **{"summary": "A part.", **kwargs})

        return function

    return make


@pytest.fixture
def plugin():
    """Return a function that makes a candidate, from hooks or from `load`."""

    def make(dist, name="main", load=None, version="1.0", **hooks):
        content = Plugin(**hooks)
        return Candidate(name, dist, version, load or (lambda: content))

    return make


@pytest.fixture
def losses(plugin, hook):
    """Return a function that makes a plugin with losses of the given names."""

    def make(dist, *names, factory="builtins:sum", **options):
        calls = [((name, factory), {}) for name in names]
        return plugin(dist, mlmi_register_losses=hook(*calls), **options)

    return make


@pytest.fixture
def registry():
    """Return a function that makes a registry which finds only given plugins."""

    def make(*candidates, **environ):
        return Registry(PluginManager(lambda: list(candidates), environ))

    return make


@pytest.fixture(autouse=True)
def _clean_failures():
    failures_in_use.clear()
    yield
    failures_in_use.clear()
