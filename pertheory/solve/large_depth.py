"""Large depth where K decays: smooth activations with s(0) = 0 (the K* = 0 class), in powers of l and of log(l).

At criticality C_b = 0 and the coefficient of K in its own recursion is one; then K = 1/((-a_1) l) + .., and every
susceptibility is one plus O(1/l). Learning rates are scaled so that every layer and every group of parameters adds
equally to Theta (the equivalence principle): Theta goes with prod chi_perp = l^-p, p = b_1/a_1, so that a rate whose
coefficient in Theta' falls as l^-m is lambda = tilde l^(m-p), the powers of the final depth L left out. A tensor with
e edges (contracted pairs of derivatives) is then

    T = (l^(1-p))^e sum_ij t_ij l^-i log(l)^j,

and what is known of T leaves in T(l+1) - own T - (lower tensors) a remainder, whose largest term r l^-(i+1) log(l)^j is
taken away by

    t_ij = r / (A - i + e (1 - p)),    own = 1 - A/l + ..,

or, where the denominator vanishes, by a further logarithm. There the homogeneous solution l^-A is one of the powers,
and its coefficient, which the first layers fix, stays as a constant of integration: c_T, and of K the layer l_0 in
K = 1/((-a_1) (l - l_0 + ..)). Homogeneous solutions whose power is not one of these are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from operator import add, mul
from typing import Any, NamedTuple

from pertheory.algebra.series import TaylorSeries
from pertheory.errors import UnsupportedError
from pertheory.memo import kept
from pertheory.solve.averages import Element, MoreOrders
from pertheory.solve.fields import RationalFunctions, number_of
from pertheory.solve.growth import NEVER, DepthPower, Growth, one_layer_up, order
from pertheory.solve.layer import KERNEL, NTK, Factors, SingleInputLayer
from pertheory.worker import Node

#: how many powers more of lower tensors are looked at
EXTRA = 3
#: the constant of integration of K
FIRST = "l_0"


def name_of(node: Node) -> str:
    """The name of a tensor, that of its infinite-width limit where it has one: "Theta", "G{1}"."""
    own = node.tensor
    return f"{own.symbol}{{{node.order}}}" if node.order else own.leading or own.symbol


class LargeDepth:
    """The tensors of one rule at large depth.

    Args:
        step: the recursions of a layer over series in the kernel below; critical couplings.
        positive: says whether an element is positive wherever a_1 < 0.
        field: of the coefficients of the series, where learning rates are symbols of it.
        tilde: the scaled learning rate for each learning rate of the rule.

    Attributes:
        a_1: from K' = K (1 + a_1 K + ...).
        p: minus the coefficient of 1/l in Theta's own coefficient (chi_perp = 1 - p/l).
        rates: every learning rate as it goes with depth.

    Raises:
        UnsupportedError: the couplings are not critical, or a_1 vanishes.
    """

    def __init__(
        self,
        step: SingleInputLayer,
        positive: Callable[[Element], bool],
        field: RationalFunctions | None = None,
        tilde: Mapping[str, Element] | None = None,
    ) -> None:
        self.step, self.positive, self.field = step, positive, field
        self.series_of_kernel: TaylorSeries = step.kernel_above
        head, slope, self.a_1, *_ = self.series_of_kernel.coefficients
        if head or slope != 1:
            raise UnsupportedError("K* = 0 is not a critical point of these couplings")
        if not self.a_1:
            raise UnsupportedError("a_1 = 0: K decays more slowly than 1/l")
        self.one = slope
        ntk = Node(step.last, NTK, 0)
        own, others = step.linear(ntk)
        self.p = self.rate(own, ntk)
        self.rates: dict[str, Growth] = {}
        for name, value in (tilde or {}).items():
            falls = self._enters(others.get((), own * 0), name)
            if falls is not None:
                self.rates[name] = self.power(falls - 1, 1, value)

    def power(self, power: Fraction | int, edges: int = 0, value: Element | None = None) -> Growth:
        """``value l^power (l^(1-p))^edges``, the second factor as a power where p is a number."""
        p = number_of(self.p)
        if edges and p is not None:
            power, edges = power + edges * (1 - p), 0
        return Growth({DepthPower(-Fraction(power)): self.one if value is None else value}, edges)

    @kept
    def series(self, node: Node, terms: int = 0) -> Growth:
        """A tensor: its leading power, and so many powers of 1/l more.

        Raises:
            MoreOrders: the powers of K that are kept do not suffice.
            UnsupportedError: the homogeneous solution is larger.
        """
        if (node.kind, node.order) == (KERNEL, 0):
            kernel = self._kernel(terms)
            if kernel.known.power <= 1 + terms:
                raise MoreOrders("K is not known to the order that is asked for; keep more powers of K")
            return kernel
        own, others = self.step.linear(node)
        held = {key: others.get(key, own * 0) for key in self.step.factors(node) if node not in key}
        if not held:
            return Growth({})
        if terms:
            self._ensure_in_order(node, own, terms)
        for more in range(terms, terms + EXTRA):  # where leading terms cancel, more of the lower tensors is needed
            source = reduce(add, (self._product(node, factors, value, more) for factors, value in held.items()))
            if source.terms:
                found = self._solved(node, own, source, terms)
                if found.known.power > found.lead.power + terms:
                    return found
            elif source.known == NEVER:
                return Growth({})
        raise MoreOrders(f"{node.key} vanishes at large depth to the order in K that is kept; keep more")

    def _ensure_in_order(self, node: Node, own: TaylorSeries, terms: int) -> None:
        """See that no homogeneous solution which is left out is larger than what is kept."""
        leading = self.series(node)
        below = self._gap(node, own, leading.edges) - leading.lead.power
        if number_of(below) is None and not self.positive(below - terms):
            raise UnsupportedError(
                f"{node.key} has, before the order that is asked for, a power of the depth that depends on p otherwise "
                "than its leading one; ask for fewer terms, or for an activation with a rational p"
            )

    def _gap(self, node: Node, own: TaylorSeries, edges: int) -> Element:
        """A + e (1 - p)."""
        return self.rate(own, node) + (edges * (1 - self.p) if edges else self.p * 0)

    def rate(self, own: TaylorSeries, node: Node) -> Element:
        """A of own = 1 - A/l + ..."""
        head, slope = own.coefficients[:2]
        if head != 1:
            raise UnsupportedError(f"the coefficient of {node.key} in its own recursion does not tend to one")
        return slope / self.a_1

    def at_depth(self, coefficient: TaylorSeries, terms: int, rates: int = 0) -> Growth:
        """A coefficient of the step from layer l, to relative order ``terms`` if the powers of K suffice.

        Args:
            coefficient: in powers of K.
            terms: so many powers of l below the leading one.
            rates: how many learning rates stand in every term.
        """
        largest = min((rate.lead.power for rate in self.rates.values()), default=Fraction(0))
        total = Growth({}, known=order(len(coefficient.coefficients) + rates * largest))
        for power, value in enumerate(coefficient.coefficients):
            if value:
                total = total + self._with_rates(value, terms) * self._power_of_kernel(power, terms)
        return total

    @kept
    def _power_of_kernel(self, power: int, terms: int) -> Growth:
        return self._power_of_kernel(power - 1, terms) * self._kernel(terms) if power else self.power(0)

    def _enters(self, coefficient: TaylorSeries, name: str) -> int | None:
        """The lowest power of K at which a learning rate stands."""
        assert self.field is not None, "learning rates are symbols of a field"
        found = (k for k, own in enumerate(coefficient.coefficients) if 1 in self.field.powers(own, name))
        return next(found, None)

    def _with_rates(self, value: Element, terms: int) -> Growth:
        """An element whose learning rates, those of the layer above, are put in."""
        parts = [(value, self.power(0))]
        for name, rate in self.rates.items():
            assert self.field is not None, "learning rates are symbols of a field"
            above = self.above(rate, rate.lead.power + terms + 1)
            split = [(self.field.powers(own, name), factor) for own, factor in parts if own]
            parts = [(own, factor * above**k if k else factor) for found, factor in split for k, own in found.items()]
        return reduce(add, (Growth({DepthPower(Fraction(0)): own}) * factor for own, factor in parts))

    def _product(self, node: Node, factors: Factors, value: TaylorSeries, terms: int) -> Growth:
        """A term of a recursion; edges of the tensor that are not those of tensors below come from learning rates."""
        learned = len(node.kind.edges) - sum(len(factor.kind.edges) for factor in factors)
        return reduce(mul, [self.series(factor, terms) for factor in factors], self.at_depth(value, terms, learned))

    def _solved(self, node: Node, own: TaylorSeries, source: Growth, terms: int) -> Growth:
        """The solution of a linear recursion, as far as its source is known."""
        edges, head = source.edges, source.lead.power - 1
        gap = self._gap(node, own, edges)
        if gap != head and not self.positive(gap - head):
            raise UnsupportedError(f"the homogeneous solution of {node.key} is not subdominant at large depth")
        cut, slopes = head + terms + 2, self.at_depth(own, terms + 1)
        found, rest, home = Growth({}, edges), source.below(order(cut)), number_of(gap)
        if home is not None and head <= home <= head + terms:
            found = Growth({DepthPower(home, 0, (f"c_{name_of(node)}",)): self.one}, edges)
            rest = rest + slopes * found - self.above(found, cut)
        while rest.terms and rest.lead.power < cut:
            term = Growth(dict([_resolved(rest, gap)]), edges)
            found, rest = found + term, rest + slopes * term - self.above(term, cut)
        return Growth(found.terms, edges, order(rest.lead.power - 1))

    @kept
    def _kernel(self, terms: int) -> Growth:
        """K itself, whose recursion is not linear; the change of K' with K is 1 - 2/l."""
        cut, lead = terms + 3, -1 / self.a_1
        found = Growth({DepthPower(Fraction(1)): lead})
        if terms:
            found = found + Growth({DepthPower(Fraction(2), 0, (FIRST,)): lead})
        while True:
            rest = self._kernel_above(found, cut) - self.above(found, cut)
            if not rest.terms:
                return Growth(found.terms, 0, order(rest.lead.power - 1))
            found = found + Growth(dict([_resolved(rest, self.a_1 * 0 + 2)]))

    def _kernel_above(self, kernel: Growth, cut: Fraction | int) -> Growth:
        """K' in powers of the depth, K given."""
        values = self.series_of_kernel.coefficients
        total, power = Growth({}, known=order(min(cut, len(values)))), self.power(0)
        for value in values:
            total = total + Growth({DepthPower(Fraction(0)): value}) * power
            power = (power * kernel).below(order(cut))
        return total

    def above(self, growth: Growth, cut: Fraction | int) -> Growth:
        """The same one layer up, in powers of l down to one that is left out."""
        return one_layer_up(growth, growth.edges * (1 - self.p) if growth.edges else self.p * 0, cut)


def _resolved(rest: Growth, gap: Element) -> tuple[DepthPower, Element]:
    """The term of a solution that takes away the largest term of what is left."""
    lead = rest.lead
    power, minus_logs, constants = lead
    factor = gap - (power - 1)
    if factor:
        return DepthPower(power - 1, minus_logs, constants), rest.terms[lead] / factor
    return DepthPower(power - 1, minus_logs - 1, constants), rest.terms[lead] / (1 - minus_logs)


class KernelDecay(NamedTuple):
    """``K = (scale l)^(-1/root) (1 - log_term log(l)/l + ...)``; the logarithm for root 1 and a_2 known, else 0."""

    root: int
    scale: Any
    log_term: Any


def kernel_decay(series: TaylorSeries) -> KernelDecay:
    """How K decays, from its recursion K' = K + c K^(r+1) + ...

    With u = K^-r the recursion is u' = u - r c + O(K); for r = 1, u' = u - a_1 + (a_1^2 - a_2)/u, whose sum is
    u = -a_1 l + ((a_1^2 - a_2)/(-a_1)) log l.
    """
    values = series.coefficients
    if values[0] or values[1] != 1:
        raise UnsupportedError("K* = 0 is not a critical point of these couplings")
    root = next((order - 1 for order, value in enumerate(values) if order > 1 and value), None)
    if root is None:
        raise UnsupportedError("the kernel does not decay to the order in K that is kept")
    zero = values[1] * 0
    if root > 1 or len(values) < 4:
        return KernelDecay(root, -root * values[root + 1], zero)
    # 1/K' = (1/K) (1 + a_1 K + a_2 K^2)^-1, of which the coefficient of K/K is the source of the logarithm
    inverse = TaylorSeries([*values[1:]]).inverse().coefficients
    drift, source = inverse[1], inverse[2]
    return KernelDecay(1, drift, source / drift**2)
