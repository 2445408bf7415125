"""Gaussian averages in closed form, as sympy expressions in the covariance.

Functions are sums of shapes between their kinks (`pertheory.symbols.shapes`). On one input every such sum without error
functions is done between any kinks; over two inputs the recursion of `pertheory.averages.closed_forms` is carried out
over expressions; over more inputs products of powers and exponentials are, and what deltas leave of a kinked product.
Deltas come from `pertheory.averages.reduce`, as they do everywhere. All else has no closed form here: an error.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sympy

from pertheory.algebra.terms import Lines
from pertheory.averages.atoms import IDENTITY, atoms, show_request
from pertheory.averages.closed_forms import SIGN, Moments, OpenError
from pertheory.averages.reduce import Divergent, distribution, reduced
from pertheory.averages.request import Request
from pertheory.errors import DivergentAverageError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.symbols.objects import Average
from pertheory.symbols.shapes import Exact, Shape, Shapes, line_shapes, rational

#: (coefficient, product of every input)
Atoms = tuple[tuple[int, tuple[Lines, ...]], ...]
#: makes the covariance of a layer at two samples, or on one input
Kernel = Callable[..., sympy.Expr]
#: the largest power of one average, and the most products of terms in it: closed forms are for people
MOST_POWER, MOST_PRODUCTS = 64, 1_000


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
    exact = {name: Exact(own.name, own.pieces, own.parameters) for name, own in functions.items()}
    try:
        total = _sum(atoms(request, where), exact, inner)
    except OpenError:
        named = ", ".join(f"{name} = {own.name}" for name, own in functions.items())
        raise UnsupportedError(f"the average {show_request(request)} of {named} has no closed form here") from None
    except Divergent as error:
        raise DivergentAverageError(str(error)) from None
    back = {inner[i, j]: covariance[i, j] for i in range(size) for j in range(i, size)}
    found = total.replace(sympy.asin, _one_root).xreplace(back) if size == 1 else total.xreplace(back)
    found = found.replace(sympy.asin, _one_root)
    if found.has(sympy.zoo, sympy.oo, sympy.nan):
        raise DivergentAverageError(f"the average {show_request(request)} has no finite value at this covariance")
    return found


def _sum(found: Atoms, functions: Mapping[str, Activation], covariance: sympy.Matrix) -> sympy.Expr:
    terms: dict[tuple[Lines, ...], float] = {products: n for n, products in found}
    total = sympy.Integer(0)
    for term, coefficient in reduced(terms, functions).items():
        parts = [distribution(legs, product, functions) for legs, product in term]
        choices = [[*part.regular, *part.deltas] for part in parts]
        for choice in itertools.product(*choices):
            weight = sympy.Mul(sympy.Rational(coefficient), *(sympy.sympify(value, strict=True) for _, value in choice))
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
        (position, order), place = parts[0], sympy.Dummy()
        density = sympy.exp(-(place**2) / (2 * covariance[0, 0])) / sympy.sqrt(2 * sympy.pi * covariance[0, 0])
        return (-1) ** order * sympy.diff(density, place, order).subs(place, rational(position))
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
    """Products without deltas at different inputs."""
    held = [n for n, product in enumerate(products) if product]
    products, covariance = [products[n] for n in held], covariance.extract(held, held)
    if not products:
        return sympy.S.One
    if len(products) == 1:
        return _single(products[0], functions, covariance[0, 0])
    sides = [_pieces(product, functions) for product in products]
    if all(len(pieces) == 1 for pieces in sides):
        slots = [pieces[0][2] for pieces in sides]
        if not any(shape.fall or shape.slope for slot in slots for shape in slot):
            return sympy.Add(*(_entire(way, covariance) for way in _ways(slots)))
    else:
        slots = [_signed(pieces) for pieces in sides]
    if len(products) > 2:
        raise OpenError
    return sympy.Add(*(c * d * _pair(one, two, covariance) for (one, c), (two, d) in _ways(slots)))


def _ways(slots: Sequence[Shapes]) -> Iterator[tuple[tuple[Shape, sympy.Expr], ...]]:
    """The products of terms at different inputs.

    Raises:
        UnsupportedError: there are too many for a person to read.
    """
    powers = sum(max((shape.power for shape in slot), default=0) for slot in slots)
    if powers > MOST_POWER or math.prod(map(len, slots)) > MOST_PRODUCTS:
        raise UnsupportedError(
            f"a closed form with powers of {powers} and {math.prod(map(len, slots))} products of terms is too long; "
            f"at most {MOST_POWER} and {MOST_PRODUCTS}"
        )
    return itertools.product(*(slot.items() for slot in slots))


def _product(product: Lines, functions: Mapping[str, Activation], places: Mapping[str, int]) -> Shapes:
    """A product of lines, each function by its piece."""
    total: Shapes = {Shape(): sympy.S.One}
    for name, order in product:
        line = {Shape(1): sympy.S.One} if name == IDENTITY else line_shapes(functions[name], places[name], order)
        following: Shapes = {}
        for (one, c), (two, d) in _ways([total, line]):
            if one.slope and two.slope:
                raise OpenError
            both = Shape(one.power + two.power, one.fall + two.fall, one.growth + two.growth, one.slope or two.slope)
            following[both] = following.get(both, sympy.S.Zero) + c * d
        total = {shape: value for shape, value in following.items() if value != 0}
    return total


def _pieces(product: Lines, functions: Mapping[str, Activation]) -> list[tuple[Any, Any, Shapes]]:
    """A product between the kinks of its functions, as (lower, upper, terms)."""
    names = {name for name, _ in product} - {IDENTITY}
    kinks = sorted({kink for name in names for kink in functions[name].kinks})
    ends = [-sympy.oo, *map(rational, kinks), sympy.oo]
    found = []
    for number, (lower, upper) in enumerate(itertools.pairwise(ends)):
        places = {name: sum(kink in kinks[:number] for kink in functions[name].kinks) for name in names}
        found.append((lower, upper, _product(product, functions, places)))
    return found


def _signed(pieces: Sequence[tuple[Any, Any, Shapes]]) -> Shapes:
    """Polynomials on the two sides of zero, by their mean and half their difference.

    Raises:
        OpenError: there are other kinks or functions.
    """
    if len(pieces) == 1:
        return pieces[0][2]
    if len(pieces) != 2 or pieces[0][1] != 0:
        raise OpenError
    found: Shapes = {}
    for sign, (_, _, terms) in zip((-1, 1), pieces, strict=True):
        for shape, coefficient in terms.items():
            if shape != Shape(shape.power):
                raise OpenError
            for slope, weight in ((0, coefficient / 2), (SIGN, sign * coefficient / 2)):
                own = Shape(shape.power, slope=slope)
                found[own] = found.get(own, sympy.S.Zero) + weight
    return {shape: value for shape, value in found.items() if value != 0}


def _single(product: Lines, functions: Mapping[str, Activation], variance: sympy.Expr) -> sympy.Expr:
    names = {name for name, _ in product} - {IDENTITY}
    if any(functions[name].kinks for name in names):
        pieces = _pieces(product, functions)
        return sympy.Add(*(_between(lower, upper, terms, variance) for lower, upper, terms in pieces))
    places = dict.fromkeys(names, 0)
    try:
        whole = _product(product, functions, places)
    except OpenError:  # two error functions at one input: the same as at two that are equal
        halves = [_product(half, functions, places) for half in (product[::2], product[1::2])]
        same = sympy.Matrix([[variance, variance], [variance, variance]])
        return sympy.Add(*(c * d * _pair(one, two, same) for (one, c), (two, d) in _ways(halves)))
    return sympy.Add(*(_alone(shape, c, variance) for ((shape, c),) in _ways([whole])))


def _alone(shape: Shape, coefficient: sympy.Expr, variance: sympy.Expr) -> sympy.Expr:
    """<z^n exp(alpha z - m z^2)>, or with an error function and no exponential."""
    if shape.slope:
        return coefficient * _pair(shape, Shape(), sympy.Matrix([[variance, 0], [0, variance]]))
    tilt = 1 + 2 * shape.fall * variance
    return _entire([(shape, coefficient)], sympy.Matrix([[variance / tilt]])) / sympy.sqrt(tilt)


def _between(lower: Any, upper: Any, terms: Shapes, variance: sympy.Expr) -> sympy.Expr:
    """The part of an average that comes from between two places; powers are lowered by parts."""
    total = sympy.S.Zero
    width = sympy.sqrt(2 * variance)
    for ((shape, coefficient),) in _ways([terms]):
        alpha = sympy.sympify(shape.growth, strict=True)
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
        return sympy.S.Zero
    density = sympy.exp(alpha * place - place**2 / (2 * variance)) / sympy.sqrt(2 * sympy.pi * variance)
    return place ** (power - 1) * density


def _entire(choice: Sequence[tuple[Shape, sympy.Expr]], covariance: sympy.Matrix) -> sympy.Expr:
    """The average of a product of powers and exponentials at any number of inputs: exponentials move the mean."""
    alphas = sympy.Matrix([shape.growth for shape, _ in choice])
    means = covariance * alphas
    known: dict[tuple[int, ...], sympy.Expr] = {}

    def moment(powers: tuple[int, ...]) -> sympy.Expr:
        if not any(powers):
            return sympy.S.One
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
        return sympy.sympify(value, strict=True)

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
