"""The embedded data: counts, types, documentation and licences."""

from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from mlmi_sklearn.containers import Bags, check_bags
from mlmi_sklearn.datasets import load_heart_multisite, load_musk1
from mlmi_sklearn.exceptions import BagError

SHARED = Path(__file__).parents[4] / "shared" / "data"


def test_musk1():
    musk = load_musk1()
    assert repr(musk.data) == (
        "<Bags: 92 bags, 476 instances, 166 features (sizes 2/4/40)>"
    )
    assert musk.data.values.dtype == np.float32
    assert_array_equal(np.bincount(musk.target), [45, 47])
    assert (musk.data.values.min(), musk.data.values.max()) == (-348, 336)
    assert len(musk.feature_names) == 166
    assert musk.frame is None


def test_musk1_as_tuple_and_frame():
    X, y = load_musk1(return_X_y=True)
    assert isinstance(X, Bags)
    assert y.dtype == np.int64
    musk = load_musk1(as_frame=True)
    assert musk.data.shape == (476, 167)
    assert musk.target.index.name == "bag"
    bags, labels = Bags.from_frame(musk.frame, bag="bag", y="target")
    assert_array_equal(bags.values, X.values)
    assert_array_equal(bags.lengths, X.lengths)
    assert_array_equal(labels, y)
    with pytest.raises(BagError, match="from_frame"):
        check_bags(musk.data)


def test_musk1_is_fresh_at_every_call():
    first = load_musk1()
    first.target[:] = 5
    assert set(load_musk1().target) == {0, 1}


def test_heart():
    heart = load_heart_multisite()
    assert heart.data.shape == (920, 13)
    assert heart.data.dtype == np.float64
    assert heart.site_names.tolist() == ["cleveland", "hungarian", "switzerland", "va"]
    rows = {name: (heart.site == name).sum() for name in heart.site_names}
    assert list(rows.values()) == [303, 294, 123, 200]
    shares = [heart.target[heart.site == name].mean() for name in heart.site_names]
    assert_array_equal(np.round(shares, 3), [0.459, 0.361, 0.935, 0.745])
    assert_array_equal(heart.target, heart.target_num > 0)
    assert set(heart.target_num) == {0, 1, 2, 3, 4}


def test_heart_missing_values():
    kept = load_heart_multisite(as_frame=True).data
    marked = load_heart_multisite(as_frame=True, missing="nan").data
    assert (kept["chol"] == 0).sum() == 172
    assert (marked["chol"] == 0).sum() == 0
    gained = marked.isna().sum() - kept.isna().sum()
    assert gained[gained > 0].to_dict() == {"chol": 172, "trestbps": 1}
    unchanged = kept.columns.drop(["chol", "trestbps"])
    pd.testing.assert_frame_equal(marked[unchanged], kept[unchanged])
    with pytest.raises(ValueError, match="missing must be 'original' or 'nan'"):
        load_heart_multisite(missing="drop")


def test_heart_as_tuple_and_frame():
    X, y = load_heart_multisite(return_X_y=True)
    heart = load_heart_multisite(as_frame=True)
    assert_array_equal(heart.data.to_numpy(), X)
    assert_array_equal(heart.target.to_numpy(), y)
    assert {"site", "target", "target_num", "thal"} < set(heart.frame.columns)
    assert heart.data.columns.tolist() == heart.feature_names
    assert heart.site.name == "site"


@pytest.mark.parametrize("load", [load_musk1, load_heart_multisite])
def test_sources_and_licences_are_stated(load):
    text = load().DESCR
    assert "CC BY 4.0" in text
    assert "https://doi.org/10.24432/" in text
    data = resources.files("mlmi_sklearn.datasets") / "data"
    licences = (data / "LICENSES.md").read_text(encoding="utf-8")
    for part in ("musk1.npz", "heart_multisite.csv.gz", "Section 8 -- Interpretation"):
        assert part in licences
    embedded = {path.name for path in data.iterdir() if path.suffix in (".npz", ".gz")}
    assert all(name in licences for name in embedded)


@pytest.mark.skipif(not SHARED.is_dir(), reason="original files are not here")
def test_values_are_the_original_ones():
    musk, original = load_musk1(), np.load(SHARED / "mil_classics" / "musk1.npz")
    assert_array_equal(musk.data.values, original["X"])
    assert_array_equal(musk.data.lengths, np.bincount(original["bag_id"]))
    assert_array_equal(musk.target, original["bag_y"])
    heart = load_heart_multisite(as_frame=True)
    table = pd.read_csv(SHARED / "heart_multisite" / "heart.csv")
    assert_array_equal(heart.data, table[heart.feature_names])
    assert_array_equal(heart.target, table["label"])
    assert_array_equal(heart.target_num, table["target"])
    assert_array_equal(heart.site, table["site"])
