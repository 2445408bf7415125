"""The picture of a simulation shows its numbers."""

from __future__ import annotations

import pytest

import pertheory as pt
from pertheory import plots


@pytest.fixture(scope="module")
def simulations():
    return [pt.simulate("mlp", [[0.8, -0.5]], "tanh", 3, n, tensors=["G", "V"], samples=256) for n in (8, 16)]


def lines(axis):
    return {line.get_label(): list(line.get_ydata()) for line in axis.get_lines()}


def test_one_simulation_is_drawn_against_the_layer(simulations):
    own = simulations[0]
    plot = plots.sampled([own])
    shown, _, spare = plot.axes
    found = [own.at("G", layer, (0, 0)) for layer in (2, 3)]
    assert lines(shown)["order 0"] == [component.orders[0] for component in found]
    assert lines(shown)["to $1/n^{1}$"] == [component.orders[1] for component in found]
    assert list(shown.containers[0].lines[0].get_ydata()) == [component.mean for component in found]
    assert shown.get_title() == "$K$"
    assert not spare.axison


def test_several_widths_are_drawn_against_one_over_n(simulations):
    fits = pt.extrapolate(simulations)
    plot = plots.sampled(simulations, fits)
    axis = plot.axes[1]
    points = axis.containers[0].lines[0]
    assert list(points.get_xdata()) == [1 / 8, 1 / 16]
    assert list(points.get_ydata()) == [own.at("V", 3, (0,) * 4).mean for own in simulations]
    fit = next(own for own in fits if (own.tensor, own.layer) == ("V", 3))
    assert lines(axis)["fit"][0] == fit.coefficients[0]
    assert lines(axis)["order 0"] == [fit.theory[0]] * 60
