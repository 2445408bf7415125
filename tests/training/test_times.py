"""Sums over the times of events: against sums that are carried out, and divided differences in high precision."""

from __future__ import annotations

from itertools import combinations
from math import inf, prod

import mpmath
import numpy as np
import pytest

from pertheory.training.times import Descent, Flow

VALUES = np.array([0.9, 0.55, 0.2])
STAGES = ((), ("a",), ("b", "c"), ("a", "b", "c"))


def rates(of):
    """The rate of each stage of `STAGES` for the modes a, b, c."""
    return [of([VALUES["abc".index(label)] for label in stage]) for stage in STAGES]


@pytest.mark.parametrize("steps", [0, 2, 3, 11, 60])
@pytest.mark.parametrize("eta", [0.4, 1.9])
def test_events_at_all_times(steps, eta):
    """Three events at different steps; before, between and after them each stage has its own rate."""
    course = Descent(VALUES, np.full(3, eta), steps=steps)
    mu = rates(lambda values: prod(1 - eta * h for h in values))
    expected = 0.0
    for times in combinations(range(steps), 3):
        ends = (*times, steps)
        starts = (0, *(time + 1 for time in times))
        expected += prod(rate ** (end - start) for rate, start, end in zip(mu, starts, ends, strict=True))
    assert course.over_times(STAGES, "abc")[0, 1, 2] == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_a_chain_with_other_names_is_the_same_sum():
    course = Descent(VALUES, np.full(3, 0.4), steps=7)
    one = course.over_times(STAGES, "abc")
    other = course.over_times((("c",), ("a", "b"), ("a", "b", "c")), "abc"), course.over_times(STAGES, "bca")
    renamed = course.over_times(((), ("c",), ("a", "b"), ("a", "b", "c")), "abc")
    assert np.array_equal(renamed, one.transpose(1, 2, 0))
    assert np.array_equal(other[1], one.transpose(1, 2, 0))


@pytest.mark.parametrize("time", [0.0, 0.3, 3.5, 400.0])
@pytest.mark.parametrize("values", [(0.9, 0.55, 0.2), (0.5, 0.5, 1.0), (0.7, 0.7 + 1e-9, 1e-7)])
def test_gradient_flow_is_a_divided_difference_of_the_exponential(time, values):
    """Also where rates are equal or nearly so: 60 digits, shifted by 1e-20 where they are equal."""
    course = Flow(np.array(values), np.ones(3), time=time)
    found = course.over_times(STAGES, "abc")[0, 1, 2]
    with mpmath.workdps(90):
        h = [mpmath.mpf(value) + index * mpmath.mpf(10) ** -20 for index, value in enumerate(values)]
        nodes = [mpmath.mpf(0), -h[0], -h[1] - h[2], -h[0] - h[1] - h[2]]
        table = [mpmath.exp(node * time) for node in nodes]
        for level in range(1, 4):
            table = [(table[i + 1] - table[i]) / (nodes[i + level] - nodes[i]) for i in range(4 - level)]
        expected = float(table[0])
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_the_end_of_training_is_the_limit_of_many_steps():
    for ending, long in (
        (Descent(VALUES, np.full(3, 0.4)), Descent(VALUES, np.full(3, 0.4), steps=2000)),
        (Flow(VALUES, np.ones(3)), Flow(VALUES, np.ones(3), time=800.0)),
    ):
        assert np.allclose(ending.over_times(STAGES, "abc"), long.over_times(STAGES, "abc"), rtol=1e-12)


def test_equal_rates_are_harmless():
    """With a mode that is not learned and two that are alike sums over 10^6 steps are those of polynomials."""
    course = Descent(np.array([0.0, 0.0]), np.full(2, 0.3), steps=10**6)
    found = course.over_times(((), ("a",), ("a", "b")), "ab")
    assert found == pytest.approx(10**6 * (10**6 - 1) / 2, rel=1e-12)
    assert Flow(np.array([0.0]), np.ones(1), time=3.0).over_times(((), ("a",)), "a") == pytest.approx(3.0)


def test_infinity_is_the_default():
    assert Descent(VALUES, VALUES).steps == inf == Flow(VALUES, VALUES).time
