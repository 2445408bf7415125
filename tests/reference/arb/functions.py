"""Functions for reference averages, their derivatives and kinks, in ball arithmetic (python-flint)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from flint import arb, arb_series, ctx

ctx.prec = 300
ctx.cap = 5

#: A factor is ``(legs, orders)``: the derivative of order `legs` of the product of derivatives of the function.
Factor = tuple[int, tuple[int, ...]]
Series = arb_series


def logistic(u: Series) -> Series:
    return 1 / (1 + (-u).exp()) if u[0] > 0 else (e := u.exp()) / (1 + e)


def tanh(u: Series) -> Series:
    return 2 * logistic(2 * u) - 1


def softplus(u: Series) -> Series:
    return u + (1 + (-u).exp()).log() if u[0] > 0 else (1 + u.exp()).log()


SMOOTH: dict[str, Callable[[Series], Series]] = {
    "tanh": tanh,
    "erf": lambda u: u.erf(),
    "sigmoid": logistic,
    "softplus": softplus,
    "swish": lambda u: u * logistic(u),
    "gelu": lambda u: u / 2 * (1 + (u / arb(2).sqrt()).erf()),
    "gelu_tanh": lambda u: u / 2 * (1 + tanh((2 / arb.pi()).sqrt() * (u + arb("0.044715") * u * u * u))),
    "mish": lambda u: u * tanh(softplus(u)),
    "gaussian": lambda u: (-u * u).exp(),
    "sin": lambda u: u.sin(),
    "cos": lambda u: u.cos(),
    "exp": lambda u: u.exp(),
    "x3": lambda u: u * u * u,
    "log_sigmoid": lambda u: -softplus(-u),
    "tanhshrink": lambda u: u - tanh(u),
    "squareplus": lambda u: (u + (u * u + 4).sqrt()) / 2,
    "x*tanh(x)": lambda u: u * tanh(u),
    "1/(1+x^2)": lambda u: 1 / (1 + u * u),
    "sin(3*x)+x/2": lambda u: (3 * u).sin() + u / 2,
    "exp(-x^2/2)*x+tanh(x)^3": lambda u: (-u * u / 2).exp() * u + tanh(u) * tanh(u) * tanh(u),
}
#: Functions that become polynomials far from the origin, so that large variances need nodes near it alone.
LOCAL = set(SMOOTH) - {"sin", "cos", "exp", "sin(3*x)+x/2"}


#: Terms ``coefficient x^power exp(rate x)`` of a piece, by ``(power, rate)``.
Terms = dict[tuple[int, int], arb]


def poly(*coefficients: object) -> Terms:
    return {(n, 0): arb(c) for n, c in enumerate(coefficients) if c}  # type: ignore[arg-type]


def _elu(scale: arb, alpha: arb) -> list[Terms]:
    return [{(0, 1): scale * alpha, (0, 0): -scale * alpha}, {(1, 0): scale}]


def _fraction(text: str) -> arb:
    value = Fraction(text)
    return arb(value.numerator) / value.denominator


SIXTH = arb(1) / 6
SELU = _elu(_fraction("1.0507009873554805"), _fraction("1.6732632423543772"))
#: Kinks, and the pieces between them.
KINKED: dict[str, tuple[list[float], list[Terms]]] = {
    "relu": ([0], [{}, poly(0, 1)]),
    "leaky_relu": ([0], [poly(0, _fraction("0.01")), poly(0, 1)]),
    "abs": ([0], [poly(0, -1), poly(0, 1)]),
    "elu": ([0], _elu(arb(1), arb(1))),
    "selu": ([0], SELU),
    "hard_tanh": ([-1, 1], [poly(-1), poly(0, 1), poly(1)]),
    "relu6": ([0, 6], [{}, poly(0, 1), poly(6)]),
    "hard_sigmoid": ([-3, 3], [{}, poly(arb(1) / 2, SIXTH), poly(1)]),
    "hard_swish": ([-3, 3], [{}, poly(0, arb(1) / 2, SIXTH), poly(0, 1)]),
    "softshrink": ([-0.5, 0.5], [poly(0.5, 1), {}, poly(-0.5, 1)]),
    "sparse_plus": ([-1, 1], [{}, poly(0.25, 0.5, 0.25), poly(0, 1)]),
    "max(0,x)^2": ([0], [{}, poly(0, 0, 1)]),
    "abs(x-1)/2+x^2/4": ([1], [poly(0.5, -0.5, 0.25), poly(-0.5, 0.5, 0.25)]),
}


def slope(terms: Terms) -> Terms:
    result: Terms = {}
    for (n, rate), c in terms.items():
        if n:
            result[n - 1, rate] = result.get((n - 1, rate), arb(0)) + n * c
        if rate:
            result[n, rate] = result.get((n, rate), arb(0)) + rate * c
    return result


def times(a: Terms, b: Terms) -> Terms:
    result: Terms = {}
    for ((n, r), c), ((m, q), d) in itertools.product(a.items(), b.items()):
        result[n + m, r + q] = result.get((n + m, r + q), arb(0)) + c * d
    return result


def terms_value(terms: Terms, z: arb) -> arb:
    return sum((c * z**n * ((rate * z).exp() if rate else 1) for (n, rate), c in terms.items()), arb(0))


class Kinked:
    """A piecewise function and its derivatives."""

    def __init__(self, name: str) -> None:
        self.kinks, pieces = KINKED[name]
        self.derivatives = [pieces]
        for _ in range(5):
            self.derivatives.append([slope(piece) for piece in self.derivatives[-1]])

    def jump(self, order: int, kink: int) -> arb:
        left, right = self.derivatives[order][kink : kink + 2]
        place = arb(self.kinks[kink])
        return terms_value(right, place) - terms_value(left, place)

    @property
    def bounded(self) -> int:
        """Highest order without deltas."""
        return next(n for n in range(5) if any(abs(self.jump(n, i)) > 1e-20 for i in range(len(self.kinks))))

    def piece(self, z: arb) -> int:
        return sum(1 for kink in self.kinks if z > kink)

    def product(self, orders: tuple[int, ...], piece: int) -> Terms:
        result: Terms = {(0, 0): arb(1)}
        for order in orders:
            result = times(result, self.derivatives[order][piece])
        return result


def leibniz(factor: Factor) -> dict[tuple[int, ...], int]:
    terms = {factor[1]: 1}
    for _ in range(factor[0]):
        following: dict[tuple[int, ...], int] = {}
        for orders, count in terms.items():
            for i in range(len(orders)):
                raised = tuple(sorted((*orders[:i], orders[i] + 1, *orders[i + 1 :])))
                following[raised] = following.get(raised, 0) + count
        terms = following
    return terms


def smooth_values(name: str, factors: Sequence[Factor]) -> Callable[[arb], list[arb]]:
    """Return a function from a point to the values of the factors."""
    function = SMOOTH[name]
    expansions = [leibniz(factor) for factor in factors]

    def values(z: arb) -> list[arb]:
        series = function(arb_series([z, 1]))
        derivatives = [series[n] * math.factorial(n) for n in range(ctx.cap)]
        found = []
        for terms in expansions:
            total = arb(0)
            for orders, count in terms.items():
                part = arb(count)
                for order in orders:
                    part *= derivatives[order]
                total += part
            found.append(total.mid())
        return found

    return values
