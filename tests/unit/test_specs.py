"""Specs: names with parameters, and estimators that grow them from strings."""

import copy
import functools
import inspect
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.utils import estimator_html_repr
from torch import nn

import mlmi_sklearn
from mlmi_sklearn import (
    AutoBackbone,
    Bags,
    MILClassifier,
    MLPBackbone,
    NetClassifier,
    NetRegressor,
    register_component,
)
from mlmi_sklearn.components import unregister_component
from mlmi_sklearn.exceptions import ComponentNotFoundError, PluginError
from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.specs import ComponentSpec, as_spec, make_spec, spec_class
from mlmi_sklearn.specs.classes import builtin_specs

NAMES = sorted(builtin_specs().values())


@pytest.fixture
def bags():
    rng = np.random.default_rng(0)
    y = np.arange(16) % 2
    lengths = rng.integers(1, 4, 16)
    values = rng.normal(np.repeat(3 * y, lengths)[:, None], 1.0, (lengths.sum(), 4))
    return Bags(values, lengths), y


@pytest.fixture
def register():
    """Register components for one test."""
    added = []

    def add(kind, name, factory):
        register_component(kind, name, factory)
        added.append((kind, name))

    yield add
    for kind, name in added:
        unregister_component(kind, name)


def quick(**params):
    return MILClassifier(**{"max_epochs": 2, "random_state": 0, **params})


def narrow(input_shape, width=3):
    return MLP(input_shape, hidden=(width,))


# -- one spec ------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_every_builtin_component_has_a_spec_at_the_top(kind, name):
    spec = make_spec(kind, name)
    cls = getattr(mlmi_sklearn, type(spec).__name__)
    assert isinstance(cls(), ComponentSpec)
    assert (cls.kind, cls.name) == (kind, name)
    assert cls is type(spec)
    assert cls().component().name == name
    assert set(inspect.signature(cls).parameters) == set(cls().get_params())
    assert cls.__doc__


@pytest.mark.parametrize(("kind", "name"), NAMES)
@pytest.mark.parametrize(
    "copied",
    [clone, copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))],
    ids=["clone", "copy", "deepcopy", "pickle"],
)
def test_copies_of_specs(kind, name, copied):
    spec = make_spec(kind, name)
    for i, key in enumerate(spec.get_params()):
        spec.set_params(**{key: (i, "x")})
    other = copied(spec)
    assert other is not spec
    assert type(other) is type(spec)
    assert other.get_params() == spec.get_params()
    key = next(iter(other.get_params()), None)
    if key is not None:
        other.set_params(**{key: None})
        assert spec.get_params()[key] is not None


def test_a_pickle_of_a_spec_names_no_torch_module():
    assert b"torch" not in pickle.dumps(MLPBackbone(hidden=(3,)))


@pytest.mark.parametrize(
    "spec",
    [
        MLPBackbone(),
        MLPBackbone(hidden=(64, 32)),
        MLPBackbone(hidden=(3,), dropout=0.25, activation="gelu"),
        AutoBackbone(),
        AutoBackbone(hidden=(16,)),
        make_spec("loss", "focal", gamma=1.5),
        make_spec("pooling", "attention", heads=2),
    ],
    ids=repr,
)
def test_repr_evaluates_to_the_spec(spec):
    again = eval(repr(spec), vars(mlmi_sklearn) | {type(spec).__name__: type(spec)})
    assert again.get_params() == spec.get_params()


def test_repr_in_an_estimator():
    model = MILClassifier(backbone=MLPBackbone(hidden=(3,)), pooling="mean")
    assert repr(model) == (
        "MILClassifier(backbone=MLPBackbone(hidden=(3,)), pooling='mean')"
    )
    with config_context(print_changed_only=False):
        assert "dropout=0.0" in repr(MLPBackbone())


def test_repr_of_arrays_and_html():
    assert "array([3, 4])" in repr(MLPBackbone(hidden=np.array([3, 4])))
    assert "hidden" in estimator_html_repr(quick(backbone=MLPBackbone(hidden=(3,))))


def test_unknown_parameters_are_named_with_close_matches():
    for call in (
        lambda: MLPBackbone(hiden=3),
        lambda: MLPBackbone().set_params(hiden=3),
        lambda: make_spec("backbone", "mlp", hiden=3),
        lambda: quick(backbone="mlp").set_params(backbone__hiden=3),
        lambda: quick().set_params(backbone__hiden=3),
    ):
        with pytest.raises(ValueError, match=r"'hiden' for backbone .* 'hidden'"):
            call()
    with pytest.raises(ValueError, match=r"label_smoothng.*Did you mean"):
        quick().set_params(loss__label_smoothng=0.1)
    with pytest.raises(ValueError, match=r"Invalid parameter 'k' for pooling 'max'"):
        quick().set_params(pooling__k=1)


def test_a_refused_parameter_changes_nothing():
    spec = MLPBackbone(hidden=(3,))
    with pytest.raises(ValueError, match="hiden"):
        spec.set_params(dropout=0.5, hiden=3)
    assert spec.get_params() == MLPBackbone(hidden=(3,)).get_params()


def test_unknown_specs():
    assert not hasattr(mlmi_sklearn, "FooBackbone")
    with pytest.raises(ComponentNotFoundError, match="mlp"):
        make_spec("backbone", "mpl")
    with pytest.raises(ValueError, match="is a backbone; pass a pooling"):
        as_spec("pooling", MLPBackbone())
    with pytest.raises(ValueError, match="register_component"):
        as_spec("backbone", narrow)


# -- what the choice "auto" becomes --------------------------------------------


@pytest.mark.parametrize(
    ("shape", "name"),
    [((7,), "mlp"), ((8, 9), "conv"), ((3, 8, 8), "conv"), ((1, 8, 8, 8), "conv3d")],
)
def test_auto_chooses_by_the_shape(shape, name):
    assert AutoBackbone().resolve(shape).name == name


def test_auto_keeps_parameters_until_the_input_is_known(bags):
    spec = AutoBackbone(hidden=(5,))
    assert spec.resolve((4,)).get_params() == MLPBackbone(hidden=(5,)).get_params()
    model = quick(backbone=spec).fit(*bags)
    assert model.net_.module_.head.in_features == 5
    assert model.backbone is spec
    with pytest.raises(ValueError, match="'channels' for backbone 'mlp'"):
        quick().set_params(backbone__channels=(4,)).fit(*bags)
    with pytest.raises(ValueError, match=r"backbone='auto'.*shape \(2, 2, 2, 2, 2\)"):
        AutoBackbone().resolve((2,) * 5)


# -- strings that become specs -------------------------------------------------


@pytest.mark.parametrize("estimator", [MILClassifier, NetClassifier, NetRegressor])
def test_nested_parameters_promote_a_name(estimator):
    model = estimator(backbone="mlp")
    assert "backbone__hidden" not in model.get_params()
    assert model.set_params(backbone__hidden=(8,)) is model
    assert repr(model.backbone) == "MLPBackbone(hidden=(8,))"
    assert model.get_params()["backbone__hidden"] == (8,)
    assert model.get_params(deep=False).keys() == estimator().get_params().keys()


def test_promotion_after_a_name_in_the_same_call():
    model = quick().set_params(
        pooling__heads=2, pooling="attention", backbone__hidden=(3,), backbone="mlp"
    )
    assert repr(model.pooling) == "AttentionPooling(heads=2)"
    assert type(model.backbone) is MLPBackbone
    model.set_params(pooling="max")
    assert model.pooling == "max"


def test_clones_do_not_share_their_specs():
    model = quick().set_params(backbone__hidden=(8,))
    other = clone(model).set_params(backbone__hidden=(4,))
    assert model.backbone.hidden == (8,)
    assert other.backbone.hidden == (4,)


def test_clones_of_strings_do_not_promote_the_original():
    model = quick()
    clone(model).set_params(backbone__hidden=(4,))
    assert model.backbone == "auto"


def test_parameter_grid(bags):
    grid = ParameterGrid(
        [
            {"backbone": ["mlp", "auto"], "backbone__hidden": [(3,), (5,)]},
            {"backbone": [MLPBackbone(hidden=(7,), dropout=0.1)]},
            {"pooling": ["attention"], "pooling__hidden": [4], "level": ["embedding"]},
        ]
    )
    widths = [
        clone(quick()).set_params(**clone(point, safe=False)).fit(*bags)
        for point in grid
    ]
    widths = [model.net_.module_.backbone.out_features for model in widths]
    assert widths == [3, 5, 3, 5, 7, 64]


def test_parameters_reach_the_parts(bags):
    model = quick(pooling="gated-attention")
    model.set_params(pooling__heads=3, backbone__dropout=0.5, loss__label_smoothing=0.2)
    net = model.fit(*bags).net_
    assert net.module_.pooling.score.out_features == 3
    assert any(isinstance(m, nn.Dropout) and m.p == 0.5 for m in net.module_.modules())
    assert net.criterion_.label_smoothing == 0.2


def test_fit_changes_no_parameter(bags):
    model = quick(pooling="attention").set_params(
        backbone__hidden=(3,), pooling__heads=2
    )
    given = {k: id(v) for k, v in model.get_params().items()}
    model.fit(*bags)
    assert {k: id(v) for k, v in model.get_params().items()} == given


# -- modules and callables -----------------------------------------------------


def plain_module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh())


@pytest.mark.parametrize("estimator", [MILClassifier, NetClassifier, NetRegressor])
def test_a_module_is_copied_and_never_trained_in_place(estimator, bags):
    X = bags[0] if estimator is MILClassifier else [bag[0] for bag in bags[0]]
    module = plain_module().train()
    before = copy.deepcopy(module.state_dict())
    model = estimator(backbone=module, max_epochs=3, lr=0.1, random_state=0)
    model.fit(X, bags[1])
    trained = model.net_.module_.backbone
    assert model.backbone is module
    assert trained is not module
    assert not torch.equal(trained[0].weight, before["0.weight"].to(trained[0].weight))
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key])
        assert value.dtype == torch.float32
    assert module.training
    assert not hasattr(module, "out_features")
    assert all(p.grad is None for p in module.parameters())


def test_training_starts_at_the_weights_of_the_module(bags):
    module = plain_module()
    model = quick(backbone=module, lr=1e-12).fit(*bags)
    found = model.net_.module_.backbone[0].weight.float()
    torch.testing.assert_close(found, module[0].weight)


def test_a_module_in_clones_and_pickles(bags):
    model = quick(backbone=plain_module()).fit(*bags)
    expected = model.decision_function(bags[0])
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.decision_function(bags[0]), expected)
    again = clone(model).fit(*bags)
    assert np.array_equal(again.decision_function(bags[0]), expected)


@pytest.mark.parametrize(
    ("backbone", "width"),
    [
        (narrow, 3),
        (functools.partial(narrow, width=5), 5),
        (MLP, MLP((4,)).out_features),
        (lambda shape: nn.Linear(shape[0], 9), 9),
        (plain_module(), 6),
        (nn.Flatten(), 4),
    ],
    ids=["function", "partial", "class", "no-out_features", "module", "no-weights"],
)
def test_width_is_found_by_a_trial(backbone, width, bags):
    model = quick(backbone=backbone).fit(*bags)
    assert model.net_.module_.head.in_features == width
    assert model.transform(bags[0]).shape == (16, width)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("backbone", "error", "words"),
    [
        (nn.Linear(5, 2), ValueError, "Linear cannot take samples of shape (4,)"),
        (nn.Unflatten(1, (2, 2)), ValueError, "shape (n, features), got (2, 2, 2)"),
        (Pair(), ValueError, "got tuple"),
        (lambda shape: "net", TypeError, "must build an nn.Module, got str"),
        (nn.Flatten(0), ValueError, "shape (n, features), got (8,)"),
    ],
    ids=["input", "output", "pair", "no-module", "flat"],
)
def test_a_backbone_that_does_not_fit(backbone, error, words, bags):
    with pytest.raises(error) as caught:
        quick(backbone=backbone).fit(*bags)
    assert words in str(caught.value)
    assert "backbone" in str(caught.value)


def test_objects_without_parameters_cannot_be_searched():
    for backbone in (narrow, plain_module()):
        with pytest.raises(ValueError, match="register_component"):
            quick(backbone=backbone).set_params(backbone__width=3)


# -- components of the user ----------------------------------------------------


def test_a_registered_backbone_in_a_search(bags, register):
    register("backbone", "narrow", narrow)
    search = GridSearchCV(
        quick(), {"backbone": ["narrow"], "backbone__width": [2, 7]}, cv=2, n_jobs=1
    ).fit(*bags)
    best = search.best_estimator_
    assert best.backbone.width == best.net_.module_.head.in_features
    assert search.best_params_["backbone"] == "narrow"
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()


def test_registered_components_of_all_kinds(bags, register, tmp_path):
    class Softer(nn.Module):
        link = "softmax"

        def __init__(self, factor=0.5):
            super().__init__()
            self.factor = factor

        def forward(self, raw, target):
            target = target.to(raw.dtype)
            return self.factor * nn.functional.binary_cross_entropy_with_logits(
                raw[:, 0], target, reduction="none"
            )

    class Total(nn.Module):
        weighted_mean = False

        def __init__(self, in_features, power=1):
            super().__init__()
            self.out_features, self.power = in_features, power

        def forward(self, values, segments):
            weights = segments.broadcast(1 / segments.lengths.to(values.dtype))
            return segments.sum(values) ** self.power, weights

    register("backbone", "narrow", narrow)
    register("loss", "softer", Softer)
    register("pooling", "total", Total)
    model = quick(backbone="narrow", loss="softer", pooling="total")
    model.set_params(backbone__width=2, loss__factor=2.0, pooling__power=1)
    model.fit(*bags)
    assert repr(model.loss) == "SofterLoss(factor=2.0)"
    joblib.dump(model, tmp_path / "model")
    again = joblib.load(tmp_path / "model")
    expected = model.decision_function(bags[0])
    assert np.array_equal(again.decision_function(bags[0]), expected)
    total = np.array([s.sum() for s in model.instance_scores(bags[0])])
    np.testing.assert_allclose(expected, total, atol=1e-8)


class Callable:
    """A factory that can be called but neither hashed nor named."""

    __hash__ = None

    def __call__(self, input_shape, width=4):
        return narrow(input_shape, width)


@pytest.mark.parametrize(
    ("factory", "shown"),
    [
        (functools.partial(narrow, width=4), "MyNetBackbone(width=2)"),
        (lambda input_shape, width=4: narrow(input_shape, width), "MyNetBackbone"),
        (Callable(), "MyNetBackbone(width=2)"),
    ],
    ids=["partial", "lambda", "unhashable"],
)
def test_factories_without_a_name_of_their_own(factory, shown, bags, register):
    register("backbone", "my-net", factory)
    model = quick(backbone="my-net").fit(*bags)
    assert model.net_.module_.head.in_features == 4
    model.set_params(backbone__width=2).fit(*bags)
    assert model.net_.module_.head.in_features == 2
    assert repr(model.backbone).startswith(shown)


@pytest.mark.parametrize("word", ["kind", "name", "factory"])
def test_parameters_may_have_names_that_specs_use_too(word, bags, register):
    def net(input_shape, **params):
        assert params[word] == "gated"
        return narrow(input_shape)

    net.__signature__ = inspect.Signature(
        [
            inspect.Parameter("input_shape", inspect.Parameter.POSITIONAL_OR_KEYWORD),
            inspect.Parameter(word, inspect.Parameter.KEYWORD_ONLY, default="plain"),
        ]
    )
    register("backbone", "clashing", net)
    model = quick(backbone="clashing").set_params(**{f"backbone__{word}": "gated"})
    for copied in (clone, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))):
        other = copied(model).fit(*bags)
        assert other.backbone.get_params() == {word: "gated"}
    assert "gated" in repr(model.backbone)


def test_parameters_that_would_hide_a_method(register):
    register("backbone", "hiding", lambda input_shape, get_params=1: None)
    with pytest.raises(PluginError, match=r"'get_params'.*Rename"):
        make_spec("backbone", "hiding")


def test_a_parameter_without_default_must_be_set(bags, register):
    def net(input_shape, width):
        return narrow(input_shape, width)

    register("backbone", "wide", net)
    with pytest.raises(ValueError, match="no default for 'width': set backbone__width"):
        quick(backbone="wide").fit(*bags)
    model = quick(backbone="wide").set_params(backbone__width=3).fit(*bags)
    assert model.net_.module_.head.in_features == 3


def test_open_factories_take_any_parameter(bags, register):
    def net(input_shape, **params):
        return MLP(input_shape, **params)

    register("backbone", "open", net)
    model = quick(backbone="open").set_params(backbone__hidden=(3,)).fit(*bags)
    assert model.net_.module_.head.in_features == 3
    assert clone(model).backbone.get_params() == {"hidden": (3,)}


def test_a_name_registered_anew_has_a_new_spec():
    for width in (2, 5):
        register_component("backbone", "again", functools.partial(narrow, width=width))
        assert make_spec("backbone", "again").get_params() == {"width": width}
        unregister_component("backbone", "again")
    with pytest.raises(ComponentNotFoundError):
        make_spec("backbone", "again")


def test_qualified_names(bags):
    model = quick(backbone="mlmi-sklearn:mlp").set_params(backbone__hidden=(3,))
    assert model.fit(*bags).net_.module_.head.in_features == 3
    assert spec_class("backbone", "mlmi-sklearn:mlp") is not MLPBackbone
    assert type(model.backbone).__name__ == "MLPBackbone"
