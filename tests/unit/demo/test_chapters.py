"""The registry of chapters."""

from __future__ import annotations

import sys

import pytest

from mlmi_sklearn.demo import chapters
from mlmi_sklearn.demo.chapters import families_to_show, load_chapter
from mlmi_sklearn.demo.content import Chapter
from mlmi_sklearn.demo.errors import RequestError


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Return a folder whose modules are chapters too."""
    monkeypatch.setattr(chapters, "__path__", [*chapters.__path__, str(tmp_path)])
    monkeypatch.setattr(chapters, "FAMILIES", ("mil", "later", "never"))
    yield tmp_path
    sys.modules.pop("mlmi_sklearn.demo.chapters.later", None)


def test_bags_have_a_chapter():
    assert families_to_show("mil") == ("mil",)
    assert "mil" in families_to_show("all")


def test_every_chapter_keeps_the_contract():
    for family in families_to_show("all"):
        module = load_chapter(family)
        assert set(module.PRESETS) == {"full", "quick"}
        assert callable(module.write)


def test_a_new_module_is_a_new_chapter(folder):
    (folder / "later.py").write_text(
        "from mlmi_sklearn.demo.content import Chapter\n"
        "PRESETS = {'full': 1, 'quick': 2}\n"
        "def write(settings): return Chapter(f'{settings}', '', '', (), ())\n"
    )
    assert families_to_show("all") == ("mil", "later")
    assert families_to_show("later") == ("later",)
    module = load_chapter("later")
    chapter = module.write(module.PRESETS["quick"])
    assert isinstance(chapter, Chapter)
    assert chapter.title == "2"


def test_a_package_is_a_chapter_too(folder):
    (folder / "later").mkdir()
    (folder / "later" / "__init__.py").write_text("PRESETS = {}\n")
    assert families_to_show("later") == ("later",)


def test_helper_modules_are_no_chapters(folder):
    (folder / "helpers.py").write_text("")
    assert "helpers" not in families_to_show("all")


def test_a_family_without_a_chapter_is_named_with_those_that_have_one(folder):
    with pytest.raises(RequestError, match=r"'never' has no chapter yet.*mil.*'all'"):
        families_to_show("never")


def test_an_unknown_family_is_named(folder):
    with pytest.raises(RequestError, match=r"'astrology' is not a family; use .*mil"):
        families_to_show("astrology")
