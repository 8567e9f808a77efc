"""Tables and sentences on the terminal."""

from __future__ import annotations

import dataclasses

from mlmi_sklearn.demo.content import Finding, Metric, Table
from mlmi_sklearn.demo.terminal import cell, chapter_lines, table_lines


def test_columns_are_aligned(scores):
    rows = (
        scores("a", True, x=[0.1, 0.2], n=[1.0, 1.0]),
        scores("a much longer name", False, x=[100.0, 200.0], n=[22.0, 22.0]),
    )
    metrics = (Metric("x", "x"), Metric("n", "seconds", 1, spread=False))
    head, rule, *body = table_lines(Table("t", "", metrics, rows))
    ends = [i for i, mark in enumerate(f"{rule} ") if mark == " "]
    assert {len(line) for line in (head, rule, *body)} == {len(rule)}
    assert rule.startswith("-" * len("a much longer name") + "  ")
    assert all(line[end : end + 1].strip() == "" for line in body for end in ends)
    assert body[0].endswith("1.0")
    assert body[1].endswith("22.0")


def test_a_cell_shows_mean_and_spread(scores):
    row = scores("a", True, x=[0.4, 0.6])
    assert cell(row, Metric("x", "x")) == "0.500 ± 0.141"
    assert cell(row, Metric("x", "x", decimals=1, spread=False)) == "0.5"


def test_everything_stays_within_100_columns(chapter):
    long = " ".join(["a sentence that goes on"] * 20)
    section = dataclasses.replace(
        chapter.sections[0], findings=(Finding(long, (long, long)),)
    )
    lines = list(chapter_lines(dataclasses.replace(chapter, sections=(section,))))
    assert max(map(len, lines)) <= 100
    assert " ".join(" ".join(lines).split()).count("* a sentence") == 2


def test_title_table_and_findings_are_there(chapter):
    text = "\n".join(chapter_lines(chapter))
    for part in (
        "Title\n=====",
        "Is 1 < 2? (over 2 folds)",
        "0.800 ± 0.141",
        "seems so",
    ):
        assert part in text
