"""Toy components, registered for one test, and what the kit says about them."""

from __future__ import annotations

import pytest

from mlmi_sklearn.components import register_component, unregister_component
from mlmi_sklearn.testing import check_component


@pytest.fixture
def failures():
    """Return a function: kind and factory -> message of each failed check."""
    added = []

    def check(kind, factory, **registration):
        register_component(kind, "toy", factory, overwrite=True, **registration)
        added.append(kind)
        results = check_component(kind, "toy", on_fail=None)
        return {r.check: r.message for r in results if r.status == "failed"}

    yield check
    for kind in set(added):
        unregister_component(kind, "toy")
