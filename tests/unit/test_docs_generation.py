"""What the guide on conditional generation names is there, and all that there is."""

import re
from pathlib import Path

import pytest

import mlmi_sklearn.generation
from mlmi_sklearn import list_components
from mlmi_sklearn.metrics import SYNTHETIC_SCORERS

PAGE = Path(__file__).parents[2] / "docs" / "user_guide" / "generation.md"
TEXT = PAGE.read_text()


def first_column(header):
    rows = TEXT[TEXT.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_metrics_of_the_guide_are_those_that_evaluate_knows():
    found = set(first_column("| metric | asks |"))
    assert set(SYNTHETIC_SCORERS) - {"tstr_svc"} <= found


@pytest.mark.parametrize("kind", ["adversarial-loss", "generator"])
def test_every_part_is_named(kind):
    for part in list_components(kind, builtin=True):
        assert re.search(rf"[`\"]{part.name}[`\"]", TEXT), part.name


@pytest.mark.parametrize("name", mlmi_sklearn.generation.__all__)
def test_every_estimator_is_named(name):
    assert f"`{name}" in TEXT or f"{name}(" in TEXT


def test_every_public_parameter_in_the_guide_exists():
    known = mlmi_sklearn.CGANSampler().get_params()
    for call in re.findall(r"CGANSampler\(([^)]*)\)", TEXT):
        for name in re.findall(r"(\w+)=", call):
            assert name.split("__")[0] in known, name


def test_tables_are_filled():
    for name in ("quality", "columns", "balance", "phantom", "translation"):
        inside = TEXT.partition(f"<!-- {name}:begin -->")[2]
        assert inside.partition(f"<!-- {name}:end -->")[0].count("|") > 10, name
