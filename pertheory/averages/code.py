"""Straight-line code for derivatives of functions, from their polynomials in generators."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.grids import NUDGE, Tables
from pertheory.averages.plan import FunctionCode, Instruction, PieceCode
from pertheory.averages.quadrature import Array, density
from pertheory.functions.activation import TAYLOR_REACH, Activation
from pertheory.functions.derivatives import ALIASES, Ring
from pertheory.functions.polynomials import Polynomial
from pertheory.functions.steep import steep_places

#: Where functions are cut into panels; farther out they are simple.
FARTHEST = 64.0
#: A panel resolves a function if what it misses is below this fraction.
RESOLVED = 1e-11
POINTS = 16
#: Panels around a steep place grow by this factor: 16 points then miss less than 1e-14 of a function with a pole at the
#: distance of its width.
GROWTH = 4.0
#: Farther away than so many widths nothing changes: a power of x has then fallen by as much.
LADDER = 1e6
#: Cuts into panels stop here: what has so many is for other methods.
MOST_EDGES = 300
#: Powers of two of the spreads at which losses are measured, and how finely octaves of x are cut for that.
SPREADS, OCTAVE = np.arange(-80.0, 81.0, 2.0), 8
#: A loss of so many units of rounding is what any sum has; of so many, nothing is left.
NO_LOSS, ALL_LOST = 16.0, 1e18


class _Coder:
    """Writes instructions, each value once."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self.instructions: list[Instruction] = []
        self._known: dict[Instruction, int] = {}
        self._powers: dict[tuple[int, int], int] = {}

    def _emit(self, operation: str, operands: tuple[int, ...] = (), value: float = 0.0) -> int:
        instruction = Instruction(operation, operands, value)
        if instruction not in self._known:
            self._known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return self._known[instruction]

    def _power(self, variable: int, exponent: int) -> int:
        if (variable, exponent) not in self._powers:
            if exponent > 1:
                half = exponent // 2
                found = self._emit("multiply", (self._power(variable, half), self._power(variable, exponent - half)))
            elif variable == 0:
                found = self._emit("x")
            elif (known := self._ring.variable(variable))[0] in ALIASES:
                found = self.polynomial(known[1])
            else:
                kind, argument = known
                name, _, power = kind.partition(":")
                numerator, _, denominator = power.partition("/")
                exponent_value = int(numerator) / int(denominator or 1) if power else 0.0
                found = self._emit(name, (self.polynomial(argument),), exponent_value)
            self._powers[variable, exponent] = found
        return self._powers[variable, exponent]

    def polynomial(self, given: Polynomial) -> int:
        """The instruction that holds a polynomial."""
        total: int | None = None
        for monomial, coefficient in given.items():
            term: int | None = None
            for variable, exponent in monomial:
                factor = self._power(variable, exponent)
                term = factor if term is None else self._emit("multiply", (term, factor))
            if term is None:
                term = self._emit("constant", (), float(coefficient))
            elif coefficient != 1:
                term = self._emit("scale", (term,), float(coefficient))
            total = term if total is None else self._emit("add", (total, term))
        return self._emit("constant", (), 0.0) if total is None else total


def code_function(name: str, function: Activation, orders: tuple[int, ...]) -> FunctionCode:
    """Code that evaluates derivatives of a function, sharing work."""
    pieces = tuple(_code_piece(function, number, orders) for number in range(len(function.pieces)))
    steep = steep_places(function)
    own = [(place, width) for place, width, repeats in steep if not repeats]
    places = tuple(sorted([*((kink, 0.0) for kink in function.kinks), *own]))
    # a polynomial changes over no width of its own, any other function may change over one wherever it is not steep
    widest = 1.0 if function.coefficients is None else math.inf
    narrowest = min([widest, *(width for _, width, _ in steep)])
    return FunctionCode(name, orders, pieces, _edges(function, places), places, narrowest)


def _code_piece(function: Activation, number: int, orders: tuple[int, ...]) -> PieceCode:
    ring, polynomials = function.polynomials(number, max(orders, default=0))
    coder = _Coder(ring)
    results = tuple(coder.polynomial(polynomials[order]) for order in orders)
    return PieceCode(function.pieces[number].upper, tuple(coder.instructions), results)


def _edges(function: Activation, places: tuple[tuple[float, float], ...]) -> tuple[float, ...]:
    """Cuts such that one panel between neighbouring cuts resolves the function.

    Kinks; the ends of panels that grow by a factor away from each steep place, since in such panels a pole at the
    distance of the width is always as far away, measured by the panel; and halves of panels that are not resolved.
    """
    angles = [math.pi * (k + 0.5) / POINTS for k in range(POINTS)]
    derivatives = [function.derivative(order) for order in (0, 1)]
    farthest = max([FARTHEST, *(abs(place) + LADDER * width for place, width in places)])
    cuts = set(function.kinks)
    for place, width in places:
        step = width
        while 0 < step < LADDER * width:
            cuts.update((place - step, place + step))
            step *= GROWTH
    pending = list(pairwise(sorted({-farthest, 0.0, farthest, *(cut for cut in cuts if abs(cut) < farthest)})))
    while pending and len(cuts) < MOST_EDGES:
        low, high = pending.pop(0)
        x = [(low + high) / 2 + (high - low) / 2 * math.cos(angle) for angle in angles]
        for derivative in derivatives:
            values = [float(value) for value in derivative(x)]
            size = max(map(abs, values))
            tail = max(abs(_chebyshev(values, angles, degree)) for degree in range(POINTS - 5, POINTS))
            if math.isfinite(size) and tail > RESOLVED * max(size, 1.0) and high - low > 1e-3:
                middle = (low + high) / 2
                cuts.add(middle)
                pending += [(low, middle), (middle, high)]
                break
    return tuple(sorted(cuts))


def _chebyshev(values: list[float], angles: list[float], degree: int) -> float:
    """A coefficient of the Chebyshev series through values at the nodes."""
    return 2 / POINTS * sum(v * math.cos(degree * angle) for v, angle in zip(values, angles, strict=True))


def losses(functions: Mapping[str, Activation], products: Iterable[Lines]) -> tuple[float, ...]:
    """What rounding does to averages at one input where formulas are evaluated as they stand, whatever x is.

    Returns:
        For each power of two of `SPREADS` the largest relative error of a product, from rounding of its formula and of
        x, in units of rounding; nothing where all are below `NO_LOSS`.
    """
    products = sorted({product for product in products if product})
    lines = sorted({(line,) for product in products for line in product})
    away = 2.0 ** np.arange(SPREADS[0] - 8, SPREADS[-1] + 6, 1 / OCTAVE)
    places = [place for function in functions.values() for place, width, _ in steep_places(function) if width]
    x = np.unique(np.concatenate([place + side * away for place in {0.0, *places} for side in (-1, 1)]))
    near = np.abs(x) <= TAYLOR_REACH
    weights = density(x / 2.0 ** SPREADS[:, None]) * np.gradient(x)
    worst = np.zeros(len(SPREADS))
    with np.errstate(all="ignore"):
        series, rest = Tables(functions, x[near], lines), Tables(functions, x[~near], lines)
        values, moved = (Tables(functions, at, products) for at in (x, x * (1 + NUDGE)))
        noise = Tables(functions, x, lines, absolute=True)

        def exact(product: Lines) -> Array:
            """As `values`, but what is close to zero by its Taylor series."""
            result: Array = np.empty_like(x)
            result[near], result[~near] = series[product], rest[product]
            return np.abs(result, out=result)

        for product in products:
            wrong = np.abs(moved[product] - values[product]) / NUDGE
            for n in range(len(product)):
                wrong = wrong + noise[product[n : n + 1]] * exact(product[:n] + product[n + 1 :])
            sums = [np.where(np.isfinite(own), own, 0.0) @ weights.T for own in (wrong, exact(product))]
            worst = np.fmax(worst, sums[0] / sums[1])
    return () if worst.max() < NO_LOSS else tuple(np.clip(worst, 1.0, ALL_LOST).tolist())
