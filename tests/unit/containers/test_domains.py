"""Which rows come from where, and which targets are unknown."""

import numpy as np
import pandas as pd
import pytest

from mlmi_sklearn.containers.domains import SOURCE, TARGET, Domains, resolve_domains
from mlmi_sklearn.containers.unlabelled import unlabelled


def test_signs():
    domains = resolve_domains([3, 0, -1, 3, -7], 5)
    assert domains.is_target.tolist() == [False, False, True, False, True]
    assert domains.names.tolist() == [3, 0, -1, -7]
    assert (domains.n_sources, len(domains)) == (2, 5)
    assert domains.codes(domains.names).tolist() == [0, 1, 2, 0, 3]
    assert domains.codes(np.array([0, 3])).tolist() == [1, 0, -1, 1, -1]
    part = domains[[4, 0]]
    assert part.ids.tolist() == [-7, 3]
    assert part.is_target.tolist() == [True, False]


@pytest.mark.parametrize(
    "ids",
    [
        [1, -1],
        (1.0, -1.0),
        np.array([1, -1], dtype=np.int8),
        pd.Series([1, -1], index=[5, 4]),
        pd.Series([1, -1], dtype="category"),
    ],
    ids=lambda ids: type(ids).__name__,
)
def test_containers_of_numbers(ids):
    if getattr(getattr(ids, "dtype", None), "name", "") == "category":
        ids = ids.astype(int)
    assert resolve_domains(ids, 2).is_target.tolist() == [False, True]


def test_unsigned_ids_are_sources():
    assert not resolve_domains(np.array([0, 255], dtype=np.uint8), 2).is_target.any()


@pytest.mark.parametrize(("scalar", "target"), [(0, False), (-3, True), (2.0, False)])
def test_scalars(scalar, target):
    domains = resolve_domains(scalar, 3)
    assert domains.is_target.tolist() == [target] * 3
    assert domains.names.tolist() == [scalar]
    named = resolve_domains("Bern", 2, target_domains=["Bern"])
    assert named.is_target.all()


@pytest.mark.parametrize("named", [["b"], {"b"}, ("b", "z"), np.array(["b"])])
def test_names(named):
    for ids in (["a", "b"], np.array(["a", "b"], dtype=object), pd.Series(["a", "b"])):
        domains = resolve_domains(ids, 2, target_domains=named)
        assert domains.is_target.tolist() == [False, True]
        assert domains.names.tolist() == ["a", "b"]


def test_target_domains_take_the_place_of_signs():
    domains = resolve_domains([1, -1, 2], 3, target_domains=[2])
    assert domains.is_target.tolist() == [False, False, True]
    assert not resolve_domains([1, -1], 2, target_domains=[]).is_target.any()


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 1], r"shape \(2,\), but X has 3 rows"),
        ([[1, 1], [1, 1], [1, 1]], "one id a row"),
        ([1, np.nan, -1], "missing values"),
        (["a", None, "b"], "missing values"),
        ([True, False, True], "True and False"),
        (["a", "b", "c"], r"'a', which do not say.*target_domains"),
    ],
)
def test_ids_that_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        resolve_domains(ids, 3)


def test_nothing_tells_anything():
    assert resolve_domains(None, 3) is None
    assert resolve_domains(None, 3, y=[0, 1, 2]) is None
    assert resolve_domains(None, 3, y=[1, -1, 1]) is None
    assert resolve_domains(None, 4, y=[0, 1, -1, 0], integers=False) is None


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, -1],
        [0.5, 2.5, np.nan],
        np.array(["a", "b", None], dtype=object),
        pd.Series([0, 1, None], dtype="Int64"),
        pd.Series(["a", "b", None], dtype="str"),
        [[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan]],
        [[0, 1], [-1, 1], [-1, -1]],
    ],
    ids=str,
)
def test_markers(y):
    domains = resolve_domains(None, 3, y=y)
    assert domains.is_target.tolist() == [False, False, True]
    assert domains.ids.tolist() == [SOURCE, SOURCE, TARGET]


def test_rows_known_in_part_alone_are_no_target():
    assert resolve_domains(None, 2, y=[[0.0, np.nan], [1.0, 2.0]]) is None


def test_unlabelled():
    assert unlabelled([0, 1, 2]) is None
    assert unlabelled([0, 1, -1]).tolist() == [False, False, True]
    assert unlabelled([1, -1, -1]) is None  # two classes
    assert unlabelled([0, 1, -1], integers=False) is None
    assert unlabelled([-1, -1]) is None
    assert unlabelled(np.array([0, 1, 255], dtype=np.uint8)) is None
    assert unlabelled([np.nan, 1.0]).tolist() == [True, False]
    assert unlabelled(["a", "-1"]) is None
    assert unlabelled([[0], [1, 2]]) is None  # left to the usual validation
    assert unlabelled([]) is None


def test_ids_are_not_copied_needlessly_nor_changed():
    ids = np.array([1, -1])
    ids.setflags(write=False)
    domains = resolve_domains(ids, 2)
    assert isinstance(domains, Domains)
    assert ids.tolist() == [1, -1]


def test_a_frame_of_one_column_is_a_column():
    found = resolve_domains(pd.DataFrame({"site": [1, -2, 1]}), 3)
    assert found.is_target.tolist() == [False, True, False]
