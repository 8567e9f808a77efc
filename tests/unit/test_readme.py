"""Every Python block of the README runs, one after the other, as printed."""

import re
from pathlib import Path

import pytest

from mlmi_sklearn.components import unregister_component

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


class Page(dict):
    """The names of the page, whose blocks run in order up to the one asked for."""

    done = 0

    def run(self, number):
        while self.done <= number:
            code = compile(BLOCKS[self.done], f"README block {self.done}", "exec")
            exec(code, self)
            self.done += 1


@pytest.fixture(scope="module")
def page():
    page = Page()
    yield page
    if page.done == len(BLOCKS):
        unregister_component("backbone", "wavelet")


@pytest.fixture
def namespace(page):
    page.run(len(BLOCKS) - 1)
    return page


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block_runs(number, page):
    page.run(number)
    assert page.done > number


def test_what_the_readme_says_about_scores(namespace):
    for scores, decision in zip(
        namespace["scores"],
        namespace["mil"].decision_function(namespace["test"]),
        strict=True,
    ):
        assert scores.max() == decision


def test_the_models_of_the_readme_are_good(namespace):
    X, y, net = (namespace[name] for name in ("images", "y", "net"))
    assert net.score(X[1500:], y[1500:]) > 0.9
    mil, test, y_test = (namespace[name] for name in ("mil", "test", "y_test"))
    assert mil.score(test, y_test) > 0.8
    assert namespace["search"].best_score_ > 0.7


def test_commands_of_the_readme_exist():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    for target in set(re.findall(r"`?make (\w+)`?", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
