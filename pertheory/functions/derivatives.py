"""Exact derivatives of smooth formulas in a form that is accurate, cannot overflow and does not swell.

A formula becomes a polynomial in x and *generators*: functions such as tanh(u) whose derivatives are again
polynomials in generators. Differentiation then never leaves the polynomials. The generators are chosen for
floating point: tanh comes with sech^2 (and not 1 - tanh^2, which cancels in the tails), 1/(1 + exp(-u)) is
recognised as the logistic function with its mirror image, log(1 + exp(u)) as softplus, and exp(u) - 1 as expm1.

Polynomials are multiplied out while they are short and do not cancel: 1e16 (x - 1)^2 multiplied out has lost the digits
of x - 1. What cancels, and what gets long, becomes a generator of its own, of the kind `SHARED`: its value is the value
of its argument, and its derivative is the derivative of its argument, shared in turn; `Ring.expanded` tells what
it is. What is longer still is differentiated by the product rule of two shared factors, whose n-th derivative has n + 1
terms. So the work grows like a power of the length of the formula and of the order, whatever the formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import comb
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pertheory.errors import InputError
from pertheory.functions.formula import MAX_EXPONENT, Scalar
from pertheory.functions.polynomials import ONE, Monomial, Polynomial, accumulate, add, bounded, is_plain, times

Array: TypeAlias = NDArray[np.float64]

#: Kinds of generators that are their argument: a polynomial that is long or cancels, and a factor in a product rule, of
#: which nothing is multiplied out ever after.
SHARED, FACTOR = "shared", "factor"
ALIASES = frozenset({SHARED, FACTOR})
#: A product of a formula is multiplied out if it has at most so many terms before like ones are collected...
MAX_PRODUCT = 32
#: ... and no term of more variables than this; of polynomials in x, if the factors have at most so many terms together.
MAX_VARIABLES = 8
MAX_PLAIN = 2 * MAX_EXPONENT + 2
#: The derivative of an argument is shared where it has more terms than this.
MAX_SLOPE = 4
#: A derivative is multiplied out if it has at most so many terms.
MAX_DERIVATIVE = 64
#: Slopes of generators are measured over so many units in the last place of their arguments.
NUDGE, LEAST = 2.0**20, 1e-290
#: Rounding of an argument is half a unit at most, and its sign differs from place to place, while a unit of rounding is
#: counted as two by those who ask.
HALVED = 1 / 6
#: A polynomial of no more than this is a multiple of x, whose rounding is that of a place.
PLACE = frozenset({((0, 1),)})
#: Functions, and those that begin with `POWERS`, that are never negative.
POSITIVE, POWERS = frozenset({"exp", "cosh", "sech2", "logistic", "softplus"}), "power:"
#: Terms of all polynomials of a ring together: some formula at some order may still be too much.
MAX_TERMS = 50_000


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


class Ring:
    """Polynomials in x and generators, with their total derivative in x and their values.

    A generator is a function kind applied to a polynomial in earlier generators; ``power`` carries its
    exponent in the kind, as ``power:1/2``.
    """

    def __init__(self) -> None:
        self._kinds: list[str] = ["x"]
        self._arguments: list[Polynomial] = [{}]
        #: of each variable whether it is a polynomial in x, its degree in x where it is x or shared, and what it is
        self._plain, self._degrees = [True], [1]
        self._expanded: dict[int, Polynomial] = {}
        self._index: dict[tuple[str, frozenset[tuple[Monomial, Scalar]]], int] = {}
        self._slopes: dict[int, Polynomial] = {}
        #: exp(v) logistic(-v) is logistic(v): keeps x*exp(-x)/(1+exp(-x)) from being infinity times zero
        self._partners: dict[tuple[int, int], int] = {}
        self._terms = 0

    @property
    def size(self) -> tuple[int, int]:
        """Number of generators, and of terms of all their arguments and derivatives."""
        return len(self._kinds) - 1, self._terms

    def generator(self, kind: str, argument: Polynomial) -> Polynomial:
        """Return the generator ``kind(argument)`` as a polynomial, made once for equal arguments."""
        key = (kind, frozenset(argument.items()))
        if key not in self._index:
            self._index[key] = len(self._kinds)
            self._plain.append(kind in ALIASES and self._is_plain(argument))
            self._degrees.append(self._degree(argument) if kind in ALIASES else 0)
            self._kinds.append(kind)
            self._arguments.append(self._counted(argument))
            if kind == "logistic":
                mirrored = add({}, argument, -1)
                exponential = self.generator("exp", mirrored)
                if ("logistic", frozenset(mirrored.items())) not in self._index:
                    self.generator("logistic", mirrored)
                partner = self._index[("logistic", frozenset(mirrored.items()))]
                ((((index, _),), _),) = exponential.items()
                self._partners[index, self._index[key]] = partner
        return _variable(self._index[key])

    def variable(self, index: int) -> tuple[str, Polynomial]:
        """Return the kind and the argument of a generator."""
        return self._kinds[index], self._arguments[index]

    def share(self, a: Polynomial, kind: str = SHARED) -> Polynomial:
        """Return an equal polynomial that is a number times a single variable, or a number."""
        if len(a) != 1:
            return self.generator(kind, a) if a else {}
        ((monomial, value),) = a.items()
        if not monomial or (len(monomial) == 1 and monomial[0][1] == 1):
            return a
        return add({}, self.generator(kind, {monomial: Fraction(1)}), value)

    def product(self, a: Polynomial, b: Polynomial) -> Polynomial:
        """Return the product, of shared factors where it would be long or cancel."""
        several = len(a) > 1 and len(b) > 1  # a multiple of tanh(x) - 1 has no more digits if tanh(x) has none
        a, b = (self.share(one) if (several or self._is_plain(one)) and self._cancels(one) else one for one in (a, b))
        plain = len(a) + len(b) <= MAX_PLAIN and is_plain(a) and is_plain(b)
        while not plain and len(a) * len(b) > MAX_PRODUCT:
            a, b = (self.share(a), b) if len(a) >= len(b) else (a, self.share(b))
        result = self.multiply(a, b)
        if max(map(len, result), default=0) > MAX_VARIABLES:
            result = self.multiply(self.share(a), self.share(b))
        return result

    def multiply(self, a: Polynomial, b: Polynomial) -> Polynomial:
        """Return the product, multiplied out."""
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
                accumulate(result, monomial, times(value, other))
        return result

    def power(self, a: Polynomial, exponent: int) -> Polynomial:
        """Return the power with a non-negative integer exponent.

        Raises:
            InputError: a power of x above `MAX_EXPONENT`.
        """
        if self._degree(a) * exponent > MAX_EXPONENT:
            raise InputError(f"formula: a power of x above {MAX_EXPONENT}")
        long = not is_plain(a) and len(a) > 1 and comb(len(a) + exponent - 1, exponent) > MAX_PRODUCT
        if long or (exponent > 1 and self._cancels(a)):
            for value in a.values():  # its values would overflow unseen
                bounded(value**exponent)
            a = self.share(a)
        result = ONE
        for _ in range(exponent):
            result = self.multiply(result, a)
        return result

    def expanded(self, a: Polynomial) -> Polynomial:
        """Return an equal polynomial in which shared ones are multiplied out, where they are short or of x alone.

        It tells what a formula is; where sums cancel, its value has fewer digits.
        """
        result: Polynomial = {}
        try:
            for monomial, value in a.items():
                term: Polynomial = {(): value}
                for variable, exponent in monomial:
                    if variable not in self._expanded:
                        shared = self._kinds[variable] in ALIASES
                        own = self.expanded(self._arguments[variable]) if shared else _variable(variable)
                        self._expanded[variable] = own
                    own = self._expanded[variable]
                    for _ in range(exponent):
                        if len(term) * len(own) > MAX_PRODUCT and not (is_plain(term) and is_plain(own)):
                            return a
                        term = self.multiply(term, own)
                result = add(result, term)
        except InputError:  # a coefficient beyond doubles
            return a
        return result

    def _is_plain(self, a: Polynomial) -> bool:
        """Whether it is a polynomial in x."""
        return all(self._plain[variable] for monomial in a for variable, _ in monomial)

    def _degree(self, a: Polynomial) -> int:
        """The highest power of x."""
        return max((sum(self._degrees[variable] * exponent for variable, exponent in m) for m in a), default=0)

    def _cancels(self, a: Polynomial) -> bool:
        """Whether a sum may be small against its terms: they do not all have one sign wherever x is."""

        def positive(variable: int) -> bool:
            return self._kinds[variable] in POSITIVE or self._kinds[variable].startswith(POWERS)

        signs = {(value > 0, *(v for v, e in monomial if e % 2 and not positive(v))) for monomial, value in a.items()}
        return len(signs) > 1

    def slope(self, index: int) -> Polynomial:
        """Return the derivative in x of one variable: x itself or a generator."""
        if index == 0:
            return ONE
        if index not in self._slopes:
            kind, argument = self._kinds[index], self._arguments[index]
            if kind in ALIASES:
                result = self._by_factors(argument) if kind == FACTOR else self.derivative(argument)
            else:
                outer, inner = self.outer_slope(index), self.derivative(argument)
                result = self.multiply(outer, self.share(inner) if len(inner) > MAX_SLOPE else inner)
            self._slopes[index] = self._counted(result)
        return self._slopes[index]

    def outer_slope(self, index: int) -> Polynomial:
        """Return the derivative of the generator ``kind(u)`` in u."""
        kind, u = self._kinds[index], self._arguments[index]
        own = _variable(index)

        def product(factor: Scalar, *polynomials: Polynomial) -> Polynomial:
            result: Polynomial = {(): factor}
            for polynomial in polynomials:
                result = self.product(result, polynomial)
            return result

        match kind:
            case "exp":
                return own
            case "expm1":
                return self.generator("exp", u)
            case "sin" | "sinh":
                return self.generator("cos" if kind == "sin" else "cosh", u)
            case "cos":
                return product(-1, self.generator("sin", u))
            case "cosh":
                return self.generator("sinh", u)
            case "tan":
                return add(ONE, product(1, own, own))
            case "tanh":
                return self.generator("sech2", u)
            case "sech2":
                return product(-2, self.generator("tanh", u), own)
            case "logistic":
                return product(1, own, self.generator("logistic", add({}, u, -1)))
            case "softplus":
                return self.generator("logistic", u)
            case "erf":
                return product(2 / np.sqrt(np.pi).item(), self.generator("exp", product(-1, u, u)))
            case "log":
                return self.generator("reciprocal", u)
            case "reciprocal":
                return product(-1, own, own)
        exponent = Fraction(kind.removeprefix(POWERS))
        return product(exponent, own, self.generator("reciprocal", u))

    def derivative(self, a: Polynomial) -> Polynomial:
        """Return the total derivative in x."""
        plain = is_plain(a)
        if any(self._kinds[variable] == FACTOR for monomial in a for variable, _ in monomial):
            return self._by_factors(a)
        result: Polynomial = {}
        for monomial, value in a.items():
            for position, (variable, exponent) in enumerate(monomial):
                lowered = ((variable, exponent - 1),) if exponent > 1 else ()
                rest = {monomial[:position] + lowered + monomial[position + 1 :]: times(value, Fraction(exponent))}
                for term, coefficient in self.multiply(rest, self.slope(variable)).items():
                    accumulate(result, term, coefficient)
                if len(result) > MAX_DERIVATIVE and not plain:
                    return self._by_factors(a)
        return result

    def _by_factors(self, a: Polynomial) -> Polynomial:
        """Return the total derivative, every term a product of two variables at most."""
        result: Polynomial = {}
        for monomial, value in a.items():
            for term, coefficient in self._product_rule(monomial).items():
                accumulate(result, term, times(value, coefficient))
        return result

    def _product_rule(self, monomial: Monomial) -> Polynomial:
        def factor(part: Monomial) -> Polynomial:
            return self.share({part: Fraction(1)}, FACTOR)

        def slope(part: Polynomial) -> Polynomial:
            ((((variable, _),), _),) = part.items()
            return self.share(self.slope(variable), FACTOR)

        if not monomial:
            return {}
        if len(monomial) > 1:
            half = len(monomial) // 2
            one, two = factor(monomial[:half]), factor(monomial[half:])
            return add(self.multiply(slope(one), two), self.multiply(one, slope(two)))
        ((variable, exponent),) = monomial
        rest = factor(((variable, exponent - 1),)) if exponent > 1 else ONE
        return self.multiply(add({}, rest, exponent), slope(_variable(variable)))

    def _counted(self, a: Polynomial) -> Polynomial:
        self._terms += len(a)
        if self._terms > MAX_TERMS:
            raise InputError(f"formula: this derivative has more than {MAX_TERMS} terms")
        return a

    def evaluate(self, polynomials: list[Polynomial], x: Array) -> list[Array]:
        """Evaluate several polynomials at the points x, sharing generators and powers."""
        powers: dict[tuple[int, int], Array] = {(0, 1): x}

        def power(variable: int, exponent: int) -> Array:
            key = variable, exponent
            if key not in powers:
                if exponent > 1:
                    half = exponent // 2
                    powers[key] = power(variable, half) * power(variable, exponent - half)
                else:
                    powers[key] = self._value(variable, value(self._arguments[variable]))
            return powers[key]

        def value(polynomial: Polynomial) -> Array:
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
                if total is None:
                    total = term if len(polynomial) == 1 or term is not factor else term.copy()
                else:
                    total += term
            return np.zeros_like(x) if total is None else total

        with np.errstate(all="ignore"):
            values = [value(polynomial) for polynomial in polynomials]
        # the functions above refer to each other: the grids would wait for the garbage collector
        powers.clear()
        return values

    def rounding(self, polynomials: list[Polynomial], x: Array) -> list[Array]:
        """What rounding does to the values of several polynomials at exact points x, in units of rounding.

        The size of every term of a sum, and what rounding of the argument does to a generator: sqrt(1 + x^2) - 1 and
        log(1 + x^2) lose the digits of a small x alike.
        """
        known: dict[int, tuple[Array, Array]] = {0: (x, np.zeros_like(x))}

        def generator(variable: int) -> tuple[Array, Array]:
            if variable not in known:
                kind = self._kinds[variable]
                argument, error = sized(self._arguments[variable])
                own = self._value(variable, argument)
                if kind not in ALIASES:
                    # what changes by less than the last place of its argument is measured over that
                    step = np.spacing(np.maximum(np.abs(argument), LEAST)) * NUDGE
                    error = np.abs(self._value(variable, argument + step) - own) / step * error * HALVED
                known[variable] = own, error
            return known[variable]

        def sized(polynomial: Polynomial) -> tuple[Array, Array]:
            total, error = np.zeros_like(x), np.zeros_like(x)
            exact = len(polynomial) == 2 and all(map(_is_exact, polynomial.items()))
            slopes: dict[int, Array] = {}  # what one generator loses in several terms may cancel
            for monomial, coefficient in polynomial.items():
                powers = {variable: generator(variable)[0] ** exponent for variable, exponent in monomial}
                term = np.full_like(x, float(coefficient))
                for power in powers.values():
                    term = term * power
                total += term
                error += 0.0 if exact or polynomial.keys() <= PLACE else np.abs(term)
                for variable, exponent in monomial:
                    slope = float(coefficient) * exponent * generator(variable)[0] ** (exponent - 1)
                    for other in powers.keys() - {variable}:
                        slope = slope * powers[other]
                    slopes[variable] = slopes.get(variable, 0.0) + slope
            if exact:
                error += np.abs(total)
            for variable, slope in slopes.items():
                error += np.abs(slope) * generator(variable)[1]
            return total, error

        with np.errstate(all="ignore"):
            pairs = [sized(polynomial) for polynomial in polynomials]
            errors = [np.maximum(error, np.abs(value)) for value, error in pairs]
        known.clear()
        return errors

    def _value(self, variable: int, argument: Array) -> Array:
        kind = self._kinds[variable]
        if kind in ALIASES:
            return argument
        if kind.startswith(POWERS):
            result: Array = argument ** float(Fraction(kind.removeprefix(POWERS)))
            return result
        return _EVALUATE[kind](argument)


def _is_exact(term: tuple[Monomial, Scalar]) -> bool:
    """Whether a term of a sum is a double: x, a power of two times x, a number that is one."""
    monomial, value = term
    return float(value) == value and (not monomial or (monomial in PLACE and abs(math.frexp(value)[0]) == 0.5))


def _variable(index: int) -> Polynomial:
    return {((index, 1),): Fraction(1)}


__all__ = ["ALIASES", "Ring"]
