"""Gaussian averages on one input as numbers: in high precision, and in double precision by the code of a run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
from mpmath.calculus.quadrature import GaussLegendre

from pertheory.algebra.polynomial import Polynomial
from pertheory.algebra.terms import Lines
from pertheory.averages.gaussian import GaussianAverages
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation, activation
from pertheory.functions.taylor import derivatives
from pertheory.memo import kept
from pertheory.rulebook.network import Network
from pertheory.solve.averages import Averages, functions_of, hermite, without_zeds

#: digits of high precision
DIGITS = 25
#: the rule in units of the standard deviation; between kinks the degree of a panel's rule, which has 24 nodes
STEP, REACH, DEGREE = Fraction(1, 10), 10, 4
#: derivatives that are tabulated at once
FEW, MANY = 2, 5


def named_functions(rule: Network, function: str | Activation) -> dict[str, Activation]:
    """What each function of a rule is: as the rule says, else the given activation."""
    own = dict(rule.activations)
    given = activation(function) if isinstance(function, str) else function
    return {name: activation(own[name]) if name in own else given for name in (*rule.functions, "s")}


class HighPrecision:
    """Averages as mpmath numbers, at the precision that is in force.

    Derivatives come from Taylor arithmetic on the formula (no numerical differentiation). Of smooth functions averages
    are taken by the trapezoidal rule, which converges exponentially; between kinks by Gauss and Legendre's rule.

    Args:
        functions: activations by the names that lines use.
    """

    def __init__(self, functions: Mapping[str, Activation]) -> None:
        self.functions = dict(functions)

    def number(self, value: Any) -> Any:
        """A rational number in high precision."""
        exact = Fraction(value)
        return mpmath.mpf(exact.numerator) / exact.denominator

    def derivatives_at_zero(self, order: int) -> dict[str, list[Any]]:
        """Every function and its derivatives at 0.

        Raises:
            UnsupportedError: one has a kink there.
        """
        for function in self.functions.values():
            if 0.0 in function.kinks:
                raise UnsupportedError(f"{function.name} has a kink at 0 and no Taylor series there")
        return {name: self._at(function, mpmath.mpf(0), order) for name, function in self.functions.items()}

    def average(self, kernel: Any, legs: int, lines: Lines) -> Any:
        """The average; z's are removed by Stein's lemma, legs act by Leibniz's rule, between kinks by Hermite's.

        Raises:
            UnsupportedError: the average is over a variable without variance, or holds s'' of a function with kinks.
        """
        if kernel <= 0:
            raise UnsupportedError("averages in high precision need a variance above 0")
        zeds, functions = functions_of(lines)
        if any(not self.functions[name].is_smooth for name, _ in functions):
            return self._across_kinks(kernel, zeds, legs, functions)
        total = mpmath.mpf(0)
        for count, power, key in without_zeds(zeds, legs, functions):
            total += count * kernel**power * mpmath.fsum(self._products(kernel, key))
        return total

    def _across_kinks(self, kernel: Any, zeds: int, legs: int, functions: Lines) -> Any:
        """<d^m F> = <F He_m(z/sqrt K)> K^(-m/2), which does not derive what has a jump."""
        if any(order > 1 and not self.functions[name].is_smooth for name, order in functions):
            raise UnsupportedError("derivatives of a jump have no average in high precision")
        width = mpmath.sqrt(kernel)
        total = mpmath.mpf(0)
        for (t, _), term in zip(self._rule(kernel), self._products(kernel, functions), strict=True):
            total += term * (width * t) ** zeds * mpmath.polyval(hermite(legs)[::-1], t)
        return total / width**legs

    def _products(self, kernel: Any, functions: Lines) -> list[Any]:
        """The product at the points of the rule, weights included."""
        terms = [weight for _, weight in self._rule(kernel)]
        for name, order in functions:
            table = self._table(kernel, name, FEW if order <= FEW else max(MANY, order))
            terms = [term * values[order] for term, values in zip(terms, table, strict=True)]
        return terms

    @kept
    def _rule(self, kernel: Any) -> list[tuple[Any, Any]]:
        """Points in units of the standard deviation, and weights with the Gaussian density in them."""
        kinks = {kink for function in self.functions.values() for kink in function.kinks}
        density = 1 / mpmath.sqrt(2 * mpmath.pi)
        if not kinks:
            count = int(REACH / STEP)
            points = [(self.number(STEP * i), self.number(STEP)) for i in range(-count, count + 1)]
        else:
            places = {mpmath.mpf(kink) / mpmath.sqrt(kernel) for kink in kinks}
            ends = sorted({*map(mpmath.mpf, range(-REACH, REACH + 1)), *(p for p in places if abs(p) < REACH)})
            points = [
                ((a + b) / 2 + (b - a) / 2 * x, (b - a) / 2 * w)
                for a, b in itertools.pairwise(ends)
                for x, w in _gauss_legendre(mpmath.mp.prec)
            ]
        return [(t, w * density * mpmath.exp(-t * t / 2)) for t, w in points]

    @kept
    def _table(self, kernel: Any, name: str, highest: int) -> list[list[Any]]:
        """Derivatives of a function at the points of the rule."""
        width = mpmath.sqrt(kernel)
        return [self._at(self.functions[name], width * t, highest) for t, _ in self._rule(kernel)]

    @staticmethod
    def _at(function: Activation, x: Any, order: int) -> list[Any]:
        part = sum(x > kink for kink in function.kinks)
        return derivatives(function, part, x, order)


@lru_cache(maxsize=4)
def _gauss_legendre(precision: int) -> list[tuple[Any, Any]]:
    """Nodes and weights on [-1, 1]."""
    nodes: list[tuple[Any, Any]] = GaussLegendre(mpmath.mp).get_nodes(-1, 1, DEGREE, precision)
    return nodes


class Doubles:
    """Averages in double precision, by the same code as `pertheory run`.

    Args:
        functions: activations by the names that lines use.
        kernels: at these an average is evaluated together when one of them is asked for, which shares its grids.
    """

    def __init__(self, functions: Mapping[str, Activation], kernels: Sequence[float] = ()) -> None:
        self.averages = GaussianAverages(functions)
        self.kernels = tuple(kernels)
        self.known: dict[tuple[float, int, Lines], float] = {}

    def number(self, value: Any) -> float:
        """A rational number."""
        return float(value)

    def average(self, kernel: float, legs: int, lines: Lines) -> float:
        """The average."""
        if (kernel, legs, lines) not in self.known:
            together = self.kernels if kernel in self.kernels else (kernel,)
            (found,) = self.averages.alone(np.array(together), [((legs, lines),)])
            self.known |= {(k, legs, lines): float(value) for k, value in zip(together, found, strict=True)}
        return self.known[kernel, legs, lines]


class WithSymbols:
    """The same averages where some couplings are symbols: elements are polynomials in them.

    Args:
        base: averages over numbers; the variances of averages hold none of the symbols.
    """

    def __init__(self, base: Averages) -> None:
        self.base = base

    def number(self, value: Any) -> Polynomial:
        """A rational number as an element."""
        return self.constant(self.base.number(value))

    def constant(self, value: Any) -> Polynomial:
        """A number of the base."""
        return Polynomial({(): value})

    def average(self, kernel: Any, legs: int, lines: Lines) -> Polynomial:
        """The average.

        Raises:
            UnsupportedError: the variance holds a symbol.
        """
        if isinstance(kernel, Polynomial):
            if not kernel.is_constant:
                names = ", ".join(sorted({name for powers in kernel.terms for name, _ in powers}))
                raise UnsupportedError(f"{names} sets a kernel inside of the layer, and cannot be solved for")
            kernel = kernel.coefficient()
        return self.constant(self.base.average(kernel, legs, lines))
