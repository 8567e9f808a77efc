"""What is wrong with a malformed value is said word for word, and what is right passes.

Beside each refusal stands the value next to it that is still allowed.
"""

import copy
import io
import re
import zipfile

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier

from mlmi_sklearn.exceptions import PersistenceError
from mlmi_sklearn.persistence.api import _BY_TAG
from mlmi_sklearn.persistence.codec import Reader, field_of

FLOATS = {"a": np.zeros(2)}
LONG = ["x" * 30] * 9


def unpack(node, arrays=None):
    return Reader(_BY_TAG, dict(arrays or {})).unpack(node)


def array(dtype="<f8", shape=(2,), **rest):
    return {"is": "array", "dtype": dtype, "shape": list(shape), "name": "a", **rest}


def parts_of(kind, *parts, **rest):
    return {"is": kind, "parts": list(parts), **rest}


def layer(**changes):
    node = {"is": "module", "class": "torch.nn:Linear", "hidden": []}
    node["attributes"] = {"is": "mapping", "type": "dict", "items": []}
    return {**node, "parameters": [], "buffers": [], "modules": [], **changes}


def mapping(*pairs):
    return {"is": "mapping", "type": "dict", "items": [list(pair) for pair in pairs]}


def tensor(dtype, **rest):
    return {"is": "tensor", "dtype": dtype, "data": array(), "grad": False, **rest}


def time(**changes):
    node = {"is": "time", "type": "Timestamp", "ticks": 1, "unit": "s", "zone": None}
    return {**node, **changes}


NESTED = "values are nested too deeply."
OUTSIDE = "which is not among those that a file may hold: "
LACKS = "which is not among the layers that a file may refer to, or which the "
REFUSED = [
    ({}, "there is no kind of value None."),
    ({"is": "pickle"}, "there is no kind of value 'pickle'."),
    ({"is": ["float"]}, "there is no kind of value ['float']."),
    ({"is": "same"}, "'same' needs 'id' of type int, got None."),
    ({"is": "same", "id": True}, "'same' needs 'id' of type int, got True."),
    ({"is": "float", "value": 1.5}, "'float' needs 'value' of type str, got 1.5."),
    (
        {"is": "float", "value": LONG},
        f"'float' needs 'value' of type str, got {str(LONG)[:60]}.",
    ),
    ({"is": "float", "value": "nan", "id": "0"}, "'float' needs 'id' of type int, "),
    # Arrays.
    ({**array(), "name": "b"}, "there is no array 'b'."),
    ({**array(), "name": 1}, "there is no array 1."),
    (array("O"), "there is no type 'O' of an array."),
    (array("x" * 99), f"there is no type {repr('x' * 99)[:60]} of an array."),
    (
        array("<f4"),
        "'array' should be float32 of shape (2,), but 'a' is float64 of shape (2,).",
    ),
    (
        array(shape=[3]),
        "'array' should be float64 of shape (3,), but 'a' is float64 of shape (2,).",
    ),
    (array(shape=[-1]), "'array' has the impossible shape [-1]."),
    (array(shape=[True]), "'array' has the impossible shape [True]."),
    (array(shape=[2**62]), f"'array' has the impossible shape [{2**62}]."),
    (
        array(shape=[1] * 33),
        f"'array' has the impossible shape {str([1] * 33)[:60]}.",
    ),
    (
        array("<c16", [1]),
        "'array' of shape (1,) and type complex128 needs 16 bytes.",
    ),
    (array("object", items=[1]), "'array' of shape (2,) has 1 items."),
    (
        parts_of("sparse", 1, 2, 3, type="csr_matrix", shape=[1, 1]),
        "'sparse' is not made of arrays.",
    ),
    (
        parts_of("sparse", array(), 2, 3, type="csr_array", shape=[1, 1]),
        "'sparse' is not made of arrays.",
    ),
    # Plain values.
    (mapping((1, 1), (1, 2)), "'mapping' has the key 1 twice."),
    (
        mapping(("k" * 99, 1), ("k" * 99, 2)),
        f"'mapping' has the key {repr('k' * 99)[:60]} twice.",
    ),
    (
        {"is": "scalar", "dtype": "<f8", "data": "00" * 7},
        "'scalar' of type float64 needs 8 bytes.",
    ),
    (parts_of("range", 10**6 + 1), "'range' has more than a million numbers."),
    # Of scipy, pandas and torch.
    (
        {"is": "distribution", "name": "sys", "args": [], "kwds": {}},
        "'distribution' names no distribution of scipy: 'sys'.",
    ),
    (
        {"is": "distribution", "name": "describe", "args": [], "kwds": {}},
        "'distribution' names no distribution of scipy: 'describe'.",
    ),
    (
        {"is": "dtype", "type": "pandas", "text": "arrow"},
        "'dtype' does not know the type 'arrow'.",
    ),
    (
        {"is": "dtype", "type": "pandas", "text": "Int128"},
        "'dtype' does not know the type 'Int128'.",
    ),
    (
        {"is": "index", "names": [None], "values": 1},
        "'index' has a column that is not an array of one axis.",
    ),
    (
        {"is": "index", "names": [None], "values": array("object", [1, 1], items=[1])},
        "'index' has a column that is not an array of one axis.",
    ),
    (time(unit="D"), "'time' has an unknown unit."),
    (time(unit=1), "'time' needs 'unit' of type str, got 1."),
    (time(ticks=1.0), "'time' needs 'ticks' of type int, got 1.0."),
    ({"is": "tensor", "dtype": "torch.float32", "data": 1}, "is not made of an array."),
    (tensor("torch.float32"), "'tensor' should be torch.float32 but is torch.float64."),
    (layer(attributes=[]), "'module' has attributes that are not its own."),
    (
        layer(attributes=mapping(("_forward_hooks", 1))),
        "'module' has attributes that are not its own.",
    ),
    (
        layer(attributes=mapping(("training", True), ("_buffers", 1))),
        "'module' has attributes that are not its own.",
    ),
    *(
        (layer(**{table: [[key, item]]}), f"'module' has {table} of another type.")
        for table, key, item in (
            ("parameters", "weight", tensor("torch.float64")),
            ("parameters", 1, None),
            ("buffers", "mean", 1),
            ("buffers", 1, None),
            ("modules", "0", tensor("torch.float64")),
            ("modules", 1, None),
        )
    ),
    # Classes and functions.
    ({"is": "object", "class": 1}, "'object' needs 'class' of type str, got 1."),
    *(
        (
            {"is": "object", "class": "inner:Part", "state": [[key, 1]]},
            f"'object' has an attribute {key!r}.",
        )
        for key in ("__class__", "__x", "a b", "", 1)
    ),
    (
        {"is": "object", "class": "inner:Nothing", "state": []},
        "the file holds an object of the inner class 'Nothing', which this version of "
        "mlmi-sklearn does not have.",
    ),
    (
        {"is": "object", "class": "os:system", "state": []},
        f"the file holds an object of the class 'os:system', {OUTSIDE}",
    ),
    (
        {"is": "object", "class": "sklearn.svm:clone", "state": []},
        "the file refers to the class 'sklearn.svm:clone', which is not among those "
        "that a file may refer to, or which the installed version does not have.",
    ),
    (
        layer(**{"class": "torch.nn:LazyLinear"}),
        f"the file refers to the module 'torch.nn:LazyLinear', {LACKS}installed "
        "version lacks.",
    ),
    (
        {"is": "row", "class": "inner:Part", "items": []},
        "'row' is not of a named tuple.",
    ),
    (
        {"is": "name", "role": "class", "name": "sklearn.svm:SVC"},
        "'name' has the role 'class'.",
    ),
    (
        {"is": "name", "role": "function", "name": "numpy:load"},
        "the file refers to the function 'numpy:load', which is not among those that "
        "a file may refer to, or which the installed version does not have.",
    ),
    ({"is": "skops", "data": 1}, "'skops' is not made of bytes."),
    ({"is": "skops", "data": array()}, "'skops' is not made of bytes."),
]


@pytest.mark.parametrize(
    ("node", "message"), REFUSED, ids=[str(n) for n in range(len(REFUSED))]
)
def test_what_is_wrong_is_said(node, message):
    with pytest.raises(PersistenceError, match=re.escape(message)):
        unpack(node, FLOATS)


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (parts_of("range", 10**6), range(10**6)),
        (parts_of("range", 10**6 + 2, 2, -1), range(10**6 + 2, 2, -1)),
        (layer(attributes=mapping(("training", False))), False),
        (time(), 1),
        (time(unit="ns", type="Timedelta"), 1),
    ],
)
def test_what_is_just_right_is_not_refused(node, value):
    found = unpack(node)
    if isinstance(found, torch.nn.Linear):
        assert found.training is value
    elif node["is"] == "time":
        assert found.asm8.view("i8") == value
        assert found.unit == node["unit"]
    else:
        assert found == value


def test_an_array_may_have_as_many_axes_as_numpy_allows():
    found = unpack(array(shape=[1] * 32), {"a": np.full([1] * 32, 2.5)})
    assert found.shape == (1,) * 32
    assert found.item() == 2.5


@pytest.mark.parametrize(("dtype", "empty"), [("<U0", np.str_()), ("|S0", np.bytes_())])
def test_an_empty_text_takes_no_bytes(dtype, empty):
    found = unpack({"is": "scalar", "dtype": dtype, "data": ""})
    assert type(found) is type(empty)
    assert found == empty


def test_empty_texts_are_not_made_by_the_million():
    """They take no byte in the file, and four each in memory."""
    nothing = {"a": np.empty(0, np.uint8)}
    most = unpack(array("<U0", [2**20]), nothing)
    assert most.shape == (2**20,)
    assert not most.any()
    message = r"of shape \(1048577,\) and type <U[01] needs 0 bytes"
    with pytest.raises(PersistenceError, match=message):
        unpack(array("<U0", [2**20 + 1]), nothing)
    # Texts that are there may be more.
    many = {"a": np.full(2**20 + 1, ord("x"), np.uint8)}
    assert (unpack(array("|S1", [2**20 + 1]), many) == b"x").all()


@pytest.mark.parametrize(
    "stored", [np.zeros(16, np.int8), np.zeros(15, np.uint8), np.zeros((2, 8), "u1")]
)
def test_numbers_of_other_types_need_their_bytes(stored):
    message = r"of shape \(1,\) and type complex128 needs 16 bytes"
    with pytest.raises(PersistenceError, match=message):
        unpack(array("<c16", [1]), {"a": stored})
    assert unpack(array("<c16", [1]), {"a": np.zeros(16, "u1")}).tolist() == [0j]


@pytest.mark.parametrize(
    "indices", [[0, 2], [-1, 0]], ids=["beyond the last column", "before the first"]
)
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_sparse_matrices_do_not_point_outside(form, kind, indices):
    names = {name: array(shape=[2], name=name) for name in "abc"}
    stored = {"a": np.ones(2), "b": np.array(indices), "c": np.array([0, 1, 2])}
    if form == "bsr":
        stored["a"] = np.ones((2, 1, 1))
    if form == "coo":
        stored["c"] = np.array([0, 1])
    nodes = [
        {**names[name], "dtype": value.dtype.str, "shape": list(value.shape)}
        for name, value in stored.items()
    ]
    node = parts_of("sparse", *nodes, type=f"{form}_{kind}", shape=[2, 2])
    with pytest.raises(ValueError, match=r"ind|coord"):
        unpack(node, stored)
    stored["b"] = np.array([0, 1])
    assert unpack(node, stored).toarray().tolist() == [[1, 0], [0, 1]]


def test_values_may_be_nested_but_not_too_deeply():
    def nested(n):
        node = None
        for _ in range(n):
            node = [node]
        return node

    assert str(unpack(nested(200))) == str(nested(200))
    with pytest.raises(PersistenceError, match=NESTED):
        unpack(nested(201))
    # Beside each other there may be any number.
    many = [nested(150), [[1]] * 300, nested(200 - 1)]
    assert unpack(many) == many


def test_a_reader_that_has_refused_one_value_reads_the_next():
    reader = Reader(_BY_TAG, {})
    for _ in range(300):
        with pytest.raises(PersistenceError, match="no kind of value"):
            reader.unpack([{}])
    assert reader.unpack([[1]]) == [[1]]


def test_a_field_may_be_of_several_types():
    node = {"is": "thing", "a": True, "b": 1, "c": "x"}
    assert [field_of(node, key, bool, int, str) for key in "abc"] == [True, 1, "x"]
    with pytest.raises(PersistenceError) as caught:
        field_of(node, "a", int, str)
    assert str(caught.value) == "'thing' needs 'a' of type int or str, got True."


# -- compiled parts of scikit-learn ----------------------------------------------------


def skops_node(data):
    bytes_ = np.frombuffer(data, np.uint8)
    return {"is": "skops", "data": array("|u1", [len(data)])}, {"a": bytes_}


def rezipped(data, change=lambda name, content: content, **options):
    """Return an archive with changed members."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(buffer, "w", **options) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return buffer.getvalue()


def changed_array(edit):
    """Return a change of members that edits the records of trees."""

    def change(name, content):
        if not name.endswith(".npy"):
            return content
        found = np.load(io.BytesIO(content))
        if found.dtype.names is None or not edit(found):
            return content
        buffer = io.BytesIO()
        np.save(buffer, found)
        return buffer.getvalue()

    return change


@pytest.fixture(scope="module")
def compiled():
    skops = pytest.importorskip("skops.io")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y).tree_
    boosted = HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=2).fit(X, y)
    predictor = boosted._predictors[0][0]
    return {"tree": skops.dumps(tree), "predictor": skops.dumps(predictor)}


@pytest.mark.parametrize("name", ["tree", "predictor"])
def test_compiled_parts_come_back(compiled, name):
    found = unpack(*skops_node(compiled[name]))
    same = unpack(*skops_node(rezipped(compiled[name])))
    nodes = [
        value.nodes if name == "predictor" else value.__getstate__()["nodes"]
        for value in (found, same)
    ]
    assert len(nodes[0]) > 3
    assert nodes[0].tobytes() == nodes[1].tobytes()


@pytest.mark.parametrize("name", ["tree", "predictor"])
def test_compressed_archives_are_refused(compiled, name):
    small = rezipped(compiled[name], compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(PersistenceError, match="'skops' is a compressed archive"):
        unpack(*skops_node(small))


def test_an_archive_is_refused_for_one_compressed_member():
    """Though what it expands to is less than all its headers."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"x" * 20, zipfile.ZIP_DEFLATED)
        archive.writestr("b" * 200, b"")
    with pytest.raises(PersistenceError, match="'skops' is a compressed archive"):
        unpack(*skops_node(buffer.getvalue()))


@pytest.mark.parametrize(("size", "refused"), [(10, False), (10_000, True)])
def test_members_that_lie_on_top_of_each_other_are_refused(size, refused):
    """A hundred names of one member are a bomb without compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"x" * size)
        first = archive.infolist()[0]
        for i in range(99):
            again = copy.copy(first)
            again.filename = again.orig_filename = f"a{i}"
            archive.filelist.append(again)
    data = np.frombuffer(buffer.getvalue(), np.uint8)
    node = {"is": "skops", "data": array("|u1", [len(data)])}
    # The small one goes on to skops, which finds nothing of its own in it.
    told = "'skops' is a compressed archive" if refused else "schema.json"
    with pytest.raises((PersistenceError, KeyError), match=told):
        unpack(node, {"a": data})


def test_arrays_that_claim_to_be_larger_than_they_are_are_refused(compiled):
    def lie(name, content):
        return content.replace(b"'shape': (", b"'shape': (9999999, ", 1).replace(
            b" " * 9 + b"\n", b"\n", 1
        )

    data = rezipped(compiled["tree"], lie)
    message = r"'skops' declares an array of shape \(9999999, "
    with pytest.raises(PersistenceError, match=message):
        unpack(*skops_node(data))


def test_other_objects_of_scikit_learn_alone_are_restored():
    skops = pytest.importorskip("skops.io")
    with pytest.raises(PersistenceError, match="'skops' holds a dict"):
        unpack(*skops_node(skops.dumps({"a": 1})))


def first_inner(nodes, side):
    """Return the number of the first inner node of a tree."""
    return int(np.flatnonzero(nodes[side] > 0)[0])


def set_of(field, value, *, at="inner", name="tree"):
    sides = {"tree": "left_child", "predictor": "left"}

    def edit(nodes):
        if sides[name] not in nodes.dtype.names:
            return False
        inner = nodes[sides[name]] > 0
        place = np.flatnonzero(inner if at == "inner" else ~inner)[-1]
        nodes[field][place] = place if value == "itself" else value
        return True

    return name, edit


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        set_of("left_child", "itself"),
        set_of("right_child", "itself"),
        set_of("left_child", 10**6),
        set_of("right_child", 10**6),
        set_of("left_child", -2),
        set_of("right_child", -1),
        set_of("right_child", 1, at="leaf"),
        set_of("feature", -2),
        set_of("feature", 3),
        set_of("left", "itself", name="predictor"),
        set_of("right", "itself", name="predictor"),
        set_of("left", 10**6, name="predictor"),
        set_of("right", 10**6, name="predictor"),
        set_of("is_leaf", 0, at="leaf", name="predictor"),
    ],
)
def test_trees_lead_down_to_an_end(compiled, name, edit):
    data = rezipped(compiled[name], changed_array(edit))
    message = "'skops' holds a decision tree with impossible branches"
    with pytest.raises(PersistenceError, match=message):
        unpack(*skops_node(data))


def test_a_branch_to_the_very_last_node_is_a_branch(compiled):
    def edit(nodes):
        if "left_child" not in nodes.dtype.names:
            return False
        nodes["left_child"][first_inner(nodes, "left_child")] = len(nodes) - 1
        return True

    data = rezipped(compiled["tree"], changed_array(edit))
    found = unpack(*skops_node(data))
    assert found.node_count - 1 in found.children_left

    def beyond(nodes):
        if "left_child" not in nodes.dtype.names:
            return False
        nodes["left_child"][first_inner(nodes, "left_child")] = len(nodes)
        return True

    with pytest.raises(PersistenceError, match="impossible branches"):
        unpack(*skops_node(rezipped(compiled["tree"], changed_array(beyond))))
