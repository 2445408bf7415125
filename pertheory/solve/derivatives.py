"""The derivatives of an activation at 0, exactly."""

from __future__ import annotations

import sympy

from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.functions.taylor import jet
from pertheory.memo import remembered


@remembered(maxsize=32)
def derivatives_at_zero(function: Activation, highest: int) -> tuple[sympy.Expr, ...]:
    """The function and its derivatives at 0.

    Raises:
        UnsupportedError: it has none.
    """
    part = sum(kink < 0 for kink in function.kinks)
    series = jet(function.pieces[part].node, sympy.Integer(0), highest, dict(function.parameters), sympy)
    found = tuple([sympy.expand(value * sympy.factorial(order)) for order, value in enumerate(series.coefficients)])
    if not all(value.is_finite for value in found):
        raise UnsupportedError(f"{function.name} has no derivatives at 0")
    return found
