"""Leading behaviour at large depth where K decays: smooth activations with s(0) = 0 (the K* = 0 class).

At criticality C_b = 0 and the coefficient of K in its own recursion is one; then K = 1/((-a_1) l), and every
susceptibility is one plus O(1/l). A tensor with e edges (contracted pairs of derivatives) behaves as

    T = c l^(-i) (l^(1-p))^e,        p = b_1 / a_1,

where learning rates that are scaled with depth carry one power l^(1-p) an edge: lambda_W = w_W l^(1-p) and
lambda_b = w_b l^(-p) (the powers of the final depth L are left out). Put into the engine's recursion

    T(l+1) - T(l) = -(A/l) T + S l^(-i-1) (l^(1-p))^e      gives      c = S / (A - i + e (1 - p)),

A from the coefficient of the tensor in its own recursion, S from the lower tensors. Nothing else enters; the
homogeneous solution l^(-A) is subdominant exactly if the denominator is positive, which is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pertheory.algebra.series import TaylorSeries
from pertheory.errors import UnsupportedError
from pertheory.solve.averages import Element
from pertheory.solve.layer import KERNEL, NTK, SingleInputLayer
from pertheory.worker import Node


class Leading(NamedTuple):
    """``coefficient l^-power (l^(1-p))^edges``.

    Attributes:
        coefficient: in what the derivatives of s at 0 are in.
        power: i.
        edges: e.
    """

    coefficient: Element
    power: int
    edges: int


class LargeDepth:
    """Leading large-depth behaviour of the tensors of one rule.

    Args:
        step: the recursions of a layer over series in the kernel below; critical couplings.
        positive: says whether an element is positive wherever a_1 < 0.

    Attributes:
        a_1: from K' = K (1 + a_1 K + ...).
        p: minus the coefficient of 1/l in Theta's own coefficient (chi_perp = 1 - p/l).

    Raises:
        UnsupportedError: the couplings are not critical, or a_1 vanishes.
    """

    def __init__(self, step: SingleInputLayer, positive: Callable[[Element], bool]) -> None:
        self.step, self.positive = step, positive
        self.kernel = Node(step.last, KERNEL, 0)
        series = step.kernel_above.coefficients
        if series[0] or series[1] != 1:
            raise UnsupportedError("K* = 0 is not a critical point of these couplings")
        self.a_1 = series[2]
        if not self.a_1:
            raise UnsupportedError("a_1 = 0: K decays more slowly than 1/l")
        self.zero = self.a_1 * 0
        self._known: dict[Node, Leading | None] = {self.kernel: Leading(-1 / self.a_1, 1, 0)}
        ntk = Node(step.last, NTK, 0)
        own, _ = self.step.linear(ntk)
        self.p = self._rate(own, ntk)

    def leading(self, node: Node) -> Leading | None:
        """The leading behaviour, None for a tensor that vanishes.

        Raises:
            UnsupportedError: leading terms cancel, or the homogeneous solution is not subdominant.
        """
        if node not in self._known:
            self._known[node] = self._solve(node)
        return self._known[node]

    def _rate(self, own: TaylorSeries, node: Node) -> Element:
        """A of own = 1 - A/l + ..."""
        head, slope = own.coefficients[:2]
        if head != 1:
            raise UnsupportedError(f"the coefficient of {node.key} in its own recursion does not tend to one")
        return slope / self.a_1

    def _solve(self, node: Node) -> Leading | None:
        own, others = self.step.linear(node)
        edges = len(node.kind.edges)
        found: dict[int, Element] = {}
        for tensors, coefficient in others.items():
            term = self._term(tensors, coefficient)
            if term is not None:
                found[term.power] = found.get(term.power, self.zero) + term.coefficient
        if not found:
            return None
        power = min(found)
        if not found[power]:
            raise UnsupportedError(f"the leading terms of {node.key} at large depth cancel")
        gap = self._rate(own, node) - (power - 1) + edges * (1 - self.p)
        if not self.positive(gap):
            raise UnsupportedError(f"the homogeneous solution of {node.key} is not subdominant at large depth")
        return Leading(found[power] / gap, power - 1, edges)

    def _term(self, tensors: tuple[Node, ...], coefficient: TaylorSeries) -> Leading | None:
        order = coefficient.lowest
        if order is None:
            raise UnsupportedError("a coefficient vanishes to the order in K that is kept; keep more")
        value, power = coefficient.coefficients[order] * (-1 / self.a_1) ** order, order
        for tensor in tensors:
            factor = self.leading(tensor)
            if factor is None:
                return None
            value, power = value * factor.coefficient, power + factor.power
        return Leading(value, power, 0)


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
