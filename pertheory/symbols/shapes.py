"""Activations as sums of shapes, exactly: what has averages in closed form.

Between its kinks a function is written as a sum of terms z^n exp(alpha z - m z^2) erf(beta z), waves as exponentials of
imaginary alpha; derivatives and products of such sums are such sums.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import sympy

from pertheory.averages.closed_forms import OpenError
from pertheory.functions.activation import Activation

#: the variable of a formula
Z = sympy.Symbol("x")
#: the largest denominator of the place of a kink; places that are no such fractions are not known exactly
LARGEST = 10**6


class Shape(NamedTuple):
    """z^power exp(growth z - fall z^2) erf(slope z), the error function if there; an infinite slope is a sign."""

    power: int = 0
    fall: Any = sympy.S.Zero
    growth: Any = sympy.S.Zero
    slope: Any = sympy.S.Zero


#: coefficients of a sum of shapes
Shapes = dict[Shape, sympy.Expr]


class Exact(Activation):
    """An activation in exact numbers."""

    def side_values(self, order: int, position: float) -> tuple[Any, Any]:  # type: ignore[override]
        """The limits of a derivative from the left and from the right."""
        at = rational(position)
        left = sum(position > kink for kink in self.kinks)
        right = sum(position >= kink for kink in self.kinks)
        return value_at(line_shapes(self, left, order), at), value_at(line_shapes(self, right, order), at)


@lru_cache(maxsize=1024)
def line_shapes(function: Activation, part: int, order: int) -> Shapes:
    """A derivative of one smooth piece as a sum of shapes; nobody changes it.

    Raises:
        OpenError: it is of another kind.
    """
    if not order:
        _, _, formula = function.symbolic()[part]
        return shapes(formula._sympy_())
    found: Shapes = {}
    for shape, coefficient in line_shapes(function, part, order - 1).items():
        power, fall, growth, slope = shape
        ways = [
            (power, shape._replace(power=power - 1)),
            (growth, shape),
            (-2 * fall, shape._replace(power=power + 1)),
            (2 * slope / sympy.sqrt(sympy.pi), Shape(power, fall + slope**2, growth)),
        ]
        for weight, own in ways:
            if weight:
                found[own] = found.get(own, sympy.S.Zero) + weight * coefficient
    return {shape: value for shape, value in found.items() if value != 0}


def shapes(value: sympy.Expr) -> Shapes:
    """An expression in x as a sum of shapes.

    Raises:
        OpenError: it is of another kind.
    """
    waves = (sympy.sin, sympy.cos, sympy.sinh, sympy.cosh)
    if any(not isinstance(part, (*waves, sympy.exp, sympy.erf)) for part in value.atoms(sympy.Function)):
        raise OpenError
    value = value.replace(lambda part: isinstance(part, waves), lambda part: part.rewrite(sympy.exp))
    found: Shapes = {}
    for summand in sympy.Add.make_args(sympy.powsimp(sympy.expand(value), deep=True)):
        power, coefficient, slope, exponent = 0, sympy.S.One, sympy.S.Zero, sympy.S.Zero
        for factor in sympy.Mul.make_args(summand):
            base, up = factor.as_base_exp()
            if not factor.has(Z):
                coefficient *= factor
            elif base == Z and up.is_Integer and up > 0:
                power += int(up)
            elif isinstance(factor, sympy.exp):
                exponent += factor.exp
            elif isinstance(factor, sympy.erf) and not slope:
                slope = factor.args[0].coeff(Z, 1)
                if sympy.expand(factor.args[0] - slope * Z) != 0:
                    raise OpenError
            else:
                raise OpenError
        if not exponent.is_polynomial(Z) or sympy.degree(exponent + Z**3, Z) > 3:
            raise OpenError
        parts = [sympy.expand(exponent).coeff(Z, n) for n in range(3)]
        if slope.is_negative:
            slope, coefficient = -slope, -coefficient
        if sympy.expand(exponent - sum(part * Z**n for n, part in enumerate(parts))) != 0 or parts[2].is_positive:
            raise OpenError
        shape = Shape(power, -parts[2], parts[1], slope)
        found[shape] = found.get(shape, sympy.S.Zero) + coefficient * sympy.exp(parts[0])
    return {shape: value for shape, value in found.items() if value != 0}


def value_at(terms: Shapes, place: sympy.Expr) -> sympy.Expr:
    """A sum of shapes at a place."""
    values = (
        coefficient * place**shape.power * sympy.exp(shape.growth * place - shape.fall * place**2)
        * (sympy.erf(shape.slope * place) if shape.slope else 1)
        for shape, coefficient in terms.items()
    )  # fmt: skip
    return sympy.Add(*values)


def rational(value: float) -> sympy.Expr:
    """The fraction that a double stands for.

    Raises:
        OpenError: it is none with a small denominator.
    """
    found = Fraction(value).limit_denominator(LARGEST)
    if float(found) != value:
        raise OpenError
    return sympy.Rational(found.numerator, found.denominator)
