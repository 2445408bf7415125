"""Exact derivatives of smooth formulas in a form that is accurate and cannot overflow.

A formula becomes a polynomial in x and *generators*: functions such as tanh(u) whose derivatives are again
polynomials in generators. Differentiation then never leaves the polynomials. The generators are chosen for
floating point: tanh comes with sech^2 (and not 1 - tanh^2, which cancels in the tails), 1/(1 + exp(-u)) is
recognised as the logistic function with its mirror image, log(1 + exp(u)) as softplus, and exp(u) - 1 as expm1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pertheory.errors import InputError
from pertheory.rulebook.formula import (
    MAX_EXPONENT,
    Binary,
    Call,
    Name,
    Negate,
    Node,
    Scalar,
    check_exponent,
    constant,
    depends_on_x,
)

Array: TypeAlias = NDArray[np.float64]
#: Sorted ``(variable, exponent)`` pairs; variable 0 is x and variable i > 0 is generator i.
Monomial: TypeAlias = tuple[tuple[int, int], ...]
Polynomial: TypeAlias = dict[Monomial, Scalar]

MAX_TERMS = 4000
ONE: Polynomial = {(): Fraction(1)}
X: Polynomial = {((0, 1),): Fraction(1)}


def _sech2(u: Array) -> Array:
    tail = np.exp(-2 * np.abs(u))
    result: Array = 4 * tail / (1 + tail) ** 2
    return result


_EVALUATE: Mapping[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "sech2": _sech2,
    "logistic": special.expit,
    "softplus": lambda u: np.logaddexp(0.0, u),
    "erf": special.erf,
    "log": np.log,
    "reciprocal": lambda u: 1 / u,
}


def add(a: Polynomial, b: Polynomial, factor: Scalar = 1) -> Polynomial:
    """Return ``a + factor * b``."""
    result = dict(a)
    for monomial, value in b.items():
        total = result.get(monomial, Fraction(0)) + factor * value
        if total == 0:
            result.pop(monomial, None)
        else:
            result[monomial] = total
    return result


class Ring:
    """Polynomials in x and generators, with their total derivative in x and their values.

    A generator is a function kind applied to a polynomial in earlier generators; ``power`` carries its
    exponent in the kind, as ``power:1/2``.
    """

    def __init__(self) -> None:
        self._kinds: list[str] = ["x"]
        self._arguments: list[Polynomial] = [{}]
        self._index: dict[tuple[str, frozenset[tuple[Monomial, Scalar]]], int] = {}
        self._slopes: dict[int, Polynomial] = {}
        #: exp(v) logistic(-v) is logistic(v): keeps x*exp(-x)/(1+exp(-x)) from being infinity times zero
        self._partners: dict[tuple[int, int], int] = {}

    def generator(self, kind: str, argument: Polynomial) -> Polynomial:
        """Return the generator ``kind(argument)`` as a polynomial, made once for equal arguments."""
        key = (kind, frozenset(argument.items()))
        if key not in self._index:
            self._index[key] = len(self._kinds)
            self._kinds.append(kind)
            self._arguments.append(argument)
            if kind == "logistic":
                mirrored = add({}, argument, -1)
                exponential = self.generator("exp", mirrored)
                if ("logistic", frozenset(mirrored.items())) not in self._index:
                    self.generator("logistic", mirrored)
                partner = self._index[("logistic", frozenset(mirrored.items()))]
                ((((index, _),), _),) = exponential.items()
                self._partners[index, self._index[key]] = partner
        return {((self._index[key], 1),): Fraction(1)}

    def variable(self, index: int) -> tuple[str, Polynomial]:
        """Return the kind and the argument of a generator."""
        return self._kinds[index], self._arguments[index]

    def multiply(self, a: Polynomial, b: Polynomial) -> Polynomial:
        """Return the product.

        Raises:
            InputError: the product has too many terms.
        """
        result: Polynomial = {}
        for left, value in a.items():
            for right, other in b.items():
                powers = dict(left)
                for variable, exponent in right:
                    powers[variable] = powers.get(variable, 0) + exponent
                for (exponential, logistic), partner in self._partners.items():
                    common = min(powers.get(exponential, 0), powers.get(logistic, 0))
                    if common:
                        powers[exponential] -= common
                        powers[logistic] -= common
                        powers[partner] = powers.get(partner, 0) + common
                monomial = tuple(sorted((v, e) for v, e in powers.items() if e))
                total = result.get(monomial, Fraction(0)) + value * other
                if total == 0:
                    result.pop(monomial, None)
                else:
                    result[monomial] = total
            if len(result) > MAX_TERMS:
                raise InputError(f"formula: more than {MAX_TERMS} terms when multiplied out")
        return result

    def power(self, a: Polynomial, exponent: int) -> Polynomial:
        """Return the power with a non-negative integer exponent."""
        result = ONE
        for _ in range(exponent):
            result = self.multiply(result, a)
            if max((dict(m).get(0, 0) for m in result), default=0) > MAX_EXPONENT:
                raise InputError(f"formula: a power of x above {MAX_EXPONENT}")
        return result

    def slope(self, index: int) -> Polynomial:
        """Return the derivative in x of one variable: x itself or a generator."""
        if index == 0:
            return ONE
        if index not in self._slopes:
            kind, argument = self._kinds[index], self._arguments[index]
            own: Polynomial = {((index, 1),): Fraction(1)}
            self._slopes[index] = self.multiply(self._outer_slope(kind, argument, own), self.derivative(argument))
        return self._slopes[index]

    def _outer_slope(self, kind: str, u: Polynomial, own: Polynomial) -> Polynomial:
        """Return the derivative of ``kind(u)`` in u."""

        def times(factor: Scalar, *polynomials: Polynomial) -> Polynomial:
            result: Polynomial = {(): factor}
            for polynomial in polynomials:
                result = self.multiply(result, polynomial)
            return result

        match kind:
            case "exp":
                return own
            case "expm1":
                return self.generator("exp", u)
            case "sin" | "sinh":
                return self.generator("cos" if kind == "sin" else "cosh", u)
            case "cos":
                return times(-1, self.generator("sin", u))
            case "cosh":
                return self.generator("sinh", u)
            case "tan":
                return add(ONE, times(1, own, own))
            case "tanh":
                return self.generator("sech2", u)
            case "sech2":
                return times(-2, self.generator("tanh", u), own)
            case "logistic":
                return times(1, own, self.generator("logistic", add({}, u, -1)))
            case "softplus":
                return self.generator("logistic", u)
            case "erf":
                return times(2 / np.sqrt(np.pi).item(), self.generator("exp", times(-1, u, u)))
            case "log":
                return self.generator("reciprocal", u)
            case "reciprocal":
                return times(-1, own, own)
        exponent = Fraction(kind.removeprefix("power:"))
        return times(exponent, own, self.generator("reciprocal", u))

    def derivative(self, a: Polynomial) -> Polynomial:
        """Return the total derivative in x."""
        result: Polynomial = {}
        for monomial, value in a.items():
            for position, (variable, exponent) in enumerate(monomial):
                lowered = ((variable, exponent - 1),) if exponent > 1 else ()
                rest: Polynomial = {monomial[:position] + lowered + monomial[position + 1 :]: value * exponent}
                result = add(result, self.multiply(rest, self.slope(variable)))
        return result

    def convert(self, node: Node, parameters: Mapping[str, Scalar]) -> Polynomial:
        """Turn a formula without kinks into a polynomial of this ring."""
        if not depends_on_x(node):
            value = constant(node, parameters)
            return {(): value} if value else {}
        match node:
            case Name():
                return X
            case Negate(operand):
                return add({}, self.convert(operand, parameters), -1)
            case Call("sqrt", (argument,)):
                return self.generator("power:1/2", self.convert(argument, parameters))
            case Call("log", (argument,)):
                inner = _one_plus_exp(argument, parameters)
                if inner is not None:
                    return self.generator("softplus", self.convert(inner, parameters))
                return self.generator("log", self.convert(argument, parameters))
            case Call(function, (argument,)):
                return self.generator(function, self.convert(argument, parameters))
            case Binary("/", left, right):
                return self.multiply(self.convert(left, parameters), self._inverse(right, parameters))
            case Binary("^", left, right):
                exponent = constant(right, parameters)
                check_exponent(exponent)
                if exponent != int(exponent):
                    return self.generator(f"power:{Fraction(exponent)}", self.convert(left, parameters))
                if exponent < 0:
                    return self.power(self._inverse(left, parameters), -int(exponent))
                return self.power(self.convert(left, parameters), int(exponent))
            case Binary("*", left, right):
                return self.multiply(self.convert(left, parameters), self.convert(right, parameters))
            case Binary("-", Call("exp", (argument,)), right) if depends_on_x(argument) and _is_one(right, parameters):
                return self.generator("expm1", self.convert(argument, parameters))
            case Binary(operator, left, right):
                sign = 1 if operator == "+" else -1
                return add(self.convert(left, parameters), self.convert(right, parameters), sign)
        raise AssertionError(node)

    def _inverse(self, node: Node, parameters: Mapping[str, Scalar]) -> Polynomial:
        """Convert one over a formula; factor by factor, so that 1/(1 + exp(v)) is recognised anywhere."""
        if not depends_on_x(node):
            value = constant(node, parameters)
            if value == 0:
                raise InputError("formula: division by zero")
            return {(): 1 / value}
        inner = _one_plus_exp(node, parameters)
        if inner is not None:
            return self.generator("logistic", add({}, self.convert(inner, parameters), -1))
        match node:
            case Binary("*", left, right):
                return self.multiply(self._inverse(left, parameters), self._inverse(right, parameters))
            case Binary("^", left, right) if (e := constant(right, parameters)) == int(e) and e > 0:
                return self.power(self._inverse(left, parameters), int(e))
            case Call("exp", (argument,)):
                return self.generator("exp", add({}, self.convert(argument, parameters), -1))
        return self.generator("reciprocal", self.convert(node, parameters))

    def evaluate(self, polynomials: list[Polynomial], x: Array, absolute: bool = False) -> list[Array]:
        """Evaluate several polynomials at the points x, sharing generators and powers.

        With `absolute`, the sums of the absolute values of the terms: a few units in the last place of them are
        the rounding error of the values.
        """
        powers: dict[tuple[int, int], Array] = {(0, 1): x}

        def power(variable: int, exponent: int) -> Array:
            if (variable, exponent) not in powers:
                if exponent == 1:
                    powers[variable, 1] = self._value(variable, value(self._arguments[variable]))
                else:
                    half = exponent // 2
                    powers[variable, exponent] = power(variable, half) * power(variable, exponent - half)
            return powers[variable, exponent]

        def value(polynomial: Polynomial, absolute: bool = False) -> Array:
            total: Array | None = None
            for monomial, coefficient in polynomial.items():
                term: Array | None = None
                factor: Array | None = None
                for variable, exponent in monomial:
                    factor = power(variable, exponent)
                    term = factor if term is None else term * factor
                if term is None:
                    term = np.full_like(x, float(coefficient))
                elif coefficient != 1:
                    term = np.multiply(term, float(coefficient), out=None if term is factor else term)
                if absolute:
                    term = np.abs(term)
                if total is None:
                    total = term if len(polynomial) == 1 or term is not factor else term.copy()
                else:
                    total += term
            return np.zeros_like(x) if total is None else total

        values = [value(polynomial, absolute) for polynomial in polynomials]
        # the functions above refer to each other: the grids would wait for the garbage collector
        powers.clear()
        return values

    def series(self, polynomial: Polynomial, count: int) -> Array:
        """Return the first Taylor coefficients of a polynomial of this ring about x = 0.

        The coefficients of generators follow from their slopes, one order after the other.
        """
        waiting = [variable for monomial in polynomial for variable, _ in monomial]
        needed: set[int] = set()
        while waiting:
            variable = waiting.pop()
            if variable and variable not in needed:
                needed.add(variable)
                waiting += [other for monomial in self.slope(variable) for other, _ in monomial]
        known = {variable: np.zeros(count) for variable in needed}
        values = self.evaluate([{((variable, 1),): Fraction(1)} for variable in needed], np.zeros(1))
        for variable, value in zip(needed, values, strict=True):
            known[variable][0] = value[0]
        known[0] = np.zeros(count)
        known[0][1] = 1.0

        def combined(terms: Polynomial, length: int) -> Array:
            total = np.zeros(length)
            for monomial, coefficient in terms.items():
                part = np.zeros(length)
                part[0] = float(coefficient)
                for variable, exponent in monomial:
                    for _ in range(exponent):
                        part = np.convolve(part, known[variable][:length])[:length]
                total += part
            return total

        for n in range(count - 1):
            rising = {variable: combined(self.slope(variable), n + 1)[n] / (n + 1) for variable in needed}
            for variable, coefficient in rising.items():
                known[variable][n + 1] = coefficient
        return combined(polynomial, count)

    def _value(self, variable: int, argument: Array) -> Array:
        kind = self._kinds[variable]
        with np.errstate(over="ignore", under="ignore"):
            if kind.startswith("power:"):
                result: Array = argument ** float(Fraction(kind.removeprefix("power:")))
                return result
            return _EVALUATE[kind](argument)


def _one_plus_exp(node: Node, parameters: Mapping[str, Scalar]) -> Node | None:
    """Return v where the formula is 1 + exp(v)."""
    match node:
        case Binary("+", left, Call("exp", (v,))) | Binary("+", Call("exp", (v,)), left):
            if _is_one(left, parameters):
                return v
    return None


def _is_one(node: Node, parameters: Mapping[str, Scalar]) -> bool:
    return not depends_on_x(node) and constant(node, parameters) == 1


__all__ = ["ONE", "Polynomial", "Ring", "X", "add"]
