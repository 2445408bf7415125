"""Averages over two inputs in closed form, derived for the functions at hand by Stein's lemma.

A product at one input is written as a sum of terms

    z^n exp(-m z^2) erf(beta z),    exp(alpha z),    sin(omega z),    cos(omega z)

with sign(z) as the limit of erf(beta z) for functions with a kink at zero. A factor exp(-m z^2) turns a Gaussian into
another one; Stein's lemma lowers the powers; two error functions are signs of two variables with noise of their own,
whose average is an angle. The result is straight-line code in the variances a and b, the covariance k and the
determinant gap = a b - k^2, in which sums cancel only where the average itself is small against its scale: that is why
the determinant, which the caller forms exactly, is an input of its own.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product as cartesian
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from pertheory.algebra.terms import Line, Lines
from pertheory.averages.atoms import IDENTITY, atoms
from pertheory.averages.nodes import find_polynomials
from pertheory.averages.plan import ExactCode, Instruction
from pertheory.averages.reduce import singular_lines
from pertheory.averages.request import Request
from pertheory.functions.activation import Activation
from pertheory.functions.derivatives import Ring
from pertheory.functions.polynomials import Monomial, Polynomial

#: Most terms of one average; beyond it a series is as fast.
MOST_TERMS = 40
#: Factors exp(c) with larger c are beyond doubles, or next to it.
MOST_EXPONENT = 600.0
#: The steepest error function: a sign.
SIGN = math.inf


class Shape(NamedTuple):
    """A term at one input: z^power exp(-fall z^2 + growth z) erf(slope z) wave(frequency z), erf and wave if there."""

    power: int = 0
    fall: float = 0.0
    growth: float = 0.0
    slope: float = 0.0
    wave: str = ""
    frequency: float = 0.0

    def times(self, other: Shape) -> Shape:
        """The product.

        Raises:
            OpenError: it has two error functions or waves.
        """
        if (self.slope and other.slope) or (self.wave and other.wave):
            raise OpenError
        return Shape(
            self.power + other.power,
            self.fall + other.fall,
            self.growth + other.growth,
            self.slope or other.slope,
            self.wave or other.wave,
            self.frequency or other.frequency,
        )


Shapes: TypeAlias = dict[Shape, float]
#: a value in the course of a calculation: the number of an instruction, or an expression
V = TypeVar("V")
#: a, b, k and the determinant; None is zero.
Covariance: TypeAlias = tuple[V | None, V | None, V | None, V | None]
Two: TypeAlias = tuple[int, int]
Slopes: TypeAlias = tuple[Any, Any]


class OpenError(Exception):
    """No closed form is known."""


def exact_code(requests: Sequence[Request], functions: Mapping[str, Activation]) -> ExactCode | None:
    """Straight-line code for some averages over one or two inputs; None if one of them has no closed form here.

    Args:
        requests: of one or two axes; one axis is two equal inputs, among which its factors are dealt out.
        functions: by name.
    """
    coder = _Coder()
    results = []
    try:
        for request in requests:
            pattern = tuple(range(len(request)))
            collected: dict[tuple[Shape, Shape], float] = {}
            for coefficient, products in atoms(request, pattern):
                two = (products[0][::2], products[0][1::2]) if len(products) == 1 else products
                slots = [shapes(product, functions) for product in two]
                for (one, c), (other, d) in cartesian(*(slot.items() for slot in slots)):
                    collected[one, other] = collected.get((one, other), 0.0) + coefficient * c * d
            if len(collected) > MOST_TERMS:
                return None
            results.append(coder.total([(c, coder.average(*pair)) for pair, c in collected.items()]))
    except OpenError:
        return None
    return _needed(coder.instructions, results)


def _needed(instructions: Sequence[Instruction], results: Sequence[int]) -> ExactCode:
    """The instructions that results depend on."""
    used = set(results)
    for number in range(len(instructions) - 1, -1, -1):
        used.update(instructions[number].operands if number in used else ())
    place = {number: n for n, number in enumerate(sorted(used))}
    kept = (instructions[number] for number in place)
    return ExactCode(
        tuple(own._replace(operands=tuple(place[n] for n in own.operands)) for own in kept),
        tuple(place[n] for n in results),
    )


class ClosedForms(NamedTuple):
    """The closed forms of the requests of one rank that have one, as one code.

    Attributes:
        code: of all of them.
        places: for each of them its number, its result, and the result with its two axes exchanged.
    """

    code: ExactCode
    places: tuple[tuple[int, int, int], ...]


@lru_cache(maxsize=64)
def closed_codes(
    requests: tuple[Request, ...], functions: tuple[tuple[str, Activation], ...]
) -> dict[int, ClosedForms]:
    """Closed forms of those requests of one and two axes that have one, by the number of axes."""
    named = dict(functions)
    found: dict[int, tuple[list[Request], list[tuple[int, int, int]]]] = {}
    for number, request in enumerate(requests):
        if len(request) > 2 or exact_code([request], named) is None:
            continue
        own, places = found.setdefault(len(request), ([], []))
        places.append((number, len(own), len(own) + (request != request[::-1])))
        own.extend(dict.fromkeys((request, request[::-1])))
    result = {}
    for rank, (own, places) in found.items():
        code = exact_code(own, named)
        assert code is not None
        result[rank] = ClosedForms(code, tuple(places))
    return result


def shapes(product: Lines, functions: Mapping[str, Activation]) -> Shapes:
    """A product at one input as a sum of terms.

    Raises:
        OpenError: it is of another kind.
    """
    names = {name for name, _ in product} - {IDENTITY}
    if any(not functions[name].is_smooth for name in names):
        sides = None if singular_lines(product, functions) else find_polynomials(product, functions)
        if sides is None:
            raise OpenError
        return _signed(*sides)
    total: Shapes = {Shape(): 1.0}
    for line in product:
        total = _multiplied(total, _line(line, functions))
    return total


def _signed(left: Sequence[float], right: Sequence[float]) -> Shapes:
    """Polynomials on the two sides of zero, by their mean and their difference."""
    shapes: Shapes = {}
    for n in range(max(len(left), len(right))):
        below = left[n] if n < len(left) else 0.0
        above = right[n] if n < len(right) else 0.0
        shapes[Shape(n)] = (above + below) / 2
        shapes[Shape(n, slope=SIGN)] = (above - below) / 2
    return {shape: c for shape, c in shapes.items() if c}


def _multiplied(one: Shapes, two: Shapes) -> Shapes:
    result: Shapes = {}
    for (a, c), (b, d) in cartesian(one.items(), two.items()):
        shape = a.times(b)
        result[shape] = result.get(shape, 0.0) + c * d
    return result


def _line(line: Line, functions: Mapping[str, Activation]) -> Shapes:
    name, order = line
    if name == IDENTITY:
        return {Shape(1): 1.0}
    ring, polynomials = functions[name].polynomials(0, order)
    result: Shapes = {}
    for monomial, coefficient in ring.expanded(polynomials[order]).items():
        shape, factor = _monomial(monomial, ring)
        result[shape] = result.get(shape, 0.0) + factor * float(coefficient)
    return result


def _monomial(monomial: Monomial, ring: Ring) -> tuple[Shape, float]:
    shape, factor = Shape(), 1.0
    for variable, exponent in monomial:
        if variable == 0:
            shape = shape.times(Shape(exponent))
            continue
        kind, argument = ring.variable(variable)
        constant, linear, square = _quadratic(ring.expanded(argument))
        if kind == "exp" and square <= 0 and abs(constant) * exponent <= MOST_EXPONENT:
            factor *= math.exp(exponent * constant)
            shape = shape.times(Shape(fall=-exponent * square, growth=exponent * linear))
        elif kind in ("erf", "sin", "cos") and exponent == 1 and linear and not constant and not square:
            factor *= math.copysign(1.0, linear) if kind != "cos" else 1.0
            size = abs(linear)
            shape = shape.times(Shape(slope=size) if kind == "erf" else Shape(wave=kind, frequency=size))
        else:
            raise OpenError
    return shape, factor


def _quadratic(argument: Polynomial) -> tuple[float, float, float]:
    """Coefficients of a polynomial in x of degree two.

    Raises:
        OpenError: it is none.
    """
    known: dict[Monomial, int] = {(): 0, ((0, 1),): 1, ((0, 2),): 2}
    found = [0.0, 0.0, 0.0]
    for monomial, coefficient in argument.items():
        if monomial not in known:
            raise OpenError
        found[known[monomial]] = float(coefficient)
    return found[0], found[1], found[2]


class Moments(Generic[V]):
    """Averages of z^p w^q exp(-u z^2 - v w^2) erf(beta z) erf(gamma w), in any arithmetic.

    Who derives from it says what values are: how they are made, multiplied and added.
    """

    #: of the arithmetic of numbers
    pi: Any = math.pi

    def __init__(self) -> None:
        self._moments: dict[tuple[Covariance[V], Two, Slopes], V | None] = {}

    @staticmethod
    def root(number: Any) -> Any:
        """The square root of a number."""
        return math.sqrt(number)

    @abstractmethod
    def constant(self, value: Any) -> V:
        """A number as a value."""

    @abstractmethod
    def times(self, *factors: V | None) -> V | None:
        """A product; None is zero."""

    @abstractmethod
    def total(self, terms: Sequence[tuple[Any, V | None]]) -> V:
        """A sum of multiples."""

    @abstractmethod
    def apply(self, function: str, *values: V) -> V:
        """One of "sqrt", "reciprocal", and "angle": of (x, y), seen from the first axis."""

    def tilted(self, given: Covariance[V], u: Any, v: Any) -> tuple[Covariance[V], V]:
        """The covariance under the Gaussian times exp(-u z^2 - v w^2), and the average of that factor."""
        a, b, k, gap = given
        terms = [(2 * u, a), (2 * v, b), (4 * u * v, gap)]
        if not any(weight and number is not None for weight, number in terms):
            return given, self.constant(1)
        determinant = self.total([(1, self.constant(1)), *terms])
        inverse = self.apply("reciprocal", determinant)

        def less(own: V | None, strength: Any) -> V | None:
            if own is None:
                return None
            return self.times(inverse, self.total([(1, own), (2 * strength, gap)]))

        new = less(a, v), less(b, u), self.times(inverse, k), self.times(inverse, gap)
        factor = self.times(self.apply("sqrt", determinant), inverse)
        assert factor is not None
        return new, factor

    def moment(self, given: Covariance[V], powers: Two, slopes: Slopes) -> V | None:
        """The average of z^p w^q erf(beta z) erf(gamma w), a factor missing where its slope is zero."""
        key = (given, powers, slopes)
        if key not in self._moments:
            odd = sum(powers) + sum(bool(slope) for slope in slopes)
            self._moments[key] = None if odd % 2 else self._even(given, powers, slopes)
        return self._moments[key]

    def _even(self, given: Covariance[V], powers: Two, slopes: Slopes) -> V | None:
        if not any(powers):
            return self._angle(given, slopes) if all(slopes) else self.constant(1)
        a, b, k, _ = given
        lifted = 0 if powers[0] else 1
        strengths = (a, k) if lifted == 0 else (k, b)
        lower = _changed(powers, lifted, powers[lifted] - 1)
        terms: list[tuple[float, V | None]] = []
        for j, strength in enumerate(strengths):
            if strength is None:
                continue
            if lower[j]:
                less = _changed(lower, j, lower[j] - 1)
                terms.append((lower[j], self.times(strength, self.moment(given, less, slopes))))
            if slopes[j]:
                terms.append((1, self._with_slope(given, strength, lower, slopes, lifted, j)))
        return self.total(terms)

    def _with_slope(
        self, given: Covariance[V], strength: V, powers: Two, slopes: Slopes, lifted: int, j: int
    ) -> V | None:
        """A strength times the average with the derivative of one error function or sign."""
        rest = (0, slopes[1]) if j == 0 else (slopes[0], 0)
        if slopes[j] != SIGN:
            new, factor = self.tilted(given, *((slopes[0] ** 2, 0) if j == 0 else (0, slopes[1] ** 2)))
            scale = self.constant(2 * slopes[j] / self.root(self.pi))
            return self.times(scale, strength, factor, self.moment(new, powers, rest))
        if powers[j]:
            return None
        # 2 delta(z): what is left of the other variance, given that z is zero
        own = given[j]
        assert own is not None
        other = given[1 - j]
        left = None if other is None or given[3] is None else self.times(given[3], self.apply("reciprocal", own))
        new = (None, left, None, None) if j == 0 else (left, None, None, None)
        root = self.apply("sqrt", own)
        weight = root if j == lifted else self.times(strength, self.apply("reciprocal", root))
        return self.times(self.constant(self.root(2 / self.pi)), weight, self.moment(new, powers, rest))

    def _angle(self, given: Covariance[V], slopes: Slopes) -> V | None:
        """The average of two error functions: the angle between two variables with noise of their own."""
        a, b, k, gap = given
        if k is None:
            return None
        if SIGN in slopes:
            if slopes[0] != slopes[1]:
                raise OpenError
            assert gap is not None
            angle = self.apply("angle", k, self.apply("sqrt", gap))
        else:
            u, v = 2 * slopes[0] ** 2, 2 * slopes[1] ** 2
            terms = [(1, self.constant(1)), (u, a), (v, b), (u * v, gap)]
            away = self.apply("sqrt", self.total(terms))
            angle = self.apply("angle", self.total([(self.root(u * v), k)]), away)
        return self.times(self.constant(2 / self.pi), angle)


class _Coder(Moments[int]):
    """Writes averages as instructions, each value once."""

    def __init__(self) -> None:
        super().__init__()
        self.instructions: list[Instruction] = []
        self._known: dict[Instruction, int] = {}

    def emit(self, operation: str, *operands: int, value: float = 0.0) -> int:
        """The number of an instruction."""
        instruction = Instruction(operation, operands, value)
        if instruction not in self._known:
            self._known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return self._known[instruction]

    def apply(self, function: str, *values: int) -> int:
        """An instruction without a number of its own."""
        return self.emit(function, *values)

    def constant(self, value: float) -> int:
        """A number."""
        return self.emit("constant", value=float(value))

    def times(self, *factors: int | None) -> int | None:
        """A product; None is zero."""
        given = [factor for factor in factors if factor is not None]
        if len(given) < len(factors):
            return None
        numbers = [n for n in given if self.instructions[n].operation == "constant"]
        others = sorted(n for n in given if n not in numbers)
        scale = math.prod(self.instructions[n].value for n in numbers)
        if not others:
            return self.constant(scale)
        result = others[0]
        for other in others[1:]:
            result = self.emit("multiply", result, other)
        return result if scale == 1 else self.emit("scale", result, value=scale)

    def total(self, terms: Sequence[tuple[float, int | None]]) -> int:
        """A sum of multiples."""
        result: int | None = None
        for weight, number in terms:
            term = self.times(self.constant(weight), number) if weight else None
            if term is not None:
                result = term if result is None else self.emit("add", result, term)
        return self.constant(0.0) if result is None else result

    def average(self, one: Shape, two: Shape) -> int | None:
        """The average of a product of two terms; None is zero."""
        given: Covariance[int] = (self.emit("a"), self.emit("b"), self.emit("k"), self.emit("gap"))
        if any(shape.wave or shape.growth for shape in (one, two)):
            if any(shape.power or shape.fall or shape.slope for shape in (one, two)):
                raise OpenError
            return self._entire(given, one, two)
        if (one.fall or two.fall) and SIGN in (one.slope, two.slope):
            raise OpenError
        covariance, factor = self.tilted(given, one.fall, two.fall)
        return self.times(factor, self.moment(covariance, (one.power, two.power), (one.slope, two.slope)))

    def _entire(self, given: Covariance[int], one: Shape, two: Shape) -> int | None:
        """Exponentials or waves."""
        a, b, k, _ = given
        if not (one.wave or two.wave):
            squares = [(one.growth**2 / 2, a), (two.growth**2 / 2, b), (one.growth * two.growth, k)]
            return self.emit("exp", self.total(squares))
        if one.growth or two.growth:
            raise OpenError
        if (one.wave == "sin") != (two.wave == "sin"):
            return None
        fall = [(-(one.frequency**2) / 2, a), (-(two.frequency**2) / 2, b)]
        both = one.frequency * two.frequency
        if not both:
            return self.emit("exp", self.total(fall))
        # exp(|x| - h) (1 -+ exp(-2 |x|)) / 2 for exp(-h) sinh and cosh: neither overflows nor cancels
        x = self.times(self.constant(both), k)
        assert x is not None
        size = self.emit("abs", x)
        top = self.emit("exp", self.total([*fall, (1.0, size)]))
        half = self.times(self.constant(0.5), top, self.emit("drop", self.emit("scale", size, value=2.0)))
        assert half is not None
        return self.emit("copysign", half, x) if one.wave == "sin" else self.total([(1.0, top), (-1.0, half)])


def _changed(powers: Two, place: int, value: int) -> Two:
    return (value, powers[1]) if place == 0 else (powers[0], value)
