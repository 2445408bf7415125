"""Which universality class an activation is in, and the solutions of that class."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import sympy

from pertheory.averages.closed_forms import OpenError
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.functions.chosen import choose_functions
from pertheory.memo import remembered
from pertheory.rulebook.network import Network
from pertheory.solve.critical import HIGHEST, CriticalPoint, critical_points, is_zero_critical
from pertheory.solve.solutions import DECAYING, HALF_STABLE, SCALE_INVARIANT, Decaying, InClass, StandingStill
from pertheory.symbols.shapes import Shape, line_shapes

#: the K* = 0 class of odd functions, where p = 1
ODD = f"{DECAYING}, odd"
#: what may stand in the place of an activation: its derivatives, slopes or averages are symbols then
CLASSES = (SCALE_INVARIANT, DECAYING, ODD, HALF_STABLE)


def in_class(rule: Network, activation: Any, parameters: Mapping[str, Any]) -> InClass:
    """The class of an activation, or one of `CLASSES` itself with everything as symbols.

    Raises:
        UnsupportedError: there is no critical point, or the rule has several functions.
    """
    if activation in CLASSES:
        if parameters:
            raise InputError(f"{activation} is a class of activations and has no parameter {next(iter(parameters))}")
        return _of_symbols(rule, activation)
    functions = choose_functions(rule, activation, parameters)
    if len(functions) != 1:
        raise UnsupportedError(f"{rule.name} has {len(functions)} functions; depth is solved for one")
    (function,) = functions.values()
    slopes = two_slopes_of(function)
    if slopes is not None:
        return StandingStill(rule, SCALE_INVARIANT, slopes)
    if is_zero_critical(rule, function):
        found = Decaying.of(rule, function)
        if found is not None:
            return found
    return StandingStill(rule, HALF_STABLE, point=_first_point(rule, function))


def _of_symbols(rule: Network, name: str) -> InClass:
    if name in (DECAYING, ODD):
        return Decaying(rule, odd=name == ODD)
    return StandingStill(rule, name)


def two_slopes_of(function: Activation) -> tuple[Fraction, Fraction] | None:
    """The slopes of a function that is a straight line on either side of zero, through it."""
    if function.kinks not in ((), (0.0,)):
        return None
    slopes = []
    for part in (0, len(function.pieces) - 1):
        try:
            terms = line_shapes(function, part, 0)
        except OpenError:
            return None
        slope = terms.get(Shape(1), sympy.S.Zero)
        if not slope.is_Rational or set(terms) - {Shape(1)}:
            return None
        slopes.append(Fraction(int(slope.p), int(slope.q)))
    return slopes[1], slopes[0]


@remembered(maxsize=16)
def _first_point(rule: Network, function: Activation) -> CriticalPoint:
    """The critical point of the smallest positive kernel."""
    points = critical_points(rule, function)
    if not points:
        raise UnsupportedError(f"{function.name} has no critical point of {rule.name} up to K = {HIGHEST:g}")
    return points[0][0]
