"""How values are written: names, what is shared, and what is said of others."""

import enum
import functools
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import special
from sklearn.base import BaseEstimator
from sklearn.feature_selection import f_classif
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KDTree
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, StandardScaler
from sklearn.svm import SVC

from mlmi_sklearn import MILClassifier, NetClassifier
from mlmi_sklearn.base.parts import Part
from mlmi_sklearn.exceptions import PersistenceError
from mlmi_sklearn.persistence import foreign
from mlmi_sklearn.persistence.api import _CODECS
from mlmi_sklearn.persistence.classes import _name_among, class_name, find_class
from mlmi_sklearn.persistence.codec import Writer
from mlmi_sklearn.persistence.layers import find_layer, layer_name
from mlmi_sklearn.persistence.names import find_named, name_of
from mlmi_sklearn.persistence.refusal import refusal_for


class Own(BaseEstimator):
    def __init__(self, part=None):
        self.part = part

    def get_params(self, deep=True):
        if deep:
            raise RuntimeError("it cannot list them")
        return {"part": self.part}


@pytest.fixture
def writer():
    return Writer(_CODECS, lambda value, path: f"<{path}: {value!r}>")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("net_.weight[0]", "net.weight.0"),
        ("steps[0][1].coef_", "steps.0.1.coef"),
        ("a['x y']", "a.x.y"),
        ("", "array"),
        ("ü☢", "array"),
        ("..a..", "a"),
        ("n" * 200, "n" * 150),
    ],
)
def test_arrays_are_named_by_where_they_are(writer, path, name):
    array = np.zeros(1)
    assert writer.add_array(array, path) == name
    assert writer.arrays[name] is array


def test_arrays_of_one_name_are_numbered(writer):
    arrays = [np.full(1, i) for i in range(4)]
    names = [writer.add_array(array, "net[0]") for array in arrays]
    assert names == ["net.0", "net.0.2", "net.0.3", "net.0.4"]
    assert [writer.arrays[name][0] for name in names] == [0, 1, 2, 3]


def test_each_item_is_named_by_its_place(writer):
    a, b = np.zeros(2), np.ones(2)
    nodes = writer.pack([a, (b,), {"k": [np.ones(1)]}], "x")
    assert list(writer.arrays) == ["x.0", "x.1.0", "x.2.k.0"]
    assert nodes[0] == {"is": "array", "dtype": "<f8", "shape": [2], "name": "x.0"}
    assert nodes[1]["items"] == [
        {"is": "array", "dtype": "<f8", "shape": [2], "name": "x.1.0"}
    ]


def test_what_is_there_twice_is_written_once_and_numbered(writer):
    a, b, once = np.zeros(1), np.ones(1), np.ones(3)
    nodes = writer.pack([a, once, b, b, a, a], "x")
    assert [node.get("id") for node in nodes] == [0, None, 1, 1, 0, 0] or [
        node.get("id") for node in nodes
    ] == [1, None, 0, 0, 1, 1]
    assert nodes[3:] == [{"is": "same", "id": nodes[i]["id"]} for i in (2, 0, 0)]
    assert "id" not in nodes[1]
    assert len(writer.arrays) == 3


def test_values_may_be_nested_to_a_depth_that_is_read_again(writer):
    def nested(n):
        value = []
        for _ in range(n - 1):
            value = [value]
        return value

    assert writer.pack(nested(101), "x") == nested(101)
    with pytest.raises(PersistenceError) as caught:
        writer.pack(nested(102), "x")
    place = "x" + "[0]" * 101
    assert str(caught.value) == f"{place} is nested deeply, which a file cannot hold."
    # Not because of the one that was refused, nor of many side by side.
    assert writer.pack([nested(90)] * 2 + [[[1]]] * 200, "x")


def test_a_loop_is_refused_where_it_closes(writer):
    loop = [1]
    loop.append({"again": loop})
    with pytest.raises(PersistenceError) as caught:
        writer.pack(loop, "x")
    told = "x[1]['again'] refers to itself, which a file cannot hold."
    assert str(caught.value) == told
    twice = [1, 2]
    assert writer.pack([twice, twice], "x") == [twice, twice]


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize("value", [Colour.RED, functools.partial(len), object])
def test_what_nothing_handles_is_refused_by_its_path(writer, value):
    if value is object:
        value = object()
    with pytest.raises(PersistenceError) as caught:
        writer.pack([0, {"k": value}], "x")
    assert str(caught.value) == f"<x[1]['k']: {value!r}>"


def test_keys_are_refused_as_keys(writer):
    with pytest.raises(PersistenceError, match=r"^<a key of x\[0\]: <built-in f"):
        writer.pack([{len: 1}], "x")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (np.zeros(1, [("a", int)]), "x"),
        (np.array([1, lambda: 1], object), "x[1]"),
        (np.ma.MaskedArray([lambda: 1], [False], object), "x.data[0]"),
        (slice(lambda: 1), "x"),
        (torch.nn.ModuleDict({"k": type("Own", (torch.nn.Module,), {})()}), "x.k"),
        ({"k": (1, lambda: 1)}, "x['k'][1]"),
    ],
)
def test_inside_of_others_too_it_is_the_path_that_is_named(writer, value, path):
    with pytest.raises(PersistenceError) as caught:
        writer.pack(value, "x")
    assert str(caught.value).lstrip("<").startswith(f"{path}: ")


def test_hooks_are_named_with_their_path(writer):
    net = torch.nn.Sequential(torch.nn.Linear(1, 1))
    net[0].register_forward_hook(lambda *args: None)
    with pytest.raises(PersistenceError) as caught:
        writer.pack(net, "net")
    assert str(caught.value) == (
        "net.0 is a module with hooks, which a file cannot hold. Remove them before "
        "saving."
    )


def test_compiled_types_that_are_not_known_to_be_safe_are_listed(writer, monkeypatch):
    pytest.importorskip("skops")
    X = np.arange(8.0).reshape(4, 2)
    value = {"k": KDTree(X)}
    monkeypatch.setattr(foreign, "_TRUSTED", [])
    with pytest.raises(PersistenceError) as caught:
        writer.pack(value, "x")
    assert str(caught.value) == (
        "x['k'] is made of types that are not known to be safe: "
        "sklearn.metrics._dist_metrics.EuclideanDistance64, "
        "sklearn.neighbors._kd_tree.KDTree. A file cannot hold it."
    )


def test_parts_of_scikit_learn_that_skops_cannot_write_are_named(writer):
    pytest.importorskip("skops")

    def reduce(self):
        raise TypeError("it cannot be taken apart")

    kind = type("Odd", (), {"__module__": "sklearn.odd", "__reduce__": reduce})
    with pytest.raises(PersistenceError, match=r"^x\[0\] cannot be saved: ") as caught:
        writer.pack([kind()], "x")
    assert isinstance(caught.value.__cause__, Exception)


def test_without_skops_the_part_that_needs_it_is_named(writer, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    monkeypatch.setitem(sys.modules, "skops", None)
    advice = (
        "needs the package skops, which is not installed: "
        'pip install "mlmi-sklearn[persistence]".'
    )
    with pytest.raises(PersistenceError) as caught:
        writer.pack([KDTree(np.ones((2, 2)))], "x")
    assert str(caught.value) == f"saving x[0], a KDTree of scikit-learn, {advice}"
    with pytest.raises(PersistenceError) as caught:
        foreign._skops("the file")
    assert str(caught.value) == f"the file {advice}"


# -- names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "role", "name"),
    [
        (SVC, "class", "sklearn.svm:SVC"),
        (Pipeline, "class", "sklearn.pipeline:Pipeline"),
        (LabelEncoder, "class", "sklearn.preprocessing:LabelEncoder"),
        (f_classif, "function", "sklearn.feature_selection:f_classif"),
        (accuracy_score, "function", "sklearn.metrics:accuracy_score"),
        (np.tanh, "function", "numpy:tanh"),
        (special.expit, "function", "scipy.special:expit"),
        (np.float32, "type", "numpy:float32"),
        (int, "type", "builtins:int"),
        (torch.optim.SGD, "type", "torch.optim:SGD"),
        (torch.optim.lr_scheduler.StepLR, "type", "torch.optim.lr_scheduler:StepLR"),
        (torch.nn.ReLU, "type", "torch.nn:ReLU"),
    ],
)
def test_names_of_classes_and_functions(value, role, name):
    assert name_of(value, role) == name
    assert find_named(name, role) is value
    for other in {"class", "function", "type"} - {role}:
        assert name_of(value, other) is None


@pytest.mark.parametrize(
    "value",
    [print, np.load, eval, make_pipeline, StandardScaler.fit, "SVC", 3, None, special],
)
def test_what_has_no_name(value):
    for role in ("class", "function", "type"):
        assert name_of(value, role) is None


def test_a_class_that_only_calls_itself_so_has_no_name():
    fake = type("SVC", (BaseEstimator,), {"__module__": "sklearn.svm"})
    assert name_of(fake, "class") is None
    part = type("Part", (), {"__module__": Part.__module__})
    assert class_name(part) == "inner:Part"  # it is asked for by its name alone
    elsewhere = type("Part", (), {"__module__": "mlmi_sklearn.base.other"})
    assert class_name(elsewhere) is None
    linear = type("Linear", (torch.nn.Module,), {"__module__": "torch.nn.modules"})
    assert layer_name(linear) is None


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (NetClassifier, "mlmi-sklearn:NetClassifier"),
        (Part, "inner:Part"),
        (SVC, "sklearn.svm:SVC"),
        (dict, None),
        (np.ndarray, None),
    ],
)
def test_names_of_classes_of_objects(cls, name):
    assert class_name(cls) == name
    if name is not None:
        assert find_class(name) is cls


@pytest.mark.parametrize("target", [Own, "a.b:Own", "a.b.Own", "a.b:Other.Own"])
def test_an_estimator_is_found_by_where_it_was_registered(target):
    def never():
        raise AssertionError("an estimator of another name was loaded")

    def part(name, factory, load):
        return SimpleNamespace(qualified_name=name, factory=factory, load=load)

    other = type("Own", (), {})
    parts = [
        part("x:Else", "a.b:Else", never),
        part("x:Owner", "a.Own:Owner", never),
        part("y:Own", "c:Own", lambda: other),
        part("x:Own", target, lambda: Own),
    ]
    assert _name_among(parts, Own) == "x:Own"
    assert _name_among(parts, other) == "y:Own"
    assert _name_among(parts[:3], Own) is None


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (torch.nn.Linear, "torch.nn:Linear"),
        (torch.nn.LazyLinear, None),
        (torch.nn.Module, None),
        (torch.nn.DataParallel, None),
    ],
)
def test_names_of_layers(cls, name):
    assert layer_name(cls) == name
    if name is not None:
        assert find_layer(name) is cls


# -- what is said ----------------------------------------------------------------------


class FitsAlone:
    def fit(self, X):
        return self


def own(value):
    return value


def refused(estimator, value, path):
    return refusal_for(estimator)(value, path)


REASON = "which a file cannot hold: loading would have to run code that it names."
PLAIN = "Pass a plain value, an array, or the name of a registered component."
CLASS = (
    "Register its class in a plugin (hook mlmi_register_estimators), or use an "
    "estimator of scikit-learn."
)
CALLBACKS = (
    "Callbacks matter in fit alone: set_params(callbacks=None) before saving, and "
    "give them again after loading."
)


def register(kind):
    return (
        f"Register it, and pass its name: "
        f'register_component("{kind}", "my-{kind}", factory) in your program, or '
        "a plugin, whose distribution and version are then recorded."
    )


@pytest.mark.parametrize(
    ("estimator", "value", "path", "what", "remedy"),
    [
        (NetClassifier(), own, "x", f"the function {__name__}.own", PLAIN),
        (NetClassifier(), Own, "x", f"the class {__name__}.Own", CLASS),
        (NetClassifier(), Own(), "x", f"an object of the class {__name__}.Own", CLASS),
        (
            NetClassifier(),
            FitsAlone(),
            "x",
            f"an object of the class {__name__}.FitsAlone",
            CLASS,
        ),
        (NetClassifier(), enum.Enum, "x", "the class enum.Enum", PLAIN),
        (
            NetClassifier(),
            [].append,
            "x",
            "the function list.append",
            PLAIN,
        ),
        (
            NetClassifier(),
            own,
            "loss",
            f"the function {__name__}.own",
            register("loss"),
        ),
        (
            NetClassifier(),
            own,
            "backbone.width[0]",
            f"the function {__name__}.own",
            register("backbone"),
        ),
        (
            MILClassifier(),
            own,
            "pooling",
            f"the function {__name__}.own",
            register("pooling"),
        ),
        (
            make_pipeline(StandardScaler(), NetClassifier()),
            own,
            "steps[1][1].loss",
            f"the function {__name__}.own",
            register("loss"),
        ),
        (
            make_pipeline(FunctionTransformer(), StandardScaler()),
            own,
            "steps[0][1].loss",
            f"the function {__name__}.own",
            PLAIN,
        ),
        (
            NetClassifier(),
            own,
            "callbacks[0][1]",
            f"the function {__name__}.own",
            CALLBACKS,
        ),
        (
            NetClassifier(),
            own,
            "a.callbacks[0].loss",
            f"the function {__name__}.own",
            register("loss"),
        ),
        (Own(), own, "loss", f"the function {__name__}.own", PLAIN),
    ],
)
def test_the_value_is_described_and_the_way_out(estimator, value, path, what, remedy):
    owner = type(estimator).__name__
    expected = f"{path} of {owner} is {what}, {REASON} {remedy}"
    assert refused(estimator, value, path) == expected
