"""Bags behave as a list of arrays would, whatever is done to them."""

import copy
import pickle

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from mlmi_sklearn.containers import Bags, check_bags

relaxed = settings(deadline=None, max_examples=50)


@st.composite
def reference_bags(draw, min_bags=0, kinds=("dense", "sparse", "image")):
    """Draw Bags and, as the reference, a list of one dict per bag."""
    lengths = draw(st.lists(st.integers(1, 20), min_size=min_bags, max_size=6))
    kind = draw(st.sampled_from(kinds))
    n_features = draw(st.integers(1, 3))
    dtype = draw(st.sampled_from([np.float64, np.float32, np.int16]))
    total = sum(lengths)
    shape = (total, n_features, 2) if kind == "image" else (total, n_features)
    values = (np.arange(np.prod(shape)) % 7 - 2).reshape(shape).astype(dtype)
    coords = np.arange(total * 2).reshape(total, 2) if draw(st.booleans()) else None
    labels = np.arange(total) % 3 - 1 if draw(st.booleans()) else None
    groups = np.arange(len(lengths)) // 2 if draw(st.booleans()) else None
    bags = Bags(
        sparse.csr_array(values) if kind == "sparse" else values,
        lengths,
        bag_ids=[f"bag{i}" for i in range(len(lengths))],
        groups=groups,
        coords=coords,
        y_instances=labels,
    )
    cuts = np.cumsum(lengths)[:-1]
    parts = [
        {
            "id": f"bag{i}",
            "values": part,
            "group": None if groups is None else groups[i],
            "coords": None if coords is None else np.split(coords, cuts)[i],
            "labels": None if labels is None else np.split(labels, cuts)[i],
        }
        for i, part in enumerate(np.split(values, cuts) if lengths else [])
    ]
    return bags, parts


def keys(n):
    """Draw a key that selects several of n bags."""
    positions = st.lists(st.integers(-n, n - 1), max_size=8) if n else st.just([])
    masks = st.lists(st.booleans(), min_size=n, max_size=n)
    return st.one_of(
        st.slices(n),
        positions,
        positions.map(lambda p: np.array(p, dtype=np.int32)),
        masks.map(lambda m: np.array(m, dtype=bool)),
        masks.map(lambda m: pd.Series(m, dtype=bool)),
    )


def select(parts, key):
    """Apply a key to the reference list."""
    if not isinstance(key, slice):
        key = np.asarray(key) if len(key) else np.array([], dtype=int)
    return [parts[i] for i in np.arange(len(parts))[key]]


def dense(values):
    return values.toarray() if sparse.issparse(values) else values


def assert_same(bags, parts):
    """Compare everything that can be read with the reference."""
    assert bags.shape == (len(parts), 1)
    assert bags.bag_ids.tolist() == [part["id"] for part in parts]
    assert_array_equal(bags.lengths, [len(part["values"]) for part in parts])
    assert_array_equal(np.diff(bags.offsets), bags.lengths)
    for index, (bag, part) in enumerate(zip(bags, parts, strict=True)):
        assert_array_equal(dense(bag), part["values"])
        assert_array_equal(dense(bags[index]), part["values"])
    flats = {"values": dense(bags.values)}
    flats |= {"coords": bags.coords, "labels": bags.y_instances}
    for name, flat in flats.items():
        if flat is not None:
            assert len(flat) == bags.n_instances
            pieces = np.split(flat, bags.offsets[1:-1]) if parts else []
            for got, part in zip(pieces, parts, strict=True):
                assert_array_equal(got, part[name])
    if bags.groups is not None:
        assert_array_equal(bags.groups, [part["group"] for part in parts])


@relaxed
@given(st.data())
def test_indexing_is_that_of_a_list(data):
    bags, parts = data.draw(reference_bags())
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(keys(len(parts)))
        wrap = data.draw(st.sampled_from([(), (...,), (slice(None),)]))
        bags = bags[(key, *wrap)] if wrap else bags[key]
        parts = select(parts, key)
        assert_same(bags, parts)


@relaxed
@given(st.data())
def test_views_share_the_instances(data):
    bags, _ = data.draw(reference_bags(min_bags=1, kinds=("dense", "image")))
    view = bags[data.draw(keys(len(bags)))]
    assert all(np.shares_memory(bag, bags.values) for bag in view)


@relaxed
@given(st.data())
def test_copies_are_equal_and_selections_differ_when_they_should(data):
    bags, parts = data.draw(reference_bags())
    key = data.draw(keys(len(bags)))
    view, selected = bags[key], select(parts, key)
    for other in (
        view.compact(),
        pickle.loads(pickle.dumps(view)),
        copy.deepcopy(view),
        copy.copy(view),
        view.take(np.arange(len(view))),
        view.with_values(view.values),
    ):
        assert other == view
        assert_same(other, selected)
    same = [part["id"] for part in selected] == [part["id"] for part in parts]
    assert (view == bags) is same


@relaxed
@given(st.data())
def test_concat_is_that_of_lists(data):
    bags, parts = data.draw(reference_bags())
    chosen = [data.draw(keys(len(bags))) for _ in range(data.draw(st.integers(1, 3)))]
    compact = data.draw(st.booleans())
    views = [bags[key].compact() if compact else bags[key] for key in chosen]
    expected = [part for key in chosen for part in select(parts, key)]
    assert_same(Bags.concat(views), expected)


@relaxed
@given(reference_bags(min_bags=1))
def test_lists_objects_and_frames_come_back(drawn):
    bags, parts = drawn
    fields = {"bag_ids": bags.bag_ids, "groups": bags.groups}
    fields |= {"coords": bags.coords, "y_instances": bags.y_instances}
    assert_same(Bags.from_list(bags.to_list(), **fields), parts)
    for X in (bags.to_list(), np.asarray(bags), pd.Series(bags.to_list())):
        again = check_bags(X)
        assert_array_equal(again.lengths, bags.lengths)
        assert_array_equal(dense(again.values), dense(bags.values))


@relaxed
@given(reference_bags(min_bags=1, kinds=("dense", "image")))
def test_padding_comes_back(drawn):
    bags, parts = drawn
    array, mask = bags.to_padded()
    fields = {"bag_ids": bags.bag_ids, "groups": bags.groups}
    fields |= {"coords": bags.coords, "y_instances": bags.y_instances}
    assert_same(Bags.from_padded(array, mask, **fields), parts)


@relaxed
@given(reference_bags(min_bags=1, kinds=("dense",)), st.randoms(use_true_random=False))
def test_shuffled_rows_of_a_frame_give_the_same_bags_as_sets(drawn, random):
    bags, _ = drawn
    frame = bags.to_frame(y=bags.lengths)
    rows = list(range(len(frame)))
    random.shuffle(rows)
    names = [c for c in frame.columns if c.startswith("x")]
    again, y = Bags.from_frame(frame.iloc[rows], bag="bag", y="y", features=names)
    assert_array_equal(y, again.lengths)
    for name, bag in zip(again.bag_ids, again, strict=True):
        (original,) = bags[bags.bag_ids == name]
        assert sorted(map(tuple, bag)) == sorted(map(tuple, original))


@relaxed
@given(st.data())
def test_nothing_mutates_its_input(data):
    bags, parts = data.draw(reference_bags(min_bags=1, kinds=("dense",)))
    source = np.array(bags.values)
    lengths = bags.lengths.copy()
    made = Bags(source, lengths)
    before = source.copy()
    key = data.draw(keys(len(made)))
    view = made[key]
    view.compact()
    view.to_padded(7)
    view.to_frame()
    pickle.dumps(view)
    Bags.concat([view, made]).values  # noqa: B018
    np.asarray(view)
    check_bags(source)
    assert source.flags.writeable
    assert_array_equal(source, before)
    assert_array_equal(lengths, [len(part["values"]) for part in parts])
