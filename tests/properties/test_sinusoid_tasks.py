"""Sinusoid tasks obey their formula, and draws of one kind do not move another."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mlmi_sklearn.datasets import make_sinusoid_tasks

counts = st.integers(1, 30)
seeds = st.integers(0, 2**32 - 1)
noises = st.floats(0, 10)


def draw(n_tasks, n_samples, **options):
    return make_sinusoid_tasks(n_tasks, n_samples, return_params=True, **options)


@given(counts, counts, seeds)
def test_values_are_the_formula_and_in_range(n_tasks, n_samples, seed):
    X, y, groups, amplitude, phase = draw(n_tasks, n_samples, random_state=seed)
    assert X.shape == (n_tasks * n_samples, 1)
    assert_array_equal(np.bincount(groups), np.full(n_tasks, n_samples))
    expected = amplitude[groups] * np.sin(X[:, 0] - phase[groups])
    assert_allclose(y, expected, rtol=0, atol=1e-14)
    assert ((amplitude >= 0.1) & (amplitude <= 5)).all()
    assert ((phase >= 0) & (phase <= np.pi)).all()
    assert (np.abs(X) <= 5).all()


@given(counts, counts, seeds, noises)
def test_a_seed_repeats(n_tasks, n_samples, seed, noise):
    one, two = (
        draw(n_tasks, n_samples, noise=noise, random_state=seed) for _ in range(2)
    )
    for first, second in zip(one, two, strict=True):
        assert_array_equal(first, second)


@given(seeds, seeds)
def test_another_seed_is_another_draw(one, two):
    same = np.array_equal(
        draw(5, 5, random_state=one)[0], draw(5, 5, random_state=two)[0]
    )
    assert same == (one == two)


@given(counts, counts, counts, seeds, noises)
def test_more_tasks_leave_the_first_ones_alone(few, more, n_samples, seed, noise):
    short = draw(few, n_samples, noise=noise, random_state=seed)
    long = draw(few + more, n_samples, noise=noise, random_state=seed)
    for one, two in zip(short, long, strict=True):
        assert_array_equal(one, two[: len(one)])


@given(counts, counts, counts, seeds)
def test_curves_do_not_depend_on_the_number_of_points(n_tasks, one, two, seed):
    few, many = (draw(n_tasks, size, random_state=seed) for size in (one, two))
    assert_array_equal(few[3], many[3])
    assert_array_equal(few[4], many[4])


@given(counts, counts, seeds, st.floats(0.01, 10))
def test_noise_moves_values_alone_and_in_proportion(n_tasks, n_samples, seed, noise):
    clean, unit, noisy = (
        draw(n_tasks, n_samples, noise=size, random_state=seed)
        for size in (0, 1, noise)
    )
    for position in (0, 2, 3, 4):
        assert_array_equal(clean[position], noisy[position])
    assert_allclose(noisy[1] - clean[1], noise * (unit[1] - clean[1]), atol=1e-12)
    assert (noisy[1] != clean[1]).any()
