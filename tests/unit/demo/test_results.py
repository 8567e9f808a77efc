"""The tables as files."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from mlmi_sklearn.demo.results import all_scores, as_csv


def test_csv_has_one_line_for_each_method_and_metric(chapter):
    frame = pd.read_csv(io.StringIO(as_csv({"mil": chapter})))
    assert list(frame.columns) == [
        *("family", "experiment", "method", "ours", "metric", "mean", "sd", "n")
    ]
    assert len(frame) == 4
    first = frame.iloc[0]
    assert (first["method"], first["metric"], first["n"]) == (
        "net <deep> & wide",
        "auc",
        2,
    )
    assert bool(first["ours"])
    assert first["mean"] == pytest.approx(0.8)
    assert first["sd"] == pytest.approx(0.141421, rel=1e-4)


def test_json_has_every_score(chapter):
    records = json.loads(json.dumps(all_scores({"mil": chapter})))
    assert [record["method"] for record in records] == ["net <deep> & wide", "simple"]
    assert records[0]["scores"] == {"auc": [0.7, 0.9], "time": [1.0, 3.0]}
    assert records[1]["ours"] is False
