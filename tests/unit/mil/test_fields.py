"""What is known of instances, against plain searches."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from mlmi_sklearn import Bags
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.mil.fields import attach, encode_classes, neighbours, positions
from mlmi_sklearn.mil.objective import NEIGHBOURS
from mlmi_sklearn.mil.streaming import StreamedBags
from mlmi_sklearn.training.ragged import RaggedTensor


@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_the_eight_nearest_of_each_bag_by_a_search(n_axes):
    rng = np.random.default_rng(0)
    lengths = np.array([1, 2, 8, 9, 10, 30])
    coords = rng.normal(size=(lengths.sum(), n_axes))
    bags = Bags(np.zeros((lengths.sum(), 1)), lengths, coords=coords)
    found = neighbours(bags)[NEIGHBOURS]
    assert found.shape == (lengths.sum(), 9)
    assert found.dtype == torch.int64
    starts = np.cumsum(lengths) - lengths
    for start, n in zip(starts, lengths, strict=True):
        points = coords[start : start + n]
        for own, row in enumerate(found[start : start + n].tolist()):
            order = np.argsort(cdist(points[own : own + 1], points)[0]).tolist()
            nearest = [place for place in order if place != own][:8]
            assert row == [own, *nearest, *[own] * (8 - len(nearest))]


def test_one_point_apart_from_many_in_one_place():
    coords = np.zeros((12, 2))
    coords[5] = 3.0
    bags = Bags(np.zeros((12, 1)), [12], coords=coords)
    rows = neighbours(bags)[NEIGHBOURS].tolist()
    for own, row in enumerate(rows):
        others = row[1:]
        assert row[0] == own
        assert own not in others
        assert len(set(others)) == 8
        assert (5 in others) is False  # the others are nearer to each other


def test_positions_are_asked_for_by_what_needs_them():
    bags = Bags(np.zeros((3, 1)), [2, 1])
    message = (
        r"^smoothness above 0 needs positions of the instances: pass Bags with "
        r"coords=, or set smoothness=0\.$"
    )
    with pytest.raises(BagError, match=message):
        neighbours(bags)
    coords = np.zeros((3, 2))
    placed = bags.with_fields(coords=coords)
    assert np.array_equal(positions(placed, "it", "do without"), coords)
    for row, bad in ((1, np.nan), (2, np.inf)):
        coords[row, 1] = bad
        message = (
            rf"^coords holds NaN or infinity, first for instance {row} of all; it "
            r"needs every position\.$"
        )
        with pytest.raises(BagError, match=message):
            positions(bags.with_fields(coords=coords), "it", "do without")
        coords[row, 1] = 0.0


@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        ([1, -1, 0], ["n", "p"], [1, -1, 0]),
        ([1.0, np.nan, 0.0], ["n", "p"], [1, -1, 0]),
        ([5, 3, -1], [3, 5], [1, 0, -1]),
        ([5.0, np.nan, 3.0], [3, 5], [1, -1, 0]),
        ([0, 1, -1], [3, 5], [0, 1, -1]),  # the first and the second
        ([0, 1, -1], [1, 2], [0, 1, -1]),
        ([1, 1, -1], [1, 2], [0, 0, -1]),  # classes go first
        ([2, 0, 1], [0, 1, 2], [2, 0, 1]),
        ([True, False], [False, True], [1, 0]),
        ([0.5, 1.5], [0.5, 1.0, 1.5], [0, 2]),
        ([-1, -1], ["a", "b", "c"], [-1, -1]),  # nothing is known
    ],
)
def test_labels_of_instances_become_codes(labels, classes, codes):
    given = np.array(labels)
    found = encode_classes(given, np.array(classes))
    assert found.tolist() == codes
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "classes"), [([0, 1], [3, 4, 5]), ([2], ["a", "b"]), ([3, 4], [3, 5])]
)
def test_labels_that_fit_no_class_are_refused(labels, classes):
    with pytest.raises(
        BagError, match="Use these, or 0 and 1 for the first and second"
    ):
        encode_classes(np.array(labels), np.array(classes))


@pytest.mark.parametrize("streamed", [False, True])
def test_fields_are_added_to_those_there_are(streamed):
    values = torch.arange(6.0)[:, None]
    if streamed:
        rows = StreamedBags(Bags(values.numpy(), [2, 4]), torch.float64)
    else:
        rows = RaggedTensor(values, torch.tensor([2, 4]))
    first = attach(rows, {"a": values[:, 0], "b": values[:, 0]})
    both = attach(first, {"b": -values[:, 0], "c": values[:, 0] + 1})
    part = both.narrow(1, 2)
    assert part.lengths.tolist() == [4]
    assert {name: field[0].item() for name, field in part.fields.items()} == {
        "a": 2, "b": -2, "c": 3,
    }  # fmt: skip
    assert set(first.narrow(0, 1).fields) == {"a", "b"}
    assert rows.narrow(0, 1).fields == {}
    if streamed:
        assert both.bags is rows.bags
        assert part.values.dtype == torch.float64
    else:
        assert both.values is values
        assert both.offsets is rows.offsets
