"""Ids of tasks: read, encoded, taken out of a column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse

from mlmi_sklearn import MAMLClassifier, MAMLRegressor, ProtoNetClassifier
from mlmi_sklearn.datasets import make_sinusoid_tasks
from mlmi_sklearn.exceptions import TaskError, TaskWarning
from mlmi_sklearn.meta_learning.tasks import (
    TaskRows,
    encode_tasks,
    require_task_column,
    take_task_column,
)

IDS = ["b", "a", "b", "c"]


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        (IDS, ["a", "b", "c"]),
        (np.array(IDS), ["a", "b", "c"]),
        (np.array(IDS, dtype=object), ["a", "b", "c"]),
        (pd.Series(IDS, index=[9, 7, 7, 1]), ["a", "b", "c"]),
        (pd.Series(IDS, dtype="category"), ["a", "b", "c"]),
        (pd.Series(IDS, dtype="string"), ["a", "b", "c"]),
        ([7, -2, 7, 100], [-2, 7, 100]),
        (torch.tensor([7, -2, 7, 100]), [-2, 7, 100]),
        ([0.5, -1.0, 0.5, 2.0], [-1.0, 0.5, 2.0]),
        ([True, False, True, True], [False, True]),
        (
            pd.to_datetime(["2020-02-01", "2020-01-01", "2020-02-01", "2021-01-01"]),
            None,
        ),
        (pd.Series([7, -2, 7, 100], dtype="Int64"), [-2, 7, 100]),
    ],
    ids=str,
)
def test_ids_of_any_type(groups, names):
    found, codes = encode_tasks(groups, 4)
    if names is not None:
        assert list(found) == names
    assert codes.dtype == np.int64
    assert_array_equal(np.asarray(found)[codes], np.asarray(groups))
    assert codes.max() + 1 == len(found)


def test_ids_of_mixed_types_have_an_order_too():
    names, codes = encode_tasks(np.array([1, "a", 1, 2.5], dtype=object), 4)
    assert list(names) == [1, "a", 2.5]
    assert codes.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a"] * 3, r"groups has shape \(3,\), but X has 4 rows"),
        ([["a"]] * 4, r"groups has shape \(4, 1\), but X has 4 rows"),
        ("abcd", r"groups has shape \(\)"),
        (["a", None, "b", "b"], "1 missing ids"),
        ([1.0, np.nan, np.nan, 2.0], "2 missing ids"),
        (pd.Series([1, pd.NA, 1, 1], dtype="Int64"), "1 missing ids"),
        (pd.to_datetime(["2020-01-01", None] * 2), "2 missing ids"),
    ],
    ids=str,
)
def test_unusable_ids(groups, message):
    with pytest.raises(TaskError, match=message):
        encode_tasks(groups, 4)


def test_a_task_error_is_a_value_error():
    assert issubclass(TaskError, ValueError)


# -- a column ------------------------------------------------------------------------

VALUES = np.array([[1.0, 10.0, 2.0], [3.0, 20.0, 4.0]])


@pytest.mark.parametrize("task", [1, -2, np.int64(1)])
@pytest.mark.parametrize(
    "wrap",
    [np.asarray, pd.DataFrame, np.ndarray.tolist, torch.tensor, np.asfortranarray],
)
def test_a_column_by_its_place(wrap, task):
    X, ids = take_task_column(wrap(VALUES), task)
    assert_array_equal(np.asarray(X), VALUES[:, [0, 2]])
    assert_array_equal(np.asarray(ids), [10.0, 20.0])


def test_lists_with_names_keep_numbers():
    X, ids = take_task_column([["a", 1, 0.1], ["b", 2, 1e-12]], 0)
    assert X.dtype == np.float64
    assert_array_equal(X, [[1, 0.1], [2, 1e-12]])
    assert list(ids) == ["a", "b"]


def test_a_column_by_its_name():
    frame = pd.DataFrame({"site": ["a", "b"], "x": [1.0, 2.0], "z": [3, 4]})
    X, ids = take_task_column(frame, "site")
    assert list(X.columns) == ["x", "z"]
    assert ids.tolist() == ["a", "b"]
    assert list(frame.columns) == ["site", "x", "z"]
    same, ids = take_task_column(X, "site")
    assert same is X
    assert ids is None


def test_a_name_and_an_array():
    with pytest.raises(TaskError, match=r"X has no column names.*integer"):
        take_task_column(VALUES, "site")


@pytest.mark.parametrize("task", [3, -4, 100])
def test_no_such_place(task):
    with pytest.raises(
        TaskError, match=f"task={task} is not a column of X, which has 3"
    ):
        take_task_column(VALUES, task)


def test_images_have_no_column_of_tasks():
    with pytest.raises(TaskError, match=r"shape \(2, 3, 3\).*groups="):
        take_task_column(np.zeros((2, 3, 3)), 0)


def test_no_task_at_all():
    X = sparse.eye(3).tocsr()
    assert take_task_column(X, None) == (X, None)


def test_a_column_that_is_missing_in_training():
    frame = pd.DataFrame({"sight": [1], "x": [2]})
    with pytest.raises(
        TaskError, match=r"'site' is not a column.*Did you mean 'sight'"
    ):
        require_task_column(frame, "site", None)
    require_task_column(frame, None, None)
    require_task_column(frame, "sight", [1])


def test_rows_of_tasks_are_taken_together():
    rows = TaskRows(VALUES, np.array([0, 1]))[np.array([1])]
    assert (len(rows), rows.shape, rows.dtype) == (1, (1, 3), np.float64)
    assert rows.codes.tolist() == [1]
    assert TaskRows(VALUES, None)[:1].codes is None


def test_no_tasks_is_said():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    quick = {"max_epochs": 1, "episodes_per_epoch": 2, "finetune_steps": 0}
    with pytest.warns(TaskWarning, match="MAMLClassifier has no tasks.*groups="):
        MAMLClassifier(**quick).fit(X, y)
    with pytest.warns(TaskWarning, match="MAMLRegressor has no tasks"):
        MAMLRegressor(**quick).fit(X, X[:, 0])


def test_tasks_of_whatever_kind_are_no_reason_to_warn(recwarn):
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    quick = {"max_epochs": 1, "episodes_per_epoch": 2, "finetune_steps": 0}
    MAMLClassifier(**quick).fit(X, y, groups=np.arange(40) // 10)
    MAMLClassifier(n_way=3, **quick).fit(X, np.arange(40) % 4)
    MAMLClassifier(head="proto", **quick).fit(X, y)
    ProtoNetClassifier(max_epochs=1, episodes_per_epoch=2).fit(X, y)
    assert not [w for w in recwarn if issubclass(w.category, TaskWarning)]


def test_a_training_that_ran_away_is_said():
    X, y, groups = make_sinusoid_tasks(40, 20, random_state=0)
    wild = {"lr": 1.0, "max_grad_norm": None, "lr_schedule": "constant"}
    model = MAMLRegressor(max_epochs=6, finetune_steps=0, random_state=0, **wild)
    with pytest.warns(TaskWarning, match=r"ran away: .* rose from .* to"):
        model.fit(X, y, groups=groups)
