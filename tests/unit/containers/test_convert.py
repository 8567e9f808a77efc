"""Lists, padded arrays and long frames, in and out."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from mlmi_sklearn.containers import Bags
from mlmi_sklearn.exceptions import BagError


@pytest.fixture
def bags():
    return Bags(
        np.arange(12.0).reshape(6, 2),
        [3, 1, 2],
        bag_ids=["p", "q", "r"],
        groups=["x", "x", "y"],
        coords=np.arange(12).reshape(6, 2) + 100,
        y_instances=[0, 1, 0, -1, 0, 1],
        feature_names=["u", "v"],
    )


def test_list_round_trip(bags):
    again = Bags.from_list(
        bags.to_list(),
        bag_ids=bags.bag_ids,
        groups=bags.groups,
        coords=bags.coords,
        y_instances=bags.y_instances,
        feature_names=bags.feature_names,
    )
    assert again == bags
    assert not np.shares_memory(again.values, bags.values)


def test_from_list_of_mixed_kinds():
    torch = pytest.importorskip("torch")
    made = Bags.from_list(
        [
            np.ones((1, 2), np.float32),
            [[1, 2], [3, 4]],
            pd.DataFrame({"a": [5], "b": [6]}),
            torch.ones(2, 2, requires_grad=True),
            torch.ones(1, 2, dtype=torch.bfloat16),
            np.array([[1, 2.5]], dtype=object),
        ]
    )
    assert_array_equal(made.lengths, [1, 2, 1, 2, 1, 1])
    assert made.values.dtype == np.float64


def test_from_list_of_sparse_and_of_iterators():
    parts = [sparse.csr_array(np.eye(2)), sparse.coo_matrix(np.ones((1, 2)))]
    made = Bags.from_list(iter(parts))
    assert made.is_sparse
    assert_array_equal(made.values.toarray(), [[1, 0], [0, 1], [1, 1]])


@pytest.mark.parametrize(
    ("bags", "message"),
    [
        ([], "bags is empty"),
        ([np.ones((2, 2)), np.ones((0, 2))], r"bags\[1\] is an empty bag"),
        (
            [np.ones((2, 2)), np.ones((1, 3))],
            r"bags\[1\] has instances of shape \(3,\)",
        ),
        (
            [np.ones((2, 2)), np.ones(2)],
            r"bags\[1\] has shape \(2,\).*reshape\(1, -1\)",
        ),
        ([np.ones(2)], r"bags\[0\] has shape"),
        ([3.0], r"bags\[0\] has shape \(\)"),
        ([[[1, 2], [3]]], "A list is no array"),
        ([np.ones((2, 2)), np.full((2, 2), "a")], r"bags\[1\] has dtype <U1"),
        ([np.ones((2, 2), complex)], "Complex data not supported"),
        ([np.ones((2, 2)), sparse.csr_array(np.ones((1, 3)))], r"bags\[1\] has instan"),
    ],
)
def test_from_list_names_the_faulty_bag(bags, message):
    with pytest.raises(BagError, match=message):
        Bags.from_list(bags)


def test_padded_round_trip(bags):
    array, mask = bags.to_padded(fill_value=-1)
    assert array.shape == (3, 3, 2)
    assert_array_equal(mask.sum(axis=1), bags.lengths)
    assert (array[~mask] == -1).all()
    again = Bags.from_padded(array, mask)
    assert_array_equal(again.values, bags.values)
    assert_array_equal(again.lengths, bags.lengths)


def test_padding_of_images_keeps_dtype_and_holes():
    images = Bags(np.ones((3, 4, 5), np.uint8), [1, 2])
    array, mask = images.to_padded()
    assert (array.shape, array.dtype) == ((2, 2, 4, 5), np.uint8)
    assert Bags.from_padded(array, mask.astype(np.uint8)) == images
    holes = Bags.from_padded(np.arange(6).reshape(1, 3, 2), [[1, 0, 1]])
    assert_array_equal(holes[0], [[0, 1], [4, 5]])


def test_from_padded_without_mask_copies_nothing():
    array = np.zeros((2, 3, 4))
    assert np.shares_memory(Bags.from_padded(array).values, array)


def test_to_padded_of_nothing(bags):
    array, mask = bags[:0].to_padded()
    assert array.shape == (0, 0, 2)
    assert mask.shape == (0, 0)


@pytest.mark.parametrize(
    ("array", "mask", "message"),
    [
        (np.ones((2, 3)), None, "array must have shape"),
        (np.ones((2, 3, 1)), np.ones((2, 2)), r"mask must have shape \(2, 3\)"),
        (np.ones((2, 3, 1)), np.full((2, 3), 2), "mask must hold True and False"),
        (np.ones((2, 3, 1)), [[1, 1, 1], [0, 0, 0]], "bag 1 is empty"),
    ],
)
def test_bad_padding(array, mask, message):
    with pytest.raises(BagError, match=message):
        Bags.from_padded(array, mask)


def test_sparse_instances_are_not_padded_in_silence():
    with pytest.raises(BagError, match="densify"):
        Bags(sparse.csr_array(np.eye(3)), [1, 2]).to_padded()


def test_frame_round_trip(bags):
    frame = bags.to_frame(y=[1, 0, 1], bag="slide")
    assert frame.columns.tolist() == [
        *("slide", "y", "group", "y_instance", "coord_0", "coord_1", "u", "v")
    ]
    again, y = Bags.from_frame(
        frame,
        bag="slide",
        y="y",
        groups="group",
        coords=["coord_0", "coord_1"],
        y_instances="y_instance",
    )
    assert again == bags
    assert_array_equal(y, [1, 0, 1])


def test_frame_of_unnamed_and_of_sparse_bags():
    frame = Bags(sparse.csr_array(np.eye(2)), [2]).to_frame()
    assert frame.columns.tolist() == ["bag", "x0", "x1"]
    assert isinstance(frame["x0"].dtype, pd.SparseDtype)
    assert_array_equal(frame["bag"], [0, 0])


def test_to_frame_refuses_images_and_wrong_labels(bags):
    with pytest.raises(BagError, match="flatten them"):
        Bags(np.ones((2, 3, 3)), [2]).to_frame()
    with pytest.raises(BagError, match=r"y must have shape \(3,\)"):
        bags.to_frame(y=[1, 0])


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "slide": ["b", "a", "b", "c", "a"],
            "label": [1, 0, 1, 1, 0],
            "patient": ["p", "q", "p", "p", "q"],
            "f": [1.0, 2.0, 3.0, 4.0, 5.0],
            "g": [1, 2, 3, 4, 5],
        },
        index=[9, 9, 8, 7, 6],
    )


def test_rows_of_a_bag_need_not_be_neighbours(frame):
    before = frame.copy()
    bags, y = Bags.from_frame(frame, bag="slide", y="label", groups="patient")
    pd.testing.assert_frame_equal(frame, before)
    assert bags.bag_ids.tolist() == ["b", "a", "c"]
    assert_array_equal(bags[0], [[1, 1], [3, 3]])
    assert_array_equal(bags[1], [[2, 2], [5, 5]])
    assert y.tolist() == [1, 0, 1]
    assert bags.groups.tolist() == ["p", "q", "p"]
    assert bags.feature_names == ("f", "g")


def test_bags_named_by_an_index_level(frame):
    indexed = frame.set_index(["slide", "g"])
    bags, _ = Bags.from_frame(indexed, bag="slide", y="label", groups="patient")
    assert bags.feature_names == ("f",)
    assert bags.bag_ids.tolist() == ["b", "a", "c"]


def test_without_labels_and_with_several(frame):
    bags, y = Bags.from_frame(frame, bag="slide", features=["g"])
    assert y is None
    assert bags.feature_names == ("g",)
    _, two = Bags.from_frame(frame, bag="slide", y=["label", "patient"], features=["f"])
    assert two.tolist() == [[1, "p"], [0, "q"], [1, "p"]]


def test_missing_values_become_nan_and_missing_labels_agree(frame):
    frame["f"] = frame["f"].astype("Float64").mask(frame["g"] == 3)
    frame["label"] = [np.nan, 0, np.nan, 1, 0]
    bags, y = Bags.from_frame(frame, bag="slide", y="label", groups="patient")
    assert np.isnan(bags[0][1, 0])
    assert_array_equal(y, [np.nan, 0, 1])


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (
            {"label": [1, 0, 0, 1, 0]},
            {"y": "label"},
            "'label' must be constant.*bag 'b'",
        ),
        (
            {"patient": list("pqrst")},
            {"groups": "patient"},
            "'patient' must be constant",
        ),
        ({}, {"y": "nope"}, r"df has no column \['nope'\]"),
        ({}, {"bag": "nope"}, r"df has no column \['nope'\]"),
        ({}, {"y": "label"}, r"Columns \['patient'\] are not numeric.*features="),
        ({}, {"coords": ["patient"]}, r"\['patient'\] are not numeric"),
        ({"slide": ["b", None, "b", "c", "a"]}, {}, "has no bag name in row 9"),
        ({}, {"features": []}, "no feature column left|not numeric"),
    ],
)
def test_bad_frames(frame, change, arguments, message):
    with pytest.raises(BagError, match=message):
        Bags.from_frame(frame.assign(**change), **{"bag": "slide", **arguments})


def test_odd_frames(frame):
    with pytest.raises(BagError, match="must be a data frame with one row"):
        Bags.from_frame(frame.to_numpy(), bag="slide")
    with pytest.raises(BagError, match="no rows"):
        Bags.from_frame(frame[:0], bag="slide")
    with pytest.raises(BagError, match=r"several columns named \['f'\]"):
        Bags.from_frame(frame.rename(columns={"g": "f"}), bag="slide")
    with pytest.raises(BagError, match="no feature column left"):
        Bags.from_frame(frame[["slide", "label"]], bag="slide", y="label")


def test_frames_of_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {"slide": ["a", "b", "a"], "f": [1.0, 2.0, 3.0], "label": [0, 1, 0]}
    )
    bags, y = Bags.from_frame(frame, bag="slide", y="label")
    assert [bag.ravel().tolist() for bag in bags] == [[1.0, 3.0], [2.0]]
    assert y.tolist() == [0, 1]
    assert list(bags.feature_names) == ["f"]
