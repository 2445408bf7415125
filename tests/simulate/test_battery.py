"""Every tensor of the book at order 1/n against sampled networks: a small battery with fixed seeds, and the large one.

For each tensor one number: the factor by which the theory has to be multiplied to fit all its components at once, by
least squares; its standard error comes from the blocks of networks, so that components may depend on each other.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from pertheory.rulebook.network import any_rule
from pertheory.rulebook.tensors import find_tensor
from pertheory.simulate.batches import run
from pertheory.simulate.estimate import Estimators
from pertheory.simulate.setting import make_setting

INPUTS = [[0.8, -0.5, 1.1], [-0.3, 0.9, 0.4]]
HYPER = {"C_b": 0.3, "C_W": 1.7, "lambda_b": 0.4, "lambda_W": 0.9}
WIDTH, DEPTH = 64, 3
#: How far the factor may be from one, and how many networks that takes.
BOUNDS = {"VDFAB": (0.015, 96_000), "PQRSTU": (0.05, 9_600)}
TABLE = Path(__file__).parents[2] / "docs" / "sampled_table.md"


@cache
def theory():
    """T{0} + T{1}/n; what is left out is of order 1/n^2, n = 64."""
    names = [f"{name}{{1}}" for names in BOUNDS for name in names]
    state = pt.theory("mlp", names, order=2).compile()(INPUTS, "tanh", DEPTH, **HYPER)[DEPTH]
    return {name[0]: state[name[0]] + state[name] / WIDTH for name in names}


@cache
def sampled(names):
    """The components, and the estimates of every block."""
    tensors = tuple(find_tensor(name)[0] for name in names)
    setting = make_setting(any_rule("mlp"), INPUTS, "tanh", DEPTH, WIDTH, None, HYPER)
    estimators = Estimators(setting, tensors, (DEPTH,), 20261128)
    return estimators.components, run(estimators, BOUNDS[names][1])


def factor(name, scale=1.0):
    """The factor for a tensor whose theory is changed by a scale, with its standard error."""
    names = next(names for names in BOUNDS if name in names)
    components, blocks = sampled(names)
    own = [i for i, component in enumerate(components) if component.tensor.name == name]
    values = scale * np.array([theory()[name][components[i].slots] for i in own])
    weights = values / blocks[:, own].var(axis=0)
    factors = blocks[:, own] @ weights / (values @ weights)
    return factors.mean(), factors.std(ddof=1) / np.sqrt(len(factors))


def within(name, scale=1.0):
    return abs(factor(name, scale)[0] - 1) < next(BOUNDS[names][0] for names in BOUNDS if name in names)


@pytest.mark.parametrize("name", "VDFABPQRSTU")
def test_the_theory_fits_sampled_networks(name):
    """A hundred thousand networks of width 64 for five tensors, ten thousand for the others: half a minute."""
    value, error = factor(name)
    assert within(name), (value, error)
    assert abs(value - 1) < 4 * error


@pytest.mark.parametrize("name", "VDFABPQRSTU")
def test_the_bounds_break_where_a_tensor_is_changed(name):
    """By 3% for V, D, F, A, B, by 10% for P to U, either way."""
    change = 0.03 if name in "VDFAB" else 0.1
    assert not within(name, 1 + change)
    assert not within(name, 1 - change)


def rows():
    """Case, tensor, slots, theory, sampled, stderr, pull of the table that is kept with the documentation."""
    case = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            case = line[3:]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 7 and re.fullmatch(r"-?\d[-\d.e+]*", cells[2]):
            yield case, cells[0], cells[1], *map(float, cells[2:6])


def test_the_pulls_of_the_long_run_are_those_of_noise():
    """At least 300 components of several activations, inputs and depths; pulls follow from what stands beside them."""
    found = list(rows())
    assert len(found) >= 300
    assert len({case for case, *_ in found}) >= 4
    assert {re.sub(r"\{1\}", "", name) for _, name, *_ in found} == {"G", "H", "V6", *"VDFABPQRSTU"}
    pulls = np.array([(mean - value) / error for *_, value, mean, error, _ in found if error > 1e-12])
    stated = np.array([pull for *_, error, pull in found if error > 1e-12])
    np.testing.assert_allclose(pulls, stated, rtol=0.06, atol=0.06)  # standard errors are written with two digits
    for tensor in {name for _, name, *_ in found}:
        own = stated[[name == tensor for _, name, *_, error, _ in found if error > 1e-12]]
        assert abs(own.mean()) < 2, tensor  # components of one case depend on each other
    assert abs(stated.mean()) < 0.3
    assert 0.8 < np.sqrt(np.mean(stated**2)) < 1.2
    assert np.abs(stated).max() < 4.5
