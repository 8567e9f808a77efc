"""Every hook is explained, and used by a plugin here."""

from __future__ import annotations

import importlib.util
import inspect
import json
from pathlib import Path

import pytest

from mlmi_sklearn.components import HOOKS, KINDS, hookspecs
from mlmi_sklearn.components.hookspecs import GROUP

_spec = importlib.util.spec_from_file_location(
    "guide", Path(__file__).with_name("guide.py")
)
guide = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(guide)

SPECS = {
    name: function
    for name, function in vars(hookspecs).items()
    if hasattr(function, f"{GROUP}_spec")
}

# What a plugin registers, and an expression that uses it; `part` is the component.
USES = {
    "mlmi_register_backbones": (
        "class Part:\n"
        "    def __init__(self, input_shape, width=4):\n"
        "        self.out_features = width * len(input_shape)",
        "part.build((3, 3), width=5).out_features == 10",
    ),
    "mlmi_register_losses": (
        "class Part:\n"
        "    link = 'identity'\n"
        "    def __call__(self, raw, target):\n"
        "        return [abs(r - t) for r, t in zip(raw, target)]",
        "part.build()([1, 2], [3, 2]) == [2, 0]",
    ),
    "mlmi_register_poolings": (
        "class Part:\n"
        "    def __init__(self, in_features):\n"
        "        self.out_features = in_features",
        "part.build(8).out_features == 8",
    ),
    "mlmi_register_divergences": (
        "class Part:\n"
        "    adversarial = False\n"
        "    def __init__(self, in_features): ...\n"
        "    def __call__(self, zs, zt): return abs(sum(zs) - sum(zt))",
        "part.build(1)([1], [1]) == 0",
    ),
    "mlmi_register_adversarial_losses": (
        "class Part:\n"
        "    def discriminator(self, real, fake): return fake - real\n"
        "    def generator(self, fake): return -fake",
        "part.build().generator(2) == -2",
    ),
    "mlmi_register_augmentations": (
        "class Part:\n    def __call__(self, batch, generator): return batch[::-1]",
        "part.build()([1, 2], None) == [2, 1]",
    ),
    "mlmi_register_generators": (
        "class Part:\n"
        "    def __init__(self, latent_dim, output_shape, vector_size, map_channels):\n"
        "        self.size = latent_dim + vector_size\n"
        "    def __call__(self, z, vector, maps): return z + vector",
        "part.build(2, (3,), 1, 0)([1], [2], None) == [1, 2]",
    ),
    "mlmi_register_meta_methods": (
        "from mlmi_sklearn.nn.tasks import MetaMethod\n\n"
        "class Part(MetaMethod):\n"
        "    def changes(self, name): return name.endswith('bias')",
        "part.build(second_order=False).changes('head.bias')",
    ),
    "mlmi_register_slide_readers": (
        "class Part:\n"
        "    shape = (8, 9)\n"
        "    def __init__(self, path, level=0): self.level = level\n"
        "    def read(self, row, col, height, width): return row\n"
        "    def overview(self, step): return step",
        "part.build('a.svs', level=2).level == 2 and [*part.parameters()] == ['level']",
    ),
    "mlmi_register_estimators": (
        "class Part:\n    def fit(self, X, y): return self",
        "all_estimators()[-1] == ('Part', part.load())",
    ),
}


def test_hooks_are_those_of_the_specification():
    assert list(SPECS) == list(HOOKS)
    assert list(HOOKS.values()) == list(KINDS)
    assert len(HOOKS) == 10


@pytest.mark.parametrize("name", SPECS)
def test_every_hook_is_documented(name):
    text = inspect.getdoc(SPECS[name])
    assert "factory" in text
    assert len(text.split()) > 30
    assert text.splitlines()[0].endswith(".")


@pytest.mark.parametrize("name", SPECS)
def test_every_hook_takes_register_alone(name):
    assert list(inspect.signature(SPECS[name]).parameters) == ["register"]


def test_every_hook_is_used_below():
    assert set(USES) == set(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_every_hook_works(install, run, name):
    source, check = USES[name]
    part = "Part" if name == "mlmi_register_estimators" else "part"
    install(
        "zz-plugin",
        "from mlmi_sklearn.components import hookimpl\n\n"
        f"{source}\n\n"
        f"@hookimpl\ndef {name}(register):\n"
        f"    register({part!r}, 'zz_plugin:Part', summary='A.', tags={{'a': 1}})\n",
    )
    done = run(
        "from unittest import mock\n"
        "from mlmi_sklearn.components import *\n"
        "from mlmi_sklearn.components import estimators\n"
        f"part = find_component({HOOKS[name]!r}, {part!r})\n"
        f"assert part in list_components(a=1)\n"
        # The built-in estimators would be imported, and torch with them.
        "with mock.patch.object(estimators, 'list_components', lambda kind: [part]):\n"
        f"    print({check})"
    )
    assert done.stdout == "True\n", done.stderr


# -- the guide, docs/guides/plugins.md -------------------------------------------------


def example_of(hook):
    """Return name and text of the module that the guide shows for a hook."""
    section = guide.SECTIONS[hook]
    [name] = [name for name in guide.FILES if f"**`{name}`**" in section]
    return name, guide.FILES[name]


@pytest.mark.parametrize("name", SPECS)
def test_every_hook_has_a_section_with_an_example(name):
    file, source = example_of(name)
    words = guide.SECTIONS[name].partition("```")[0].split()
    assert len(words) > 15
    assert f"def {name}(register):" in source
    assert file == name.replace("mlmi_register_", "my_") + ".py"


def test_sections_are_in_the_order_of_the_hooks():
    assert [title for title in guide.SECTIONS if title in SPECS] == list(SPECS)


CHECK_ALL = """
    import json, sys
    from mlmi_sklearn.components import list_components, list_plugins
    from mlmi_sklearn.testing import check_plugin

    found = {}
    for info in list_plugins()[1:]:
        assert info.error is None, info
        results = check_plugin(info.dist, on_fail=None)
        parts = [p for p in list_components() if p.dist == info.dist]
        found[info.hooks[0]] = [
            [part.kind for part in parts],
            [r.message for r in results if r.status == "failed"],
            sum(r.status == "passed" for r in results),
        ]
    print(json.dumps(found))
"""


def test_the_examples_of_the_guide_pass_the_checks_of_their_kinds(install, run):
    for hook in SPECS:
        file, source = example_of(hook)
        module = file.removesuffix(".py")
        install(module.replace("_", "-"), source)
    done = run(CHECK_ALL)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == set(SPECS)
    for hook, (kinds, failures, passed) in found.items():
        assert kinds == [HOOKS[hook]]
        assert failures == []
        assert passed > 1
