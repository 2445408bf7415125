"""Moments of networks without biases, with every width kept: ``G_4' = C_W^2 (1 + 2/n) G_4``.

G_2m is E[z_1^2 .. z_m^2] of m different neurons on one input. First route: the engine's cumulants G, V, V6, V8 to the
order n^-3, with a width of its own for each layer (`moments`); formulas are compared as series to that order, for the
layers up to the fourth, or in the depth. Second route: the sum over neurons of a Wick contraction is n to the number of
closed loops, which gives the linear network exactly in n.

Symbols: ``G_2``, ``G_4``, ``G_6``, ``G_8`` (primed: one layer up), ``G_0`` (the inputs' x.x/n_0), ``E_O``, ``E_O2``, ..
(moments of O, the average of z^2 over a layer), ``n`` (the width of the layer), ``prod(..)`` over the layers below of
an expression in n, ``l``, ``r`` = l/n.

Settings "linear" and "ReLU" (all widths different); with ", equal widths" l is a symbol; with ", fixed l/n" only the
largest power of l is kept at each order of 1/n.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from pertheory.book.chapters import Equation
from pertheory.book.classes import PiecewiseLinear, Series, rational, rational_functions
from pertheory.book.depth import CriticalDepth, at_layer
from pertheory.book.memory import remembered
from pertheory.book.moments import Moments, loops
from pertheory.book.one_input import Element, OneInput
from pertheory.book.scalar import SWALLOWED, Setting, compare_in, evaluate, read_one
from pertheory.book.syntax import Node, Statement
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, UNCHECKED, Verdict, kind
from pertheory.errors import InputError, RuleError
from pertheory.graphs.partitions import set_partitions
from pertheory.graphs.tensor import pure_type
from pertheory.rulebook.network import network
from pertheory.work import Node as Unit

#: the power of 1/n to which moments are compared, and the layers at which they are
ORDER, LAYERS = 3, (1, 2, 3)
MOMENTS = {"G_2": 1, "G_4": 2, "G_6": 3, "G_8": 4}
MEANS = {"E_O": 1, "E_O2": 2, "E_O3": 3, "E_O4": 4}
SLOPES = {"linear": (1, 1), "ReLU": (1, 0)}
KINDS = ("", ", equal widths", ", fixed l/n")


class AtLayer(Setting):
    """Moments of one layer as polynomials in the inverse widths."""

    title = "moments to the third order in 1/n"

    def __init__(self, moments: Moments, layer: int) -> None:
        self.moments, self.layer = moments, layer

    def number(self, value: Fraction) -> Element:
        """A constant."""
        return self.moments.of(rational(value))

    def width(self, layer: int) -> Element:
        """The width of a layer."""
        return 1 / self.moments.inverse_widths[layer - 1]

    def moment(self, pairs: int, layer: int) -> Element:
        """G_2m of a layer."""
        return self.moments.moment(layer, pairs)

    def symbol(self, name: str) -> Element:
        """Moments, couplings and the width."""
        up = name.endswith("'")
        plain = name.removesuffix("'")
        if plain in MOMENTS:
            return self.moment(MOMENTS[plain], self.layer + up)
        if name == "C_W":
            return self.moments.variance
        if name == "G_0":
            return self.moments.input_kernel
        if name == "l":
            return self.number(Fraction(self.layer))
        if name == "n":
            return self.width(self.layer)
        if name == "n_prev" and self.layer > 1:
            return self.width(self.layer - 1)
        if name in MEANS:
            # the m-th power of (1/n sum z_j^2): loops of the index sums times the moment
            pairs, n = MEANS[name], self.width(self.layer)
            ways = [count * n ** (closed - pairs) for closed, count in enumerate(loops(pairs), 1)]
            return sum(ways, self.number(Fraction(0))) * self.moment(pairs, self.layer)
        return super().symbol(name)

    def raised(self, base: Node, exponent: Node) -> Element:
        """A whole power that depends on the layer, as C_W^l."""
        value = evaluate(exponent, self)
        power = Fraction(str(value))
        if power.denominator != 1:
            raise InputError("exponents are whole at every layer")
        return evaluate(base, self) ** int(power) if power else self.number(Fraction(1))

    def apply(self, function: str, of: Node) -> Element:
        """The product of an expression in n over the layers below."""
        if function != "prod":
            return super().apply(function, of)
        result = self.number(Fraction(1))
        for layer in range(1, self.layer):
            result = result * evaluate(of, type(self)(self.moments, layer))
        return result

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Any:
        """Left minus right to the order that is kept."""
        if remainder is not None:
            return super().difference(left, right, remainder)
        return self.moments.truncated(left - right)


class Exactly(AtLayer):
    """The linear network exactly in the widths, by counting loops; no tensor of the engine is used."""

    def moment(self, pairs: int, layer: int) -> Element:
        """G_2m: a layer multiplies it by C_W^m and by the sum over loops of n^(loops - m)."""
        result = (self.moments.variance * self.moments.input_kernel) ** pairs
        for below in range(1, layer):
            n = self.width(below)
            result = result * self.moments.variance**pairs
            result = result * sum(
                (count * n ** (closed - pairs) for closed, count in enumerate(loops(pairs), 1)),
                self.number(Fraction(0)),
            )
        return result

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Any:
        """Left minus right, exactly."""
        return left - right


class EqualWidths(Setting):
    """Moments at criticality as series in 1/n, whose coefficients are polynomials in l."""

    title = "moments of equal widths to the third order in 1/n"

    def __init__(self, slopes: tuple[int, int]) -> None:
        self.of, names = rational_functions(["l", "K"])
        self.layer, kernel = names["l"], names["K"]
        functions = PiecewiseLinear(self.of, self.of(slopes[0]), self.of(slopes[1]))
        variance = self.of(rational(Fraction(2, slopes[0] ** 2 + slopes[1] ** 2)))
        couplings = {"C_b": self.of(0), "C_W": variance}
        self.variance = variance
        self.depth = CriticalDepth(OneInput(network("mlp"), functions, couplings, kernel), {})

    def number(self, value: Fraction) -> Series:
        """A constant."""
        return self.constant(self.of(rational(value)))

    def constant(self, value: Element) -> Series:
        """A function of l without 1/n."""
        return Series([value, *[self.of(0)] * ORDER])

    def inverse_width(self) -> Series:
        """1/n."""
        return Series([self.of(int(power == 1)) for power in range(ORDER + 1)])

    def block(self, pairs: int) -> Series:
        """kappa_p as a series in 1/n."""
        found = [self.of(0)] * (ORDER + 1)
        for order in range(ORDER - (pairs - 1) + 1):
            unit = Unit(0, pure_type(pairs)[0], order)
            found[pairs - 1 + order] = at_layer(self.depth.solution(unit), self.layer, self.of(0))
        return Series(found)

    @lru_cache(maxsize=16)  # noqa: B019 - one object a setting
    def moment(self, pairs: int) -> Series:
        """G_2m."""
        total = self.number(Fraction(0))
        for partition in set_partitions(range(pairs)):
            product = self.number(Fraction(1))
            for part in partition:
                product = product * self.block(len(part))
            total = total + product
        return total

    def symbol(self, name: str) -> Element:
        """Moments, l, r = l/n and the kernel of the inputs."""
        if name in MOMENTS:
            return self.moment(MOMENTS[name])
        if name == "l":
            return self.constant(self.layer)
        if name == "r":
            return self.inverse_width() * self.layer
        if name == "G_0":
            return self.moment(1) * (1 / self.variance)
        if name == "C_W":
            return self.constant(self.variance)
        if name in MEANS:
            pairs, inverse = MEANS[name], self.inverse_width()
            total = self.number(Fraction(loops(pairs)[-1]))
            for closed, count in enumerate(loops(pairs)[:-1], 1):
                total = total + inverse ** (pairs - closed) * self.number(Fraction(count))
            return total * self.moment(pairs)
        if name == "n":
            return _Reciprocal(self.inverse_width())
        return super().symbol(name)

    def apply(self, function: str, of: Node) -> Element:
        """exp of a series that begins with 1/n."""
        if function != "exp":
            return super().apply(function, of)
        return self.exponential(evaluate(of, self))

    def exponential(self, value: Series) -> Series:
        """exp of a series without constant."""
        if value.coefficients[0]:
            raise InputError("exp is of something that vanishes for infinite width")
        total, term = self.number(Fraction(1)), self.number(Fraction(1))
        for order in range(1, ORDER + 1):
            term = term * value * self.number(Fraction(1, order))
            total = total + term
        return total

    def raised(self, base: Node, exponent: Node) -> Element:
        """A power with l in the exponent, of something that tends to one."""
        value = evaluate(base, self)
        if value.coefficients[0] != 1:
            raise InputError("an exponent with l is of something that tends to one for infinite width")
        gap = value - self.number(Fraction(1))
        logarithm, term = self.number(Fraction(0)), self.number(Fraction(-1))
        for order in range(1, ORDER + 1):
            term = term * gap * self.number(Fraction(-1))
            logarithm = logarithm + term * self.number(Fraction(1, order))
        return self.exponential(logarithm * evaluate(exponent, self))

    def difference(self, left: Series, right: Series, remainder: Node | None) -> Any:
        """Left minus right, below the remainder O(1/n^m) if there is one."""
        gap = left - right
        if remainder is None:
            return gap
        power = evaluate(remainder, self).lowest
        if power is None:
            raise InputError(f"a remainder is O(1/n^m) with m up to {ORDER}")
        if any(right.coefficients[power:]) or not any(right.coefficients):
            raise InputError(SWALLOWED)
        return Series([*gap.coefficients[:power], *[self.of(0)] * (ORDER + 1 - power)])


class _Reciprocal:
    """n, of which only the inverse is a series."""

    def __init__(self, inverse: Series) -> None:
        self.inverse = inverse

    def __pow__(self, exponent: int) -> Any:
        return _Reciprocal(self.inverse**exponent) if exponent > 0 else self.inverse ** (-exponent)

    def __rmul__(self, other: object) -> Any:
        raise InputError("n stands behind a division sign, alone, in a series in 1/n")

    __mul__ = __add__ = __radd__ = __rmul__

    def __bool__(self) -> bool:
        return True


class FixedRatio(EqualWidths):
    """n and l to infinity at a fixed ratio: of each coefficient of n^-k only l^k is left."""

    title = "moments at fixed l/n to the third order"

    def difference(self, left: Series, right: Series, remainder: Node | None) -> Any:
        """Left minus right, to leading order in l at each order of 1/n."""
        gap = super().difference(left, right, remainder)
        place = self.of.gens.index(self.layer)
        kept = []
        for power, value in enumerate(gap.coefficients):
            degrees = [monomial[place] for monomial in value.numer] if value else []
            if any(degree > power for degree in degrees):
                return gap
            kept.append(value if power in degrees else self.of(0))
        return Series(kept)


@remembered(maxsize=4)
def moments_of(name: str) -> Moments:
    """The moments of a class, made once."""
    return Moments(SLOPES[name], max(LAYERS) + 1, ORDER)


@remembered(maxsize=8)
def equal_widths(name: str, fixed_ratio: bool) -> EqualWidths:
    """The setting of equal widths, made once."""
    return (FixedRatio if fixed_ratio else EqualWidths)(SLOPES[name])


@kind("moment", setting=True)
def decide(equation: Equation, form: str) -> Verdict:
    """Compare with the engine's cumulants, and for the linear network with counted loops."""
    statement = read_one(equation, form)
    head = equation.setting.split(",")[0]
    tail = equation.setting.removeprefix(head)
    if head not in SLOPES or tail not in KINDS:
        known = "; ".join(a + b for a in SLOPES for b in KINDS)
        raise RuleError(f"{equation.place}: equation {equation.number}: setting must be one of {known}")
    if tail:
        return compare_in(equal_widths(head, tail == KINDS[2]), statement, SYMBOLIC)
    moments = moments_of(head)
    found = _worst([compare_in(AtLayer(moments, layer), statement, SYMBOLIC) for layer in _layers(statement)])
    if head != "linear" or found.status == UNCHECKED:
        return found
    exact = _worst([compare_in(Exactly(moments, layer), statement, SYMBOLIC) for layer in _layers(statement)])
    if exact.status != found.status:
        return Verdict(MISMATCH, BOTH, 1.0, "the engine's orders and the counted loops disagree", exact.difference)
    return Verdict(found.status, BOTH, found.residual, found.note, found.difference)


def _layers(statement: Statement) -> Sequence[int]:
    """The layers at which a statement is compared; the width below the first layer is not one of them."""
    return LAYERS if "n_prev" not in statement.text else LAYERS[1:]


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The first that is not verified, or any."""
    return next((v for v in verdicts if v.status != "verified"), verdicts[0])
