"""The page: valid, complete, and in need of nothing from outside."""

from __future__ import annotations

import re

import pytest

from mlmi_sklearn.demo.pictures import DARK, LIGHT, render
from mlmi_sklearn.demo.report import make_report


@pytest.fixture
def make(chapter):
    def make(families=("mil",), **changes):
        chapters = dict.fromkeys(families, chapter)
        panel = chapter.sections[0].figures[0].panels[0]
        pictures = {panel: (render(panel, LIGHT), render(panel, DARK))}
        about = {"command": "mlmi-sklearn demo", "facts": {"mlmi-sklearn": "1.2"}}
        return make_report(chapters, pictures, **{**about, **changes})

    return make


def test_the_page_is_valid_and_needs_nothing(make, check_page):
    check_page(make())


def test_text_is_escaped(make, parse):
    text = make(command="demo <&>")
    page = parse(text)
    whole = "".join(page.text)
    for part in (
        "net <deep> & wide",
        "Is 1 < 2?",
        'A "question" & more',
        "Second <detail>.",
        "if a < b:\n    pass",
        "demo <&>",
    ):
        assert part in whole
    assert page.all("img")[0]["alt"] == 'alt "text" <1>'


def test_the_parts_of_an_experiment_are_there(make, parse):
    whole = " ".join("".join(parse(make()).text).split())
    for part in (
        "0.800 ± 0.141",
        "It seems so.",
        "What is seen",
        "Seeds 0 and 1",
        "Here.",
    ):
        assert part in whole


def test_addresses_in_sentences_become_links(make, parse):
    [link] = parse(make()).all("a")
    assert link == {"href": "https://example.org/a-paper"}


def test_pictures_follow_the_colours_of_the_page(make, parse):
    page = parse(make())
    [source], [image] = page.all("source"), page.all("img")
    assert source["media"] == "(prefers-color-scheme: dark)"
    assert source["srcset"] != image["src"]
    assert "@media (prefers-color-scheme: dark)" in make()


def test_rows_and_columns_have_headers(make, parse):
    scopes = [header.get("scope") for header in parse(make()).all("th")]
    assert scopes == ["col"] * 3 + ["row"] * 2


def test_several_chapters_get_a_list_of_contents(make, parse, check_page):
    page = check_page(make(("mil", "da")))
    targets = [link["href"] for link in page.all("a") if link["href"].startswith("#")]
    assert targets == ["#mil", "#da"]
    assert not [a for a in parse(make()).all("a") if a["href"].startswith("#")]


def test_nothing_of_the_templates_is_left(make):
    assert not re.search(r"\$\w|\{\w+\}", make().split("</style>")[1])


def test_facts_are_listed(make):
    text = make(facts={"mlmi-sklearn": "1.2", "Duration": "3 s <"})
    assert "<dt>Duration</dt><dd>3 s &lt;</dd>" in text
