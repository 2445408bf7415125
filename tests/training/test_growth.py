"""What outputs are made of at the end, against the truncated hierarchy integrated step by step, and symbolically."""

from __future__ import annotations

from itertools import pairwise
from math import inf, prod
from operator import mul

import numpy as np
import pytest
import sympy

from pertheory.rulebook.observable import tree_symmetries
from pertheory.training.arithmetic import FLOATS
from pertheory.training.contraction import Labelled, contract
from pertheory.training.descent import size_of
from pertheory.training.growth import grown
from pertheory.training.moments import Moments
from pertheory.training.state import symmetric
from pertheory.training.times import Descent, Flow

TRAINED, OUTPUTS, SAMPLES = 2, 2, 3
EIGENVALUES = np.array([1.3, 0.45])
TREES = ("H", "dH", "ddH_I", "ddH_II")


class Drawn:
    """One network whose trees are random arrays, samples before neurons; Theta is diagonal on the training set."""

    def __init__(self, seed):
        draw = np.random.default_rng(seed)
        cross = draw.normal(size=(SAMPLES - TRAINED, TRAINED))
        corner = draw.normal(size=(SAMPLES - TRAINED,) * 2)
        self.theta = np.block([[np.diag(EIGENVALUES), cross.T], [cross, corner + corner.T]])
        self.z, self.y = draw.normal(size=(SAMPLES, OUTPUTS)), draw.normal(size=(TRAINED, OUTPUTS))
        self.tree = {
            name: symmetric(draw.normal(size=(SAMPLES,) * size_of(name) + (OUTPUTS,) * size_of(name)), name)
            for name in TREES
        }

    def flat(self, name):
        """A tree over samples and neurons at once."""
        size = size_of(name)
        order = [axis for i in range(size) for axis in (i, size + i)]
        return self.tree[name].transpose(order).reshape((SAMPLES * OUTPUTS,) * size)


def integrated(network, eta, steps):
    """Outputs and tangent kernel after each step in orders 0, 1, 2 of 1/sqrt(n), by the book's update equations.

    The trees are frozen above ddH; H fluctuates at order 1, all else is of order 2.
    """
    n = TRAINED * OUTPUTS
    theta = np.kron(network.theta, np.eye(OUTPUTS))
    one, first, star, path = (network.flat(name) for name in TREES)
    zero = np.zeros_like(theta)
    kernel = [theta, one, zero]
    z = [network.z.ravel(), np.zeros(SAMPLES * OUTPUTS), np.zeros(SAMPLES * OUTPUTS)]
    for _ in range(steps):
        error = [z[0][:n] - network.y.ravel(), z[1][:n], z[2][:n]]
        e = error[0]
        moved = [sum(kernel[a][:, :n] @ error[k - a] for a in range(k + 1)) for k in range(3)]
        second = np.einsum("abc,b,c->a", first[:, :n, :n], e, e)
        third = np.einsum("abcd,b,c,d->a", star[:, :n, :n, :n], e, e, e)
        z = [z[0] - eta * moved[0], z[1] - eta * moved[1], z[2] - eta * moved[2]]
        z[2] = z[2] + eta**2 / 2 * second - eta**3 / 6 * third
        once = np.einsum("abc,c->ab", first[:, :, :n], e)
        twice = np.einsum("abcd,c,d->ab", star[:, :, :n, :n], e, e)
        both = np.einsum("abcd,c,d->ab", path[:, :, :n, :n], e, e)
        kernel[2] = kernel[2] - eta * (once + once.T) + eta**2 / 2 * (twice + twice.T + 2 * both)
        grafted = np.einsum("abcd,d->abc", star[:, :, :, :n], e)
        ends = np.einsum("abcd,d->abc", path[:, :, :, :n], e)  # path c-a-b-d: the leaf d on the end b of b-a-c
        first = first - eta * (grafted + ends + ends.transpose(0, 2, 1))
    return z, kernel


def closed(network, course, shape, outside):
    """The sum over chains of events, by orders of 1/sqrt(n)."""
    moments = Moments(course, None, network.theta[TRAINED:, :TRAINED], network.y)
    found = [0.0, 0.0, 0.0]
    for own in grown(shape, outside, course.most):
        factors = [moments.weight(own)]
        for item in own.factors:
            if item.name == "Theta":
                factors.append(moments.fixed(item))
            else:
                whole = {"z": network.z, "r": network.z[:TRAINED] - network.y, **network.tree}[item.name]
                cut = tuple(slice(TRAINED, None) if label.isdigit() else slice(TRAINED) for label in item.labels)
                factors.append(Labelled(FLOATS.constant(whole[cut]), item.labels, item.labels))
        found[own.order] = found[own.order] + contract(FLOATS, 1.0, factors, outside, OUTPUTS, True).value
    return found


@pytest.mark.parametrize("steps", [1, 2, 6, 25])
@pytest.mark.parametrize("eta", [0.3, 1.2])
def test_closed_sums_are_the_hierarchy_step_by_step(steps, eta):
    """Outputs at a test input; each order by itself. The second holds H twice, dH and both ddH."""
    network = Drawn(1)
    z, _ = integrated(network, eta, steps)
    found = closed(network, Descent(EIGENVALUES, np.full(TRAINED, eta), steps=steps), "z", "0")
    for one, other in zip(found, z, strict=True):
        assert np.allclose(one, other.reshape(SAMPLES, OUTPUTS)[TRAINED:], rtol=1e-11, atol=1e-11)
        assert np.abs(other).max() > 0.1


def test_training_to_the_end_is_the_hierarchy_after_many_steps():
    network = Drawn(2)
    z, kernel = integrated(network, 0.6, 400)
    course = Descent(EIGENVALUES, np.full(TRAINED, 0.6), steps=inf)
    for one, other in zip(closed(network, course, "z", "0"), z, strict=True):
        assert np.allclose(one, other.reshape(SAMPLES, OUTPUTS)[TRAINED:], rtol=1e-10, atol=1e-10)
    grid = kernel[2].reshape(SAMPLES, OUTPUTS, SAMPLES, OUTPUTS).transpose(0, 2, 1, 3)[TRAINED:, TRAINED:]
    assert np.allclose(closed(network, course, "H", "01")[2], grid, rtol=1e-10, atol=1e-10)


def test_the_tangent_kernel_moves_as_the_hierarchy_says():
    network = Drawn(3)
    _, kernel = integrated(network, 0.7, 5)
    course = Descent(EIGENVALUES, np.full(TRAINED, 0.7), steps=5)
    grid = kernel[2].reshape(SAMPLES, OUTPUTS, SAMPLES, OUTPUTS).transpose(0, 2, 1, 3)[TRAINED:, TRAINED:]
    assert np.allclose(closed(network, course, "H", "01")[2], grid, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("time", [0.8, 5.0, inf])
def test_gradient_descent_with_a_small_eta_is_gradient_flow(time):
    """Extrapolated to eta = 0 in five steps; at the end of training with eta itself."""
    network = Drawn(4)
    flow = closed(network, Flow(EIGENVALUES, np.ones(TRAINED), time=time), "z", "0")
    table = []
    for level in range(7):
        eta = 0.1 / 2**level
        steps = inf if time == inf else round(time / eta)
        table.append(closed(network, Descent(EIGENVALUES, np.full(TRAINED, eta), steps=steps), "z", "0"))
    for order in range(3):
        values = [own[order] for own in table]
        for level in range(1, len(values)):
            values = [(2**level * b - a) / (2**level - 1) for a, b in pairwise(values)]
        assert np.allclose(values[0], flow[order], rtol=1e-8, atol=1e-8)
        assert np.abs(table[0][order] - flow[order]).max() > 1e-4 or order < 2


def test_one_training_point_symbolically():
    """The prediction at the end stays the same when training starts a step later; all numbers are symbols."""
    h, eta, c = sympy.symbols("h eta c")
    field = sympy.QQ.frac_field(h, eta, c)
    diagonal, e, corner = field.gens
    _, *state = sympy.ring("z0 za y H0a Haa dH0aa dHa0a dHaaa I0 Ia Ia0 II0 IIa IIa0", field)
    z0, za, y, H0a, Haa, dH0aa, dHa0a, dHaaa, I0, Ia, Ia0, II0, IIa, IIa0 = state
    exact = Descent(np.array([h], dtype=object), np.array([eta], dtype=object))
    symbol = {
        ("z", "0"): z0, ("H", "0a"): H0a, ("H", "aa"): Haa,
        ("dH", "0aa"): dH0aa, ("dH", "a0a"): dHa0a, ("dH", "aaa"): dHaaa,
        ("ddH_I", "0aaa"): I0, ("ddH_I", "a0aa"): Ia0, ("ddH_I", "aaaa"): Ia,
        ("ddH_II", "0aaa"): II0, ("ddH_II", "aa0a"): IIa0, ("ddH_II", "aaaa"): IIa,
    }  # fmt: skip

    def of(item, now):
        if item.name == "r":
            return now[za] - y
        if item.name == "Theta":
            return corner
        labels = "".join("0" if label == "0" else "a" for label in item.labels)
        alike = [(item.name, "".join(labels[i] for i in order)) for order in tree_symmetries(item.name)]
        return next(now[symbol[other]] for other in alike if other in symbol)

    def end(now):
        """Where training ends."""
        total = 0
        for own in grown("z", "0"):
            weight = field.from_sympy(sympy.nsimplify(exact.coefficient(own).item(), rational=True))
            total += weight * prod(of(item, now) for item in own.factors)
        return total

    r, half, sixth = za - y, e**2 / 2, e**3 / 6
    later = {  # the book's steps, with one sample
        z0: z0 - e * (corner + H0a) * r + half * dH0aa * r**2 - sixth * I0 * r**3,
        za: za - e * (diagonal + Haa) * r + half * dHaaa * r**2 - sixth * Ia * r**3,
        H0a: H0a - e * (dH0aa + dHa0a) * r + half * (I0 + Ia0 + 2 * II0) * r**2,
        Haa: Haa - 2 * e * dHaaa * r + e**2 * (Ia + IIa) * r**2,
        dH0aa: dH0aa - e * (I0 + 2 * II0) * r,
        dHa0a: dHa0a - e * (Ia0 + II0 + IIa0) * r,
        dHaaa: dHaaa - e * (Ia + 2 * IIa) * r,
    }
    now = dict(zip(state, state, strict=True))
    orders = [0, 0, 0, 1, 1, *[2] * 9]  # of 1/sqrt(n), of each symbol
    change = end(now | later) - end(now)
    assert change != 0
    for powers, coefficient in change.terms():
        assert sum(map(mul, powers, orders)) > 2 or coefficient == 0
    assert end(now | {za: y}) == z0
    assert all(weight != 0 for _, weight in end(now).terms())
