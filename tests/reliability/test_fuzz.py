"""Every public estimator, with odd arguments of every kind.

The fast part is a sample that is the same in each run. ``make fuzz`` judges every
oddity with every estimator, in fit and in prediction, and then as many random
combinations as ``FUZZ_EXAMPLES`` says (of each estimator), and prints how many there
were.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from fuzzing import COUNTS, WHERE, cases, judge
from hypothesis import HealthCheck, given, settings
from odd_rows import BAGS, ROWS
from odd_targets import BESIDE, CLASSES, NUMBERS
from subjects import NAMES, oddities_of, usual

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))

_QUICKEST = [
    "NetClassifier",
    "NetRegressor",
    "MILClassifier",
    "ImportanceWeightedClassifier",
    "ProtoNetClassifier",
]


@settings(max_examples=100)
@given(cases())
def test_odd_arguments(case):
    judge(*case)


def one_of_each():
    """Yield every oddity with one estimator that it is for, in fit or prediction."""
    beside = [oddity for some in BESIDE.values() for oddity in some]
    for number, oddity in enumerate([*ROWS, *BAGS, *CLASSES, *NUMBERS, *beside]):
        able = [name for name in _QUICKEST if oddity in oddities_of(name)]
        name, label = able[number % len(able)], f"{oddity.argument}-{oddity.name}"
        yield pytest.param(name, oddity, number % 2, id=f"{label}-{name}")


@pytest.mark.parametrize(("name", "oddity", "seed"), [*one_of_each()])
def test_each_oddity(name, oddity, seed):
    call = usual(name, seed=seed, dtype=(np.float64, np.float32)[seed])
    judge(name, call.with_beside({oddity.argument}), [oddity], seed, WHERE[seed])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_oddity(name):
    wrong = []
    for oddity in oddities_of(name):
        call = usual(name).with_beside({oddity.argument})
        for where in WHERE if oddity.argument == "X" else WHERE[:1]:
            try:
                judge(name, call, [oddity], 0, where)
            except Exception as error:
                said = f"{type(error).__name__}: {error}"[:500]
                wrong.append(f"{oddity.argument}, {oddity.name}, {where}: {said}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_combinations(name):
    @settings(
        max_examples=EXAMPLES,
        derandomize=False,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(names=[name]))
    def test(case):
        judge(*case)

    before = COUNTS[name]
    test()
    assert COUNTS[name] - before >= EXAMPLES // 2
