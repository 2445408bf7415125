"""Where networks of an activation are critical, and in which universality class: from its formula and a rule alone.

At a *critical point* the kernel stands still and both susceptibilities are one. Three kinds of them exist:

    a line     K stands still at every value: activations of two slopes (scale-invariant)
    K* = 0     s(0) = 0: near zero every activation is one of two slopes; the first term that it adds decides stability
    K* > 0     a root of chi_parallel = chi_perpendicular, searched for in a range

The class is that of the first stable one in this order; of a half-stable point one side is stable. Nothing is known
about an activation but its formula.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sympy

from pertheory.errors import DivergentAverageError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.progress import progress
from pertheory.rulebook.network import Network
from pertheory.rulebook.network import network as find_network
from pertheory.solve.criticality import Criticality, Point, plain
from pertheory.solve.positive_points import AboveZero
from pertheory.solve.question import Asked, question
from pertheory.solve.small_kernels import SmallKernels
from pertheory.typeset.write import APPROXIMATION

NEUTRAL = "neutral"
LINE, ZERO, HALF, NONE = "scale-invariant", "K*=0", "half-stable", "none"


def critical(
    activation: str | Path | Activation, network: str | Path | Network = "mlp", **parameters: Any
) -> Criticality:
    """The critical points and the universality class of an activation in a network.

    Args:
        activation: a name, a formula, a file or an `Activation`.
        network: a network, its name or path.
        parameters: of the activation (``slope``, ``beta``) and of the network (``gamma``); numbers, or sympy symbols,
            which stay where the class does not depend on their values.

    Raises:
        InputError: an unknown name; a parameter that neither has, or that criticality fixes.
        UnsupportedError: averages exist for no kernel, or the class depends on the value of a symbol.

    Equation:
        (5.55) and the table of chapter 5: chi_parallel = chi_perp = 1 and K' = K.

    Example:
        >>> found = critical("gelu")
        >>> found.universality, round(found.points[0].C_W, 8), round(found.points[0].K, 7)
        ('half-stable', 1.98305826, 3.5615528)
        >>> critical("tanh").sympy()["a_1"]
        -2
    """
    asked = question(find_network(network), activation, parameters)
    with progress(f"critical points of {asked.name}"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _classified(asked)
    for text in dict.fromkeys(str(own.message) for own in caught):  # once each, and none beside an error
        warnings.warn(text, stacklevel=2)
    return found


def _classified(asked: Asked) -> Criticality:
    zero, above = SmallKernels(asked), AboveZero(asked)

    def made(kind: str, points: list[Point], exact: Mapping[str, sympy.Expr]) -> Criticality:
        notes = (*zero.notes, *above.notes)
        if asked.rule.closure != "exact":
            notes = (*notes, APPROXIMATION)
        for value in exact.values():
            plain(value)  # what could not be shown
        given = {**asked.symbols, **asked.given}
        return Criticality(asked.rule, asked.function, kind, tuple(points), dict(exact), above.range, notes, given)

    def line() -> Criticality:
        means = {f"A_{power}": sum(slope**power for slope in zero.slopes) / 2 for power in (2, 4)}
        return made(LINE, [zero.point(None, NEUTRAL)], {**zero.limit, **means, "nu": zero.nu_of_limit()})

    if zero.limit and zero.is_line:
        return line()
    lowest, exact = _at_zero(zero, above) if zero.limit else ([], {})
    if lowest and lowest[0].stability == NEUTRAL:
        return line()
    if lowest and lowest[0].stability == "stable":
        others = [] if asked.is_symbolic else above.points()[0]
        nu = sympy.factor(zero.nu_of_limit() / 3)
        return made(ZERO, [*lowest, *others], {**zero.limit, "K": sympy.S.Zero, **exact, "nu": nu})
    points, numbers = above.points()
    if lowest and not points:
        zero.notes.append("K* = 0 is critical, but unstable: signals that are not zero leave it")
    return made(HALF if points else NONE, [*points, *lowest], {**numbers, **exact})


def _at_zero(zero: SmallKernels, above: AboveZero) -> tuple[list[Point], dict[str, sympy.Expr]]:
    """K* = 0 with its stability, and the coefficients of the expansion there."""
    try:
        exact, first = zero.expansion
    except (UnsupportedError, DivergentAverageError):
        zero.notes.append("K* = 0 is not looked at: the layer has no expansion in small kernels")
        return [], {}
    sign = zero.sign(first) if first is not None else above.growth(float(zero.limit["C_W"]))
    if first is None and sign:
        zero.notes.append("linear near zero: the kernel moves more slowly than every power of the depth")
    return [zero.point(sympy.S.Zero, {-1: "stable", 0: NEUTRAL, 1: "unstable"}[sign])], exact
