"""Gaussian averages in closed form, as sympy expressions in the covariance.

A product at one input is written, between the kinks of its functions, as a sum of terms

    z^n exp(alpha z - m z^2) erf(beta z),        waves as exponentials of imaginary alpha,

with exact numbers. On one input every such sum without error functions is done between any kinks; over two inputs the
recursion of `pertheory.averages.closed_forms` is carried out over expressions; over more inputs products of powers and
exponentials are, and what deltas leave of a kinked product. Deltas come from `pertheory.averages.reduce`, as they do
everywhere. All else has no closed form here, which is an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import sympy

from pertheory.algebra.terms import Lines
from pertheory.averages.atoms import IDENTITY, atoms, show_request
from pertheory.averages.closed_forms import SIGN, Moments, OpenError
from pertheory.averages.reduce import Divergent, distribution, reduced
from pertheory.averages.request import Request
from pertheory.errors import DivergentAverageError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.symbols.objects import Average

Z = sympy.Symbol("x", real=True)
#: (coefficient, product of every input)
Atoms = tuple[tuple[int, tuple[Lines, ...]], ...]
#: makes the covariance of a layer at two samples, or on one input
Kernel = Callable[..., sympy.Expr]


class Exact(Activation):
    """An activation whose limits at kinks are exact numbers."""

    def side_values(self, order: int, position: float) -> tuple[Any, Any]:  # type: ignore[override]
        """The limits of a derivative from the left and from the right."""
        at = rational(position)
        left = sum(position > kink for kink in self.kinks)
        right = sum(position >= kink for kink in self.kinks)
        return tuple(derivative(self, part, order).subs(Z, at) for part in (left, right))


@lru_cache(maxsize=1024)
def derivative(function: Activation, part: int, order: int) -> sympy.Expr:
    """A derivative of one smooth piece."""
    if order:
        return sympy.diff(derivative(function, part, order - 1), Z)
    _, _, formula = function.symbolic()[part]
    return formula._sympy_().subs(sympy.Symbol("x"), Z)


def rational(value: float) -> sympy.Expr:
    """The decimal that was written."""
    return sympy.Rational(Fraction(repr(float(value))))


def closed_form(own: Average, functions: Mapping[str, Activation], kernel: Kernel) -> sympy.Expr:
    """An average of a formula in closed form.

    Args:
        own: the average.
        functions: by the names in it.
        kernel: the covariance of a field of a layer: called with the layer, the field and no samples or two.

    Raises:
        UnsupportedError: none is known here.
        DivergentAverageError: the average is infinite, or depends on how a kink is rounded.
    """
    samples = [factor.sample for factor in own.factors]
    request = tuple((factor.legs, tuple(sorted(factor.lines))) for factor in own.factors)
    alone = len(samples) == 1 and samples[0] == 0
    matrix = [[kernel(own.layer, own.field, *(() if alone else (i, j))) for j in samples] for i in samples]
    return average_of(request, functions, sympy.Matrix(matrix))


def average_of(
    request: Request,
    functions: Mapping[str, Activation],
    covariance: sympy.Matrix,
    pattern: tuple[int, ...] | None = None,
) -> sympy.Expr:
    """The average of a request.

    Args:
        request: the factors.
        functions: by name.
        covariance: over the inputs, of symbols or numbers.
        pattern: the input of each factor; each has its own if it is left out.

    Raises:
        UnsupportedError: no closed form is known here.
        DivergentAverageError: as `closed_form`.
    """
    where = tuple(range(len(request))) if pattern is None else pattern
    size = max(where, default=-1) + 1
    upper = {(i, j): sympy.Dummy(f"k{i}{j}", real=True) for i in range(size) for j in range(i + 1, size)}
    diagonal = [sympy.Dummy(f"k{i}", positive=True) for i in range(size)]
    inner = sympy.Matrix(size, size, lambda i, j: diagonal[i] if i == j else upper[min(i, j), max(i, j)])
    exact = {
        name: function if function.is_smooth else Exact(function.name, function.pieces, function.parameters)
        for name, function in functions.items()
    }
    try:
        total = _sum(atoms(request, where), exact, inner)
    except OpenError:
        named = ", ".join(f"{name} = {own.name}" for name, own in functions.items())
        raise UnsupportedError(f"the average {show_request(request)} of {named} has no closed form here") from None
    except Divergent as error:
        raise DivergentAverageError(str(error)) from None
    back = {inner[i, j]: covariance[i, j] for i in range(size) for j in range(i, size)}
    if size == 1:
        return total.replace(sympy.asin, _one_root).xreplace(back)
    return total.xreplace(back).replace(sympy.asin, _one_root)


def _sum(found: Atoms, functions: Mapping[str, Activation], covariance: sympy.Matrix) -> sympy.Expr:
    terms: dict[tuple[Lines, ...], float] = {products: n for n, products in found}
    total = sympy.Integer(0)
    for term, coefficient in reduced(terms, functions).items():
        parts = [distribution(legs, product, functions) for legs, product in term]
        choices = [[*part.regular, *part.deltas] for part in parts]
        for choice in itertools.product(*choices):
            weight = sympy.Mul(sympy.Rational(coefficient), *(sympy.sympify(value) for _, value in choice))
            if weight:
                total += weight * _mixed([what for what, _ in choice], functions, covariance)
    return spread(total)


def spread(value: sympy.Expr) -> sympy.Expr:
    """Products of sums multiplied out, but not below roots and angles."""
    return sympy.Add(*(sympy.expand_mul(term, deep=False) for term in sympy.Add.make_args(value)))


def _one_root(sine: sympy.Expr) -> sympy.Expr:
    """An angle with one root below its fraction, not a product of roots."""
    number, rest = sine.as_coeff_Mul()
    top, bottom = rest.as_numer_denom()
    return sympy.asin(number * top / sympy.sqrt(sympy.factor(sympy.expand(bottom**2))))


def _mixed(parts: Sequence[Any], functions: Mapping[str, Activation], covariance: sympy.Matrix) -> sympy.Expr:
    """Ordinary products at some inputs, deltas at the others: what is left of the Gaussian, given these."""
    fixed = [n for n, part in enumerate(parts) if _is_delta(part)]
    free = [n for n in range(len(parts)) if n not in fixed]
    products = [parts[n] for n in free]
    if not fixed:
        return _ordinary(products, functions, covariance)
    if len(parts) == 1:
        position, order = parts[0]
        density = sympy.exp(-(Z**2) / (2 * covariance[0, 0])) / sympy.sqrt(2 * sympy.pi * covariance[0, 0])
        return (-1) ** order * sympy.diff(density, Z, order).subs(Z, rational(position))
    if any(parts[n] != (0.0, 0) for n in fixed):
        raise OpenError  # the others would have a mean
    block = covariance.extract(fixed, fixed)
    density = 1 / sympy.sqrt((2 * sympy.pi) ** len(fixed) * block.det())
    if not free:
        return density
    across = covariance.extract(free, fixed)
    given = (covariance.extract(free, free) - across * block.inv() * across.T).applyfunc(sympy.factor)
    return density * _ordinary(products, functions, given)


def _is_delta(part: Any) -> bool:
    return len(part) == 2 and isinstance(part[0], float)


def _ordinary(products: Sequence[Lines], functions: Mapping[str, Activation], covariance: sympy.Matrix) -> sympy.Expr:
    held = [n for n, product in enumerate(products) if product]
    products, covariance = [products[n] for n in held], covariance.extract(held, held)
    if not products:
        return sympy.Integer(1)
    if len(products) == 1:
        return _single(products[0], functions, covariance[0, 0])
    sides = [_pieces(product, functions) for product in products]
    if all(len(pieces) == 1 for pieces in sides):
        slots = [terms(pieces[0][2]) for pieces in sides]
        if not any(shape.fall or shape.slope for slot in slots for shape in slot):
            return sympy.Add(
                *(_entire(choice, covariance) for choice in itertools.product(*(s.items() for s in slots)))
            )
    else:
        slots = [_signed(pieces) for pieces in sides]
    if len(products) > 2:
        raise OpenError
    return sympy.Add(
        *(c * d * _pair(one, two, covariance) for (one, c), (two, d) in itertools.product(*(s.items() for s in slots)))
    )


class Shape(NamedTuple):
    """z^power exp(growth z - fall z^2) erf(slope z), the error function if there; an infinite slope is a sign."""

    power: int = 0
    fall: Any = 0
    growth: Any = 0
    slope: Any = 0


def _pieces(product: Lines, functions: Mapping[str, Activation]) -> list[tuple[Any, Any, sympy.Expr]]:
    """A product between the kinks of its functions, as (lower, upper, expression)."""
    names = {name for name, _ in product} - {IDENTITY}
    kinks = sorted({kink for name in names for kink in functions[name].kinks})
    ends = [-sympy.oo, *map(rational, kinks), sympy.oo]
    found = []
    for number, (lower, upper) in enumerate(itertools.pairwise(ends)):
        value = sympy.Integer(1)
        for name, order in product:
            if name == IDENTITY:
                value *= Z
                continue
            part = sum(kink <= kinks[number - 1] for kink in functions[name].kinks) if number else 0
            value *= derivative(functions[name], part, order)
        found.append((lower, upper, value))
    return found


@lru_cache(maxsize=4096)
def terms(value: sympy.Expr) -> dict[Shape, sympy.Expr]:
    """An expression in z as a sum of shapes.

    Raises:
        OpenError: it is of another kind.
    """
    waves = (sympy.sin, sympy.cos, sympy.sinh, sympy.cosh)
    value = value.replace(lambda part: isinstance(part, waves), lambda part: part.rewrite(sympy.exp))
    found: dict[Shape, sympy.Expr] = {}
    for summand in sympy.Add.make_args(sympy.powsimp(sympy.expand(value), deep=True)):
        power, coefficient, slope, exponent = 0, sympy.Integer(1), sympy.Integer(0), sympy.Integer(0)
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
        polynomial = sympy.Poly(exponent, Z) if exponent.has(Z) and exponent.is_polynomial(Z) else None
        if exponent.has(Z) and (polynomial is None or polynomial.degree() > 2):
            raise OpenError
        parts = [exponent.expand().coeff(Z, n) for n in range(3)]
        if slope.is_negative:
            slope, coefficient = -slope, -coefficient
        if (-parts[2]).is_negative:
            raise OpenError
        shape = Shape(power, -parts[2], parts[1], slope)
        found[shape] = found.get(shape, sympy.Integer(0)) + coefficient * sympy.exp(parts[0])
    return found


def _signed(pieces: Sequence[tuple[Any, Any, sympy.Expr]]) -> dict[Shape, sympy.Expr]:
    """Polynomials on the two sides of zero, by their mean and half their difference.

    Raises:
        OpenError: there are other kinks or functions.
    """
    if len(pieces) == 1:
        return terms(pieces[0][2])
    if len(pieces) != 2 or pieces[0][1] != 0:
        raise OpenError
    found: dict[Shape, sympy.Expr] = {}
    for sign, (_, _, value) in zip((-1, 1), pieces, strict=True):
        for shape, coefficient in terms(value).items():
            if shape != Shape(shape.power):
                raise OpenError
            for slope, weight in ((0, coefficient / 2), (SIGN, sign * coefficient / 2)):
                own = Shape(shape.power, slope=slope)
                found[own] = found.get(own, sympy.Integer(0)) + weight
    return {shape: value for shape, value in found.items() if value != 0}


def _single(product: Lines, functions: Mapping[str, Activation], variance: sympy.Expr) -> sympy.Expr:
    pieces = _pieces(product, functions)
    if len(pieces) > 1:
        return sympy.Add(*(_between(lower, upper, value, variance) for lower, upper, value in pieces if value != 0))
    try:
        return sympy.Add(*(c * _alone(shape, variance) for shape, c in terms(pieces[0][2]).items()))
    except OpenError:  # two error functions at one input: the same as at two that are equal
        halves = [terms(_pieces(half, functions)[0][2]) for half in (product[::2], product[1::2])]
        same = sympy.Matrix([[variance, variance], [variance, variance]])
        ways = itertools.product(*(half.items() for half in halves))
        return sympy.Add(*(c * d * _pair(one, two, same) for (one, c), (two, d) in ways))


def _alone(shape: Shape, variance: sympy.Expr) -> sympy.Expr:
    """<z^n exp(alpha z - m z^2)>, or with an error function and no exponential."""
    if shape.slope:
        return _pair(shape, Shape(), sympy.Matrix([[variance, 0], [0, variance]]))
    tilt = 1 + 2 * shape.fall * variance
    alpha = sympy.Dummy()
    generating = sympy.exp(alpha**2 * variance / tilt / 2)
    return sympy.diff(generating, alpha, shape.power).subs(alpha, shape.growth) / sympy.sqrt(tilt)


def _between(lower: Any, upper: Any, value: sympy.Expr, variance: sympy.Expr) -> sympy.Expr:
    """The part of an average that comes from between two places; powers are lowered by parts."""
    total = sympy.Integer(0)
    width = sympy.sqrt(2 * variance)
    for shape, coefficient in terms(value).items():
        alpha = sympy.sympify(shape.growth)
        if shape.fall or shape.slope or not alpha.is_real:
            raise OpenError
        ends = [sympy.erf((place - alpha * variance) / width) if place.is_finite else place for place in (lower, upper)]
        sizes = [end if end.is_finite else sympy.sign(end) for end in ends]
        moments = [sympy.exp(alpha**2 * variance / 2) * (sizes[1] - sizes[0]) / 2]
        for power in range(1, shape.power + 1):
            rest = alpha * moments[-1] - _edge(upper, power, alpha, variance) + _edge(lower, power, alpha, variance)
            moments.append(variance * (rest + ((power - 1) * moments[-2] if power > 1 else 0)))
        total += coefficient * moments[-1]
    return total


def _edge(place: Any, power: int, alpha: sympy.Expr, variance: sympy.Expr) -> sympy.Expr:
    """z^(n-1) exp(alpha z) times the density at an end."""
    if not place.is_finite:
        return sympy.Integer(0)
    density = sympy.exp(alpha * place - place**2 / (2 * variance)) / sympy.sqrt(2 * sympy.pi * variance)
    return place ** (power - 1) * density


def _entire(choice: Sequence[tuple[Shape, sympy.Expr]], covariance: sympy.Matrix) -> sympy.Expr:
    """The average of a product of powers and exponentials at any number of inputs: exponentials move the mean."""
    alphas = sympy.Matrix([shape.growth for shape, _ in choice])
    means = covariance * alphas
    known: dict[tuple[int, ...], sympy.Expr] = {}

    def moment(powers: tuple[int, ...]) -> sympy.Expr:
        if not any(powers):
            return sympy.Integer(1)
        if powers not in known:
            first = next(n for n, power in enumerate(powers) if power)
            rest = _less(powers, first)
            ways = ((n, power) for n, power in enumerate(rest) if power)
            known[powers] = sympy.expand(
                means[first] * moment(rest)
                + sympy.Add(*(power * covariance[first, n] * moment(_less(rest, n)) for n, power in ways))
            )
        return known[powers]

    size = sympy.exp(sympy.expand((alphas.T * means)[0, 0] / 2))
    return sympy.Mul(size, moment(tuple(shape.power for shape, _ in choice)), *(c for _, c in choice))


def _less(powers: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*powers[:place], powers[place] - 1, *powers[place + 1 :])


def _pair(one: Shape, two: Shape, covariance: sympy.Matrix) -> sympy.Expr:
    """The average of two shapes at two inputs."""
    if one.growth or two.growth or ((one.fall or two.fall) and SIGN in (one.slope, two.slope)):
        raise OpenError
    a, b, k = covariance[0, 0], covariance[1, 1], covariance[0, 1]
    moments = Expressions()
    given = (a, b, k or None, sympy.expand(a * b - k**2) or None)
    tilted, factor = moments.tilted(given, one.fall, two.fall)
    found = moments.moment(tilted, (one.power, two.power), (one.slope, two.slope))
    return sympy.Integer(0) if found is None else factor * found


class Expressions(Moments[sympy.Expr]):
    """The recursion over expressions."""

    pi = sympy.pi

    @staticmethod
    def root(number: Any) -> sympy.Expr:
        """The square root, exact."""
        return sympy.sqrt(number)

    def constant(self, value: Any) -> sympy.Expr:
        """A number."""
        return sympy.sympify(value)

    def times(self, *factors: sympy.Expr | None) -> sympy.Expr | None:
        """A product; None is zero."""
        return None if None in factors else sympy.Mul(*factors)

    def total(self, terms: Sequence[tuple[Any, sympy.Expr | None]]) -> sympy.Expr:
        """A sum of multiples."""
        return sympy.Add(*(weight * value for weight, value in terms if value is not None))

    def apply(self, function: str, *values: sympy.Expr) -> sympy.Expr:
        """A root, an inverse or an angle; the angle as an arcsine, as kernels are written."""
        if function == "sqrt":
            return sympy.sqrt(values[0])
        if function == "reciprocal":
            return 1 / values[0]
        x, y = values
        return sympy.asin(x / sympy.sqrt(sympy.factor(sympy.expand(x**2 + y**2))))
