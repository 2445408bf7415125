"""Moments of networks without biases, with every width kept: ``G_4' = C_W^2 (1 + 2/n) G_4``.

G_2m is E[z_1^2 .. z_m^2] of m different neurons on one input. First route: the engine's cumulants G, V, V6, V8 to the
order n^-3, with a width of its own for each layer; formulas are compared as series to that order, for the layers up to
the fourth, or in the depth. Second route: the sum over neurons of a Wick contraction is n to the number of closed
loops, which gives the linear network exactly in n.

Symbols: ``G_2``, ``G_4``, ``G_6``, ``G_8`` (primed: one layer up), ``G_0`` (the inputs' x.x/n_0), ``E_O``, ``E_O2``, ..
(moments of O, the average of z^2 over a layer), ``n`` (the width of the layer), ``prod(..)`` over the layers below of
an expression in n, ``l``, ``r`` = l/n; for a family also ``G_2m``, ``E_Om``, ``m`` and ``prod_k(..)`` over
k = 1, .., m - 1.

Settings "linear" and "ReLU" (all widths different); with ", equal widths" l is a symbol; with ", fixed l/n" only the
largest power of l is kept at each order of 1/n; ", first layer" is the first layer alone. Behind these ", m = 2, 3, 4"
stands for a statement about every m, which has to hold at each of the three.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from copy import copy
from fractions import Fraction
from functools import reduce
from operator import mul
from typing import Any

from pertheory.algebra.series import TaylorSeries
from pertheory.book import syntax
from pertheory.book.equation import Equation
from pertheory.book.scalar import Element, Setting, below_remainder, chosen
from pertheory.book.syntax import Node, Statement
from pertheory.book.verdict import BOTH, MISMATCH, UNCHECKED, VERIFIED, Verdict
from pertheory.errors import InputError
from pertheory.graphs.tensor import pure_type
from pertheory.memo import kept, remembered
from pertheory.rulebook.network import Network
from pertheory.solve.channels import outer
from pertheory.solve.moments import WidthMoments, from_cumulants, loops
from pertheory.solve.universality import scale_invariant
from pertheory.worker import Node as Unit

#: the power of 1/n to which moments are compared, and the layers at which they are
ORDER, LAYERS = 3, (1, 2, 3)
MOMENTS = {"G_2": 1, "G_4": 2, "G_6": 3, "G_8": 4}
MEANS = {"E_O": 1, "E_O2": 2, "E_O3": 3, "E_O4": 4}
SLOPES = {"linear": (Fraction(1), Fraction(1)), "ReLU": (Fraction(1), Fraction(0))}
EQUAL, FIXED, FIRST = ", equal widths", ", fixed l/n", ", first layer"
FAMILY, FAMILY_PAIRS = ", m = 2, 3, 4", (2, 3, 4)
SETTINGS = tuple(
    name + more + family for name in SLOPES for more in ("", EQUAL, FIXED, FIRST) for family in ("", FAMILY)
)


class Moments(Setting):
    """Names of moments; with `pairs` also those of a statement about every m, at m = pairs."""

    pairs = 0

    def at_pairs(self, pairs: int) -> Moments:
        """The same setting at one m; at 0 pairs it is the setting itself."""
        if not pairs:
            return self
        own = copy(self)
        own.pairs, own.values = pairs, {**self.values, "m": self.make(pairs)}
        return own

    @abstractmethod
    def named_moment(self, pairs: int, up: bool) -> Element:
        """G_2m of the layer of the statement, or one layer up."""

    def mean(self, pairs: int) -> Element:
        """The m-th moment of O, the average of (1/n sum z_j^2)^m."""
        return self.over_loops(pairs, self.values["n"]) * self.named_moment(pairs, False)

    def over_loops(self, pairs: int, n: Element) -> Element:
        """The sum over loops of index sums over a layer of n^(loops - m)."""
        ways = [n ** (closed - pairs) * count for closed, count in enumerate(loops(pairs), 1)]
        return sum(ways, self.number(Fraction(0)))

    def symbol(self, name: str) -> Element:
        """Moments, couplings and widths."""
        up, plain = name.endswith("'"), name.removesuffix("'")
        if self.pairs:
            plain = {"G_2m": f"G_{2 * self.pairs}", "E_Om": f"E_O{self.pairs}"}.get(plain, plain)
        if plain in MOMENTS:
            return self.named_moment(MOMENTS[plain], up)
        if plain in MEANS and not up:
            return self.mean(MEANS[plain])
        return super().symbol(name)

    def meaning(self, node: Node, *place: Any) -> Element:
        """Besides what every setting knows: the product over k = 1, .., m - 1."""
        if not (self.pairs and isinstance(node, syntax.Apply) and node.function == "prod_k"):
            return super().meaning(node, *place)
        inner, result = copy(self), self.number(Fraction(1))
        for k in range(1, self.pairs):
            inner.values = {**self.values, "k": self.make(k)}
            result = result * inner.interpret(node.of)
        return result


class AtLayer(Moments):
    """Moments of one layer as polynomials in the inverse widths."""

    title = "moments to the third order in 1/n"

    def __init__(self, moments: WidthMoments, layer: int) -> None:
        self.moments, self.layer = moments, layer
        self.make = moments.field.number
        self.values = {outer(moments.rule).weight: moments.variance, "G_0": moments.input_kernel, "l": self.make(layer)}
        widths = {"n": layer, "n_prev": layer - 1}  # below the first layer there is none
        self.values |= {name: self.width(own) for name, own in widths.items() if own}

    def width(self, layer: int) -> Element:
        """The width of a layer."""
        return 1 / self.moments.inverse_widths[layer - 1]

    def moment(self, pairs: int, layer: int) -> Element:
        """G_2m of a layer."""
        return self.moments.moment(layer, pairs)

    def named_moment(self, pairs: int, up: bool) -> Element:
        """G_2m of this layer or the one above."""
        return self.moment(pairs, self.layer + up)

    def meaning(self, node: Node, *place: Any) -> Element:
        """A whole power that depends on the layer, as C_W^l; a product over the layers below."""
        match node:
            case syntax.Raise(base, exponent):
                power = self.moments.field.at(self.interpret(exponent), {})
                if power.denominator != 1:
                    raise InputError("exponents are whole at every layer")
                return self.interpret(base) ** int(power) if power else self.number(Fraction(1))
            case syntax.Apply("prod", of):
                below = (type(self)(self.moments, layer).at_pairs(self.pairs) for layer in range(1, self.layer))
                return reduce(mul, [setting.interpret(of) for setting in below], self.number(Fraction(1)))
        return super().meaning(node, *place)

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Any:
        """Left minus right to the order that is kept."""
        return self.moments.truncated(super().difference(left, right, remainder))


class Exactly(AtLayer):
    """The linear network exactly in the widths, by counting loops; no tensor of the engine is used."""

    def moment(self, pairs: int, layer: int) -> Element:
        """G_2m: a layer multiplies it by C_W^m and by the sum over loops of n^(loops - m)."""
        result = (self.moments.variance * self.moments.input_kernel) ** pairs
        for below in range(1, layer):
            result = result * self.moments.variance**pairs * self.over_loops(pairs, self.width(below))
        return result

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Any:
        """Left minus right, exactly."""
        return left - right


class EqualWidths(Moments):
    """Moments at criticality as series in 1/n, whose coefficients are polynomials in l."""

    title = "moments of equal widths to the third order in 1/n"

    def __init__(self, rule: Network, slopes: tuple[Fraction, Fraction]) -> None:
        self.solved = scale_invariant(rule, slopes)
        self.field, self.layer = self.solved.field, self.solved.symbols["l"]
        variance = self.solved.symbols[outer(rule).weight]
        self.inverse_width = TaylorSeries([self.field.number(int(power == 1)) for power in range(ORDER + 1)])
        self.make = lambda value: self.constant(self.field.number(value))
        self.values = {
            "l": self.constant(self.layer),
            "r": self.inverse_width * self.layer,
            "n": _Reciprocal(self.inverse_width),
            outer(rule).weight: self.constant(variance),
            "G_0": self.constant(self.solved.symbols["K"] / variance),
        }

    def constant(self, value: Element) -> TaylorSeries:
        """A function of l without 1/n."""
        return TaylorSeries.constant(value, ORDER)

    def block(self, pairs: int) -> TaylorSeries:
        """kappa_p as a series in 1/n."""
        found = [self.field.number(0)] * (ORDER + 1)
        tensors = self.solved.tensors
        for order in range(ORDER - (pairs - 1) + 1):
            unit = Unit(tensors.step.last, pure_type(pairs)[0], order)
            found[pairs - 1 + order] = tensors.at(unit, self.layer)
        return TaylorSeries(found)

    @kept
    def moment(self, pairs: int) -> TaylorSeries:
        """G_2m."""
        found: TaylorSeries = from_cumulants(pairs, self.block)
        return found

    def named_moment(self, pairs: int, up: bool) -> Element:
        """G_2m; l is a symbol, so that no layer stands above another."""
        if up:
            raise InputError(f"moments of the layer above have no value in {self.title}")
        return self.moment(pairs)

    def meaning(self, node: Node, *place: Any) -> Element:
        """exp of a series that begins with 1/n; a power with m in the exponent, or with l, of what tends to one."""
        match node:
            case syntax.Apply("exp", of):
                value = self.interpret(of)
                if value.coefficients[0]:
                    raise InputError("exp is of something that vanishes for infinite width")
                return value.exponential()
            case syntax.Raise(base, syntax.Symbol("m")) if self.pairs:
                return self.interpret(base) ** self.pairs
            case syntax.Raise(base, exponent):
                value = self.interpret(base)
                if value.coefficients[0] != 1:
                    raise InputError("an exponent with l is of something that tends to one for infinite width")
                return (value.logarithm() * self.interpret(exponent)).exponential()
        return super().meaning(node, *place)

    def difference(self, left: TaylorSeries, right: TaylorSeries, remainder: Node | None) -> Any:
        """Left minus right, below the remainder O(1/n^m) if there is one."""
        if remainder is None:
            return left - right
        return below_remainder(left, right, self.interpret(remainder), ORDER, "1/n")


class _Reciprocal:
    """n, of which only the inverse is a series."""

    def __init__(self, inverse: TaylorSeries) -> None:
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

    def difference(self, left: TaylorSeries, right: TaylorSeries, remainder: Node | None) -> Any:
        """Left minus right, to leading order in l at each order of 1/n."""
        gap = super().difference(left, right, remainder)
        parts = [self.field.powers(value, "l") for value in gap.coefficients]
        if any(max(part, default=0) > power for power, part in enumerate(parts)):
            return gap
        return TaylorSeries([part.get(power, self.field.number(0)) for power, part in enumerate(parts)])


@remembered(maxsize=4)
def moments_of(rule: Network, name: str) -> WidthMoments:
    """The moments of a class, made once."""
    return WidthMoments(rule, SLOPES[name], max(LAYERS) + 1, ORDER)


@remembered(maxsize=8)
def equal_widths(rule: Network, name: str, fixed_ratio: bool) -> EqualWidths:
    """The setting of equal widths, made once."""
    return (FixedRatio if fixed_ratio else EqualWidths)(rule, SLOPES[name])


def verdict(equation: Equation, statement: Statement) -> Verdict:
    """Compare with the engine's cumulants, and for the linear network with counted loops."""
    setting = chosen(equation, SETTINGS)
    family = FAMILY_PAIRS if setting.endswith(FAMILY) else (0,)
    head, comma, tail = setting.removesuffix(FAMILY).partition(",")
    if comma + tail in (EQUAL, FIXED):
        widths = equal_widths(equation.rule, head, comma + tail == FIXED)
        return _worst([widths.at_pairs(pairs).verdict(statement) for pairs in family])
    moments = moments_of(equation.rule, head)
    layers = LAYERS[1:] if "n_prev" in statement.text else LAYERS  # below the first layer there is no width to compare
    where = [(layer, pairs) for layer in (LAYERS[:1] if tail else layers) for pairs in family]
    found = _worst([AtLayer(moments, layer).at_pairs(pairs).verdict(statement) for layer, pairs in where])
    if head != "linear" or found.status == UNCHECKED:
        return found
    exact = _worst([Exactly(moments, layer).at_pairs(pairs).verdict(statement) for layer, pairs in where])
    if exact.status != found.status:
        return Verdict(MISMATCH, BOTH, 1.0, "the engine's orders and the counted loops disagree", exact.difference)
    return Verdict(found.status, BOTH, found.residual, found.note, found.difference)


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The first that is not verified, or any."""
    return next((v for v in verdicts if v.status != VERIFIED), verdicts[0])
