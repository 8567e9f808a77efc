"""Scores to write about, a chapter of two methods, and a demo of a few seconds."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

import numpy as np
import pytest

from mlmi_sklearn.demo.chapters import mil
from mlmi_sklearn.demo.chapters.mil.settings import Settings
from mlmi_sklearn.demo.content import (
    Chapter,
    Figure,
    Finding,
    Metric,
    Panel,
    Scores,
    Section,
    Table,
)

VOID = {"meta", "img", "source", "br", "link", "hr", "input"}
LOADING = ("src", "srcset", "data", "poster", "background", "action")
PNG = b"\x89PNG\r\n\x1a\n"


class Page(HTMLParser):
    """Collects tags and checks that they close in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        """Return the attributes of all tags of one name."""
        return [attributes for name, attributes in self.tags if name == tag]


def check(text):
    """Check what every report must keep to; return the parsed page."""
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert page.all("html") == [{"lang": "en"}]
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name in LOADING:
            assert attributes.get(name, "data:").startswith(
                "data:image/png;base64,"
            ) or (name not in attributes)
        assert attributes.get("href", "#").startswith(("#", "https://"))
    for image in page.all("img"):
        assert image["alt"].strip()
        assert base64.b64decode(image["src"].split(",")[1]).startswith(PNG)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        assert attributes.get("aria-labelledby", ids[0]) in ids
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    return page


def make_scores(method, ours, **values):
    """Return scores from lists."""
    return Scores(method, ours, {key: np.array(v) for key, v in values.items()})


@pytest.fixture
def scores():
    """Return the function that makes scores from lists."""
    return make_scores


@pytest.fixture
def chapter():
    """Return a chapter with one section, and text that HTML must not take for tags."""

    def draw(theme):
        from matplotlib.figure import Figure as Canvas

        figure = Canvas(figsize=(1, 1))
        figure.text(0.5, 0.5, theme.name)
        return figure

    rows = (
        make_scores("net <deep> & wide", True, auc=[0.7, 0.9], time=[1.0, 3.0]),
        make_scores("simple", False, auc=[0.6, 0.6], time=[0.25, 0.25]),
    )
    metrics = (Metric("auc", "AUC"), Metric("time", "s", decimals=1, spread=False))
    section = Section(
        "Is 1 < 2?",
        'A "question" & more',
        Table("table", "over 2 folds", metrics, rows),
        (Finding("It seems so.", ("First detail.", "Second <detail>.")),),
        (Figure("What is seen", (Panel("one", 'alt "text" <1>', draw),)),),
        ("Seeds 0 and 1; see https://example.org/a-paper.",),
    )
    return Chapter(
        "Title", "What for?", "if a < b:\n    pass\n", (section,), ("Here.",)
    )


@pytest.fixture
def tiny(monkeypatch):
    """Make the quick run of the chapter on bags a matter of a second or two."""
    settings = Settings(
        folds=3,
        repeats=1,
        draws=2,
        train_bags=20,
        test_bags=12,
        epochs=3,
        checks=2,
        check_bags=12,
        slide_draws=2,
        train_slides=6,
        test_slides=4,
    )
    monkeypatch.setitem(mil.PRESETS, "quick", settings)
    return settings


@pytest.fixture
def parse():
    """Return the parser of pages, which checks that tags close in order."""
    return Page


@pytest.fixture
def check_page():
    """Return the function that checks a page and parses it."""
    return check
