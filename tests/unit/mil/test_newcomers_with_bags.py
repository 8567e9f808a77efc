"""What people do with bags before they have read the guide."""

import numpy as np
import pandas as pd
import pytest

from mlmi_sklearn import (
    Bags,
    DeepEnsembleClassifier,
    MILClassifier,
    MILOrdinalClassifier,
    SingleInstanceClassifier,
)
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.metrics import instance_roc_auc


@pytest.fixture
def frames(make_bags):
    bags, y = make_bags()
    return [pd.DataFrame(bag, columns=list("abcd")) for bag in bags], y


def test_frames_bring_their_names(frames, quick):
    bags, y = frames
    assert Bags.from_list(bags).feature_names == tuple("abcd")
    model = quick().fit(bags, y)
    assert model.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="same order as they were in fit"):
        model.predict([bag[bag.columns[::-1]] for bag in bags])


def test_frames_must_agree(frames, quick):
    bags, y = frames
    bags[3] = bags[3][["b", "a", "c", "d"]]
    with pytest.raises(BagError, match=r"X\[3\] has the columns .*same order"):
        quick().fit(bags, y)


@pytest.mark.parametrize("column", ["slide", "Bag_ID"])
def test_groups_of_a_long_frame_are_refused(frames, quick, column):
    bags, y = frames
    long = pd.concat([bag.assign(**{column: i}) for i, bag in enumerate(bags)])
    with pytest.raises(BagError, match=f"column '{column}'.*Bags.from_frame"):
        quick().fit([group for _, group in long.groupby(column)], y)


def test_frames_without_names_have_none(make_bags):
    bags, _ = make_bags()
    assert Bags.from_list([pd.DataFrame(bag) for bag in bags]).feature_names is None


@pytest.mark.parametrize("named", [None, "tumour"])
def test_a_second_label_is_pointed_out(frames, named):
    bags, y = frames
    long = pd.concat(
        [
            bag.assign(slide=i, tumour=label, grade=2 * label)
            for i, (bag, label) in enumerate(zip(bags, y, strict=True))
        ]
    )
    with pytest.warns(UserWarning, match="Column 'grade' never varies in a bag"):
        Bags.from_frame(long, bag="slide", y=named)


@pytest.mark.filterwarnings("error")
def test_features_named_by_the_user_are_not_doubted(frames):
    bags, _ = frames
    long = pd.concat([bag.assign(slide=i, stain=i % 2) for i, bag in enumerate(bags)])
    Bags.from_frame(long, bag="slide", features=["a", "stain"])
    Bags.from_frame(long.drop(columns="stain"), bag="slide")


def test_a_pair_that_was_not_unpacked(frames, quick):
    bags, y = frames
    long = pd.concat([bag.assign(slide=i) for i, bag in enumerate(bags)])
    with pytest.raises(BagError, match=r"bags, y = Bags.from_frame"):
        quick().fit(Bags.from_frame(long, bag="slide"), y)


def test_masked_values_are_missing(quick):
    masked = np.ma.masked_less(np.array([[1.0, -5.0], [2.0, 3.0]]), 0)
    assert np.isnan(Bags.from_list([masked]).values[0, 1])
    with pytest.raises(BagError, match="NaN"):
        quick().fit([masked, masked], [0, 1])


def test_minus_one_is_a_grade(make_bags):
    bags, y = make_bags(n_classes=3)
    model = MILOrdinalClassifier(max_epochs=2).fit(bags, y - 1)
    assert model.classes_.tolist() == [-1, 0, 1]
    partly = np.where(np.arange(len(y)) % 4, y - 1.0, np.nan)
    assert MILOrdinalClassifier(max_epochs=2).fit(bags, partly).classes_[0] == -1


def test_named_grades_have_no_order(make_bags):
    bags, y = make_bags(n_classes=3)
    names = np.array(["low", "mid", "high"])[y]
    with pytest.warns(UserWarning, match="ordered as text"):
        MILOrdinalClassifier(max_epochs=1).fit(bags, names)
    ordered = pd.Series(
        pd.Categorical(names, categories=["low", "mid", "high"], ordered=True)
    )
    with pytest.raises(ValueError, match=r"y\.cat\.codes"):
        MILOrdinalClassifier(max_epochs=1).fit(bags, ordered)
    codes = MILOrdinalClassifier(max_epochs=1).fit(bags, ordered.cat.codes)
    assert codes.classes_.tolist() == [0, 1, 2]


def test_members_that_are_all_alike(make_bags):
    bags, y = make_bags()
    twins = DeepEnsembleClassifier(SingleInstanceClassifier(cv=2), n_estimators=2)
    with pytest.warns(UserWarning, match="bootstrap=True"):
        twins.fit(bags, y)


def test_positions_that_are_missing(make_bags, quick):
    bags, y = make_bags()
    coords = np.zeros((bags.n_instances, 2))
    coords[5, 1] = np.nan
    placed = bags.with_fields(coords=coords)
    with pytest.raises(BagError, match=r"coords holds NaN or infinity, .* instance 5"):
        quick(smoothness=0.1).fit(placed, y)


def test_truth_that_is_not_there(make_bags):
    bags, _ = make_bags()
    with pytest.raises(ValueError, match="y_instances is None"):
        instance_roc_auc(bags.y_instances, np.zeros(bags.n_instances), bags=bags)


def test_fields_are_replaced_in_any_order_of_bags(make_bags):
    bags, _ = make_bags()
    turned = bags[::-1]
    labels = np.arange(turned.n_instances)
    new = turned.with_fields(y_instances=labels, groups=np.arange(len(bags)))
    assert np.array_equal(new.y_instances, labels)
    assert np.array_equal(new[::-1].groups, np.arange(len(bags))[::-1])
    assert np.shares_memory(new[0], bags.values)
    assert new.with_fields(y_instances=None).y_instances is None
    with pytest.raises(BagError, match="with_fields knows"):
        bags.with_fields(labels=[1])


def test_nets_take_unlabelled_bags(make_bags, quick):
    bags, y = make_bags()
    assert isinstance(quick(), MILClassifier)
    assert quick().fit(bags, np.where(np.arange(30) % 3, y, -1)).classes_.tolist() == [
        0,
        1,
    ]
