"""What is easily lost on the way: fill values, orders, modes, and kinds of keys."""

import datetime
from collections import OrderedDict, defaultdict

import numpy as np
import pytest
import torch
from scipy import sparse, stats
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from transit import there_and_back

from mlmi_sklearn import AttentionPooling, Bags, MLPBackbone, NetClassifier
from mlmi_sklearn.exceptions import PersistenceError
from mlmi_sklearn.persistence.api import _CODECS
from mlmi_sklearn.persistence.codec import Writer
from mlmi_sklearn.persistence.flat import expand, flatten, with_new_params

# -- arrays ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        np.ma.MaskedArray([1, 2, 3], [True, False, True], fill_value=7),
        np.ma.MaskedArray([[1.5, 2.0]], fill_value=-1.0),
        np.ma.MaskedArray(["a", "b"], [False, True], fill_value="?"),
    ],
)
def test_masked_arrays_keep_what_is_below_and_what_fills(value):
    found = there_and_back(value)
    assert type(found) is np.ma.MaskedArray
    assert found.dtype == value.dtype
    assert found.data.tolist() == value.data.tolist()
    assert np.ma.getmaskarray(found).tolist() == np.ma.getmaskarray(value).tolist()
    assert found.fill_value == value.fill_value
    assert found.filled().tolist() == value.filled().tolist()


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr"])
def test_sparse_matrices_keep_how_they_lie(form):
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(4, 6)) * (rng.random((4, 6)) < 0.5)
    value = getattr(sparse, f"{form}_array")(dense)
    value.data = value.data.astype(np.float32)
    found = there_and_back(value)
    names = ("data", "row", "col") if form == "coo" else ("data", "indices", "indptr")
    for name in names:
        ours, theirs = getattr(found, name), getattr(value, name)
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()
    assert found.shape == (4, 6)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 4), (2, 3, 4), (2, 0)])
@pytest.mark.parametrize("dtype", ["<f4", ">i2", "<c8", "<U2"])
def test_arrays_lie_in_the_order_in_which_they_lay(order, shape, dtype):
    value = np.arange(np.prod(shape)).reshape(shape).astype(dtype, order=order)
    found = there_and_back(value)
    np.testing.assert_array_equal(found, value)
    assert found.dtype == value.dtype
    assert found.flags.f_contiguous == value.flags.f_contiguous
    assert found.flags.c_contiguous == value.flags.c_contiguous


def test_texts_of_another_kind_are_refused():
    texts = np.array(["a"], dtype=np.dtypes.StringDType(na_object=None))
    with pytest.raises(
        PersistenceError, match=r"^x: arrays of StringDType\(na_object="
    ):
        there_and_back(texts)
    table = np.array([["a", "b"]], dtype=np.dtypes.StringDType())
    assert there_and_back(table).tolist() == [["a", "b"]]


# -- plain values ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, dict, int, float, set, None])
def test_mappings_with_a_default_have_it_again(kind):
    found = there_and_back(defaultdict(kind, a=1))
    assert type(found) is defaultdict
    assert found.default_factory is kind
    assert found == {"a": 1}


def test_a_default_that_is_no_type_is_refused():
    with pytest.raises(PersistenceError, match="cannot be saved"):
        there_and_back(defaultdict(lambda: 1))


@pytest.mark.parametrize(
    "value",
    [
        {2: "b", 1: "a"},
        OrderedDict([("b", 1), ("a", 2)]),
        Bunch(b=1, a=[2]),
        {(1, "x"): None, frozenset({1}): 2, None: 3, 1.5: 4, float("inf"): 5},
    ],
)
def test_mappings_keep_their_kind_and_order(value):
    found = there_and_back(value)
    assert type(found) is type(value)
    assert list(found.items()) == list(value.items())


def test_sets_are_written_in_one_order():
    nodes = [
        Writer(_CODECS, str).pack(set(items), "x")
        for items in (["b", "a", 3, 1, None], [None, 1, 3, "a", "b"])
    ]
    assert nodes[0] == nodes[1]
    assert nodes[0]["items"] == [None, 1, 3, "a", "b"]


VIENNA = datetime.timezone(datetime.timedelta(hours=1, minutes=30), "odd")


@pytest.mark.parametrize(
    "value",
    [
        datetime.date(2020, 2, 29),
        datetime.time(12, 30, 5, 7),
        datetime.time(12, tzinfo=datetime.UTC),
        datetime.datetime(2020, 1, 1, 1, 2, 3, 4),
        datetime.datetime(2020, 1, 1, tzinfo=VIENNA),
        datetime.timedelta(-3, 7, 11),
        datetime.timedelta.max,
    ],
)
def test_dates_and_times(value):
    found = there_and_back(value)
    assert type(found) is type(value)
    assert found == value
    assert str(found) == str(value)


def test_a_time_of_a_named_zone_is_refused():
    zoneinfo = pytest.importorskip("zoneinfo")
    zone = zoneinfo.ZoneInfo("UTC")
    with pytest.raises(PersistenceError, match="cannot be saved"):
        there_and_back(datetime.datetime(2020, 1, 1, tzinfo=zone))


@pytest.mark.parametrize(
    "value", [b"", b"\x00\xff", bytearray(b""), bytearray(b"ab\x00")]
)
def test_bytes_that_can_be_changed_can_be_again(value):
    found = there_and_back(value)
    assert type(found) is type(value)
    assert found == value


@pytest.mark.parametrize(
    "value",
    [
        range(5),
        range(9, 0, -2),
        slice(None),
        slice(1, 9, 2),
        slice("a", None, "b"),
        complex(1, -2),
        complex(0.0, float("-inf")),
        np.str_(""),
        np.bytes_(b""),
        np.str_("ü\0x"),
        np.datetime64("2020-01-01T00:00", "25m"),
    ],
)
def test_single_values(value):
    found = there_and_back(value)
    assert type(found) is type(value)
    assert repr(found) == repr(value)
    if isinstance(value, np.generic):
        assert found.dtype == value.dtype


# -- random numbers and distributions --------------------------------------------------


def test_a_generator_without_a_seed_sequence_goes_on():
    for bits in (np.random.RandomState(3)._bit_generator, np.random.MT19937(3)):
        generator = np.random.Generator(bits)
        generator.random(5)
        found = there_and_back(generator)
        assert type(found.bit_generator) is type(bits)
        assert found.random(4).tolist() == generator.random(4).tolist()


def test_shared_generators_stay_shared():
    for source in (np.random.default_rng(0), np.random.RandomState(0)):
        found = there_and_back([source, source])
        assert found[0] is found[1]


@pytest.mark.parametrize(
    "value",
    [
        stats.norm(2, scale=3),
        stats.loguniform(1e-3, 1e1),
        stats.randint(2, 9),
        stats.poisson(mu=3, loc=1),
    ],
    ids=lambda value: value.dist.name,
)
def test_distributions_draw_the_same(value):
    found = there_and_back(value)
    assert type(found) is type(value)
    drawn = [d.rvs(5, random_state=0).tolist() for d in (found, value)]
    assert drawn[0] == drawn[1]
    assert (found.args, found.kwds) == (value.args, value.kwds)


def test_a_distribution_of_ones_own_is_refused():
    class Own(stats.rv_continuous):
        def _pdf(self, x):
            return 1.0

    for name in ("norm", "own"):
        with pytest.raises(PersistenceError, match="cannot be saved"):
            there_and_back(Own(name=name)())


# -- torch -----------------------------------------------------------------------------


TENSORS = [torch.float16, torch.float32, torch.float64, torch.complex64, torch.uint8]
TENSORS += [torch.int8, torch.int16, torch.int32, torch.int64, torch.bool]


@pytest.mark.parametrize("dtype", [*TENSORS, torch.bfloat16], ids=str)
def test_tensors_keep_their_type_and_whether_they_learn(dtype):
    value = torch.tensor([[0, 1, 3]]).to(dtype)
    found = there_and_back(value)
    assert type(found) is torch.Tensor
    assert found.dtype == dtype
    assert torch.equal(found, value)
    if not dtype.is_floating_point:
        return
    for grad in (True, False):
        learns = there_and_back(value.clone().requires_grad_(grad))
        assert type(learns) is torch.Tensor
        assert learns.requires_grad is grad
        parameter = there_and_back(torch.nn.Parameter(value, requires_grad=grad))
        assert type(parameter) is torch.nn.Parameter
        assert parameter.requires_grad is grad
        assert torch.equal(parameter, value)


def test_other_tensors_are_refused():
    strided = torch.eye(2)
    for value in (strided.to_sparse(), strided.as_subclass(Own)):
        with pytest.raises(PersistenceError, match="cannot be saved"):
            there_and_back(value)


class Own(torch.Tensor):
    pass


def test_modules_keep_modes_buffers_and_missing_parts():
    class_ = torch.nn.BatchNorm1d
    net = torch.nn.Sequential(
        class_(2), class_(2, affine=False), class_(2, track_running_stats=False)
    )
    net[1].eval()
    net[0].running_mean.fill_(3)
    net[0].register_buffer("more", torch.ones(1), persistent=False)
    net.add_module("none", None)
    found = there_and_back(net)
    assert [part.training for part in found[:3]] == [True, False, True]
    assert found.training
    assert list(found._modules) == list(net._modules)
    assert found.none is None
    assert found[1].weight is None
    assert found[2].running_mean is None
    assert found.state_dict().keys() == net.state_dict().keys()
    assert found[0].more.tolist() == [1.0]
    assert found[0].running_mean.tolist() == [3.0, 3.0]
    assert found[0].num_batches_tracked.dtype == torch.int64


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_layers_run_again(kind):
    torch.manual_seed(0)
    net = getattr(torch.nn, kind)(3, 2, num_layers=2, bidirectional=True)
    found, x = there_and_back(net), torch.ones(4, 1, 3)
    assert torch.equal(found(x)[0], net(x)[0])
    weights = zip(found._flat_weights, found.parameters(), strict=True)
    assert all(a is b for a, b in weights)


# -- states without classes of ours ----------------------------------------------------


class Foreign(BaseEstimator):
    pass


def test_flat_states_name_no_class_and_come_back():
    bags = Bags(np.arange(6.0).reshape(3, 2), [1, 2], groups=[1, 2])
    state = {
        "pooling": AttentionPooling(hidden=4),
        "parts": [MLPBackbone(hidden=(3,)), {"k": (1, MLPBackbone())}],
        "bags": bags,
        "net": torch.nn.Linear(1, 1),
        "weight": torch.ones(2),
        "plain": {"a": [1.5, (2, "x")], "s": {1, 2}},
        "array": np.ones(2),
        "other": Foreign(),
        "f": len,
    }
    flat = flatten(state)
    assert sorted(flat) == sorted(state)
    changed = {"pooling", "parts", "bags", "net", "weight"}
    for key, value in flat.items():
        assert (value is not state[key]) is (key in changed), key
        assert (type(value) is dict and list(value) == ["flat"]) is (key in changed)
    again = expand(flat)
    assert repr(again["pooling"]) == repr(state["pooling"])
    assert repr(again["parts"]) == repr(state["parts"])
    assert again["bags"] == bags
    assert torch.equal(again["weight"], state["weight"])
    assert torch.equal(again["net"].weight, state["net"].weight)
    for key in ("plain", "array", "other", "f"):
        assert again[key] is state[key]
    assert expand(state) == state  # in which nothing is flat


def test_what_is_shared_within_one_attribute_stays_shared():
    shared = np.arange(3)
    weight = torch.ones(1)
    state = {"a": [weight, weight, {"again": weight}], "b": [shared, shared]}
    again = expand(flatten(state))
    assert again["a"][0] is again["a"][1] is again["a"][2]["again"]
    assert again["b"][0] is again["b"][1] is shared


def test_what_cannot_be_made_flat_is_named():
    hooked = torch.nn.Linear(1, 1)
    hooked.register_forward_hook(lambda *args: None)
    for value, path in (
        (hooked, "net_"),
        ([1, hooked], "net_[1]"),
        ({"k": (hooked,)}, "net_['k'][0]"),
        (torch.nn.Sequential(hooked), "net_.0"),
    ):
        with pytest.raises(PersistenceError) as caught:
            flatten({"net_": value})
        assert str(caught.value).startswith(f"{path} is a module with hooks, which a")


def test_estimators_that_are_parameters_are_left_as_they_are():
    inner, spec = NetClassifier(), MLPBackbone(hidden=(2,))
    state = {"estimator": inner, "backbone": spec, "fitted_": inner}
    flat = flatten(state, ["estimator", "backbone"])
    assert flat["estimator"] is inner
    assert list(flat["backbone"]) == ["flat"]
    assert list(flat["fitted_"]) == ["flat"]
    again = expand(flat)
    assert repr(again["fitted_"]) == repr(inner)
    assert again["fitted_"] is not inner


def test_parameters_that_came_later_have_their_defaults():
    class Kind:
        def __init__(self, needed, old=1, new="x"):
            pass

    assert with_new_params(Kind, {"old": 5}) == {"old": 5, "new": "x"}
    assert with_new_params(Kind, {"more_": 2}) == {"old": 1, "new": "x", "more_": 2}
