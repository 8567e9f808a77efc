"""Specs of all kinds of part, and their pages: parameters, examples, addresses."""

import doctest
import functools
import inspect
import re
import subprocess
import sys

import numpy as np
import pytest

import mlmi_sklearn
from mlmi_sklearn import CGANSampler, MAMLClassifier, TileGrid, list_components
from mlmi_sklearn.components import KINDS, register_component, unregister_component
from mlmi_sklearn.meta_learning.methods import resolve_method
from mlmi_sklearn.nn.augmentations import Noise
from mlmi_sklearn.nn.tasks import MetaMethod
from mlmi_sklearn.specs import as_spec, make_spec, spec_class, spec_names
from mlmi_sklearn.specs.classes import builtin_specs
from mlmi_sklearn.specs.pages import documented

docscrape = pytest.importorskip("numpydoc.docscrape")

NAMES = spec_names()
SIZES = {"latent_dim": 4, "output_shape": (1, 16, 16), "map_channels": 1}


def get(name):
    return getattr(mlmi_sklearn, name)


def page(cls):
    return docscrape.NumpyDocString(inspect.getdoc(cls))


@pytest.fixture
def spec_of():
    """Register a factory for one test and return its spec class."""
    added = []

    def add(factory, kind="backbone", **facts):
        register_component(kind, "mine", factory, **facts)
        added.append(kind)
        return spec_class(kind, "mine")

    yield add
    for kind in added:
        unregister_component(kind, "mine")


# -- kinds and names -------------------------------------------------------------------


def test_no_two_parts_have_a_spec_of_one_name():
    parts = [c for c in list_components(builtin=True) if c.kind in kinds()]
    assert len(builtin_specs()) == len(parts) > 60
    assert not set(NAMES) & (set(mlmi_sklearn.__all__) | mlmi_sklearn._MODULES)


def kinds():
    return {kind for kind, _ in builtin_specs().values()}


def test_every_kind_that_estimators_take_has_specs():
    taken = {
        kind
        for _, cls in mlmi_sklearn.all_estimators()
        for kind in getattr(cls, "_components", {}).values()
    }
    assert taken <= kinds()
    assert set(KINDS) - kinds() == {"slide-reader", "estimator"}


def test_a_reader_of_slides_has_its_parameters_elsewhere():
    reader = make_spec("slide-reader", "image")
    with pytest.raises(ValueError, match="reader"):
        TileGrid(reader=reader).fit([np.ones((32, 32, 3))])


def test_names_and_dir_need_no_torch():
    code = (
        "import sys, mlmi_sklearn; names = set(dir(mlmi_sklearn));"
        "assert {'MLPBackbone', 'FlipAugmentation', 'HingeAdversarialLoss',"
        " 'ANILMetaMethod'} <= names; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- estimators that take them ---------------------------------------------------------


def test_a_sampler_takes_specs_of_its_loss_and_augmentations():
    X = np.random.default_rng(0).normal(size=(24, 3))
    change = mlmi_sklearn.NoiseAugmentation(sd=0.3)
    drop = mlmi_sklearn.FeatureDropoutAugmentation(rate=0.4)
    loss = mlmi_sklearn.LeastSquaresAdversarialLoss(smoothing=0.2)
    model = CGANSampler(augment=[change, drop], loss=loss, max_iter=2, random_state=0)
    model.fit(X, np.arange(24) % 2)
    assert "loss__smoothing" in model.get_params()
    used = model._net_options()["settings"].augment
    assert repr(used) == "Chain([Noise(sd=0.3), FeatureDropout(rate=0.4)])"
    assert model._recipe.parts["loss"].build().smoothing == 0.2


def test_meta_learning_takes_the_spec_of_a_method():
    X = np.random.default_rng(0).normal(size=(24, 3))
    spec = mlmi_sklearn.FOMAMLMetaMethod()
    model = MAMLClassifier(method=spec, max_epochs=1, episodes_per_epoch=1)
    y, groups = np.arange(24) % 2, np.arange(24) // 8
    assert model.fit(X, y, groups=groups).method is spec
    found = resolve_method(mlmi_sklearn.ReptileMetaMethod())
    assert found == resolve_method("reptile") != resolve_method("maml")


def test_a_kind_may_be_spelt_with_an_underscore():
    spec = mlmi_sklearn.ANILMetaMethod()
    assert as_spec("meta_method", spec) is as_spec("meta-method", spec) is spec
    with pytest.raises(ValueError, match="is a meta-method; pass a adversarial-loss"):
        as_spec("adversarial_loss", spec)


def test_two_hinge_losses_are_kept_apart():
    with pytest.raises(ValueError, match="is a loss; pass a adversarial-loss"):
        as_spec("adversarial-loss", mlmi_sklearn.HingeLoss())


# -- pages -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_page_describes_the_parameters_of_the_signature(name):
    cls = get(name)
    rows = page(cls)["Parameters"]
    assert [row.name for row in rows] == list(inspect.signature(cls).parameters)
    assert all(row.desc and row.type for row in rows)
    assert not any("Passed on" in line for row in rows for line in row.desc)
    assert page(cls)["Summary"][0].endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_leads_to_what_is_built(name):
    ((target, _),) = [row[0] for row in page(get(name))["See Also"][0][:1]]
    module, _, attribute = target.rpartition(".")
    kind, part = builtin_specs()[name]
    found = getattr(sys.modules[module], attribute)
    assert found is make_spec(kind, part).component().load()


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs_and_what_it_makes_can_be_built(name):
    cls = get(name)
    (test,) = doctest.DocTestFinder(recurse=False).find(cls, name, globs={})
    assert len(test.examples) == 2
    runner = doctest.DocTestRunner(verbose=False)
    assert runner.run(test, clear_globs=False) == (0, 2)
    spec = eval(test.examples[1].source, test.globs)
    same = spec.get_params() == cls().get_params()
    assert same == (not spec.get_params()), "shows no other value"
    component = spec.component()
    size = SIZES if component.kind == "generator" else component.example
    if name == "MLPGenerator":
        size = {"latent_dim": 4, "output_shape": (6,)}
    built = component.build(**{**size, **spec.get_params()})
    factory = component.load()
    assert isinstance(built, factory if inspect.isclass(factory) else MetaMethod)


def test_help_shows_signature_and_text():
    assert "hidden" in str(inspect.signature(mlmi_sklearn.MLPBackbone))
    assert mlmi_sklearn.MLPBackbone().__doc__ == mlmi_sklearn.MLPBackbone.__doc__


# -- of other factories ----------------------------------------------------------------


def described(input_shape, width, depth=2, *, norm="none"):
    """Return a net.

    Parameters
    ----------
    input_shape : tuple of int
        Shape.
    width, depth : int
        Its size.

        In two paragraphs.
    norm
        Kind of norm.

    Returns
    -------
    object
        A net.
    """


def test_parameters_that_share_a_text_have_it_each(spec_of):
    cls = spec_of(described, example={"input_shape": (3,), "width": 4})
    rows = {row.name: row for row in page(cls)["Parameters"]}
    assert list(rows) == ["width", "depth", "norm"]
    assert (
        rows["width"].desc
        == rows["depth"].desc
        == [
            "Its size.",
            "",
            "In two paragraphs.",
        ]
    )
    assert rows["norm"].desc == ["Kind of norm."]
    assert f"{described.__module__}.described" in cls.__doc__
    text = cls.__doc__
    assert (
        ">>> make_spec('backbone', 'mine', width=4)\ndescribedBackbone(width=4)\n"
        in text
    )


def test_a_partial_has_the_text_of_its_function(spec_of):
    cls = spec_of(functools.partial(described, width=3))
    assert page(cls)["Parameters"][0].desc[0] == "Its size."
    assert not page(cls)["See Also"]


def silent(input_shape, width: int, rate: "float" = 0.5, **others):
    pass


def test_what_a_factory_does_not_say_comes_from_its_signature(spec_of):
    cls = spec_of(silent)
    rows = page(cls)["Parameters"]
    assert [(r.name, r.type) for r in rows] == [
        ("width", "int"),
        ("rate", "float, default=0.5"),
    ]
    assert all(row.desc for row in rows)
    assert page(cls)["Summary"] == ["Spec of the backbone 'mine'."]
    assert not page(cls)["Raises"]  # it takes any parameter


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "Parameters",
        "Parameters\n----------",
        "Parameters\n----------\nwidth",
        "A. \n\nParameters\n---\n\n\nReturns\n-------\nwidth : int\n    Not this one.",
        ":param width: Of another style.",
        3,
    ],
)
def test_docstrings_that_say_nothing(text, spec_of):
    def factory(input_shape, width=1):
        pass

    factory.__doc__ = text
    assert "width : object, default=1\n" in spec_of(factory, summary="Mine.").__doc__


def test_classes_documented_by_their_base():
    class Louder(Noise):
        pass

    assert documented(Louder) == documented(Noise)


def test_members_of_a_family_and_qualified_names(spec_of):
    register_component(
        "augmentation", "zoo:*", lambda member: Noise, tags={"members": ("ape",)}
    )
    try:
        text = spec_class("augmentation", "zoo:bear").__doc__
    finally:
        unregister_component("augmentation", "zoo:*")
    assert "Spec of the augmentation 'zoo:bear'" in text
    assert "make_spec('augmentation', 'zoo:bear')" in text
    text = spec_class("backbone", "mlmi-sklearn:mlp").__doc__
    assert "make_spec('backbone', 'mlmi-sklearn:mlp', hidden=(64,))" in text
    assert re.search(r"^MLPBackbone\(hidden=\(64,\)\)$", text, re.MULTILINE)
