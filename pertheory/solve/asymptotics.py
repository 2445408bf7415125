"""How a tensor behaves with depth at criticality, for an activation: the class is found, the rest is solved in it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import sympy

from pertheory import html
from pertheory.functions.activation import Activation
from pertheory.progress import progress
from pertheory.rulebook.network import Network, network
from pertheory.rulebook.tensors import AnyTensor, any_tensor
from pertheory.rulebook.values import whole
from pertheory.solve.classes import in_class
from pertheory.solve.large_depth import name_of
from pertheory.solve.solutions import DECAYING, DEPTH
from pertheory.typeset.write import APPROXIMATION, LatexStyle
from pertheory.worker import Node

#: the most powers of l below the leading one that are solved for
MOST_TERMS = 4


class Asymptotics(NamedTuple):
    """A tensor on one input at criticality.

    Attributes:
        tensor: its name, with the order in braces.
        universality: "scale-invariant", "K*=0" or "half-stable".
        value: as a function of the layer ``l`` and of what stays free: exact where the kernel stands still, the leading
            power where it decays. ``K`` is the kernel that stands still, ``lambda_b`` and ``lambda_W`` are the learning
            rates; where the kernel decays these are ``tilde_b l^-p`` and ``tilde_W l^(1-p)``.
        couplings: the hyperparameters that criticality fixes, and the kernel where it fixes that; of several critical
            points the one of the smallest kernel. Hyperparameters that are neither fixed by criticality nor free are
            at the values that stand here: inner weights at the variance 1, inner biases at 0.
        coefficients: of the expansion where the kernel decays, K' = K + a_1 K^2 + a_2 K^3 + .. and p = b_1/a_1; at a
            half-stable point nu = V/((l - 1) K^2), and h and h_par, half the slopes of chi_perpendicular and
            chi_parallel in K.
        series: the value with as many powers of l as were asked for. What the first layers fix stays: ``l_0`` of the
            kernel, K = 1/((-a_1) (l - l_0 + ..)), and ``c_T`` for the solution of T's own recursion without a source.
        power: the exponent of the leading power of l.
        left_out: the exponent of the first power of l that is not in the series, None where it is all of the tensor.
    """

    tensor: str
    universality: str
    value: sympy.Expr
    couplings: dict[str, sympy.Expr]
    coefficients: dict[str, sympy.Expr]
    series: sympy.Expr
    power: sympy.Expr
    left_out: sympy.Expr | None

    def sympy(self) -> sympy.Expr:
        """The series; its symbols are plain ones of their names, such as ``sympy.Symbol("l")``."""
        return self.series

    def latex(self) -> str:
        """The equation in LaTeX; what is left out is an order of l, whatever its logarithms."""
        name, _, order = self.tensor.partition("{")
        left = LatexStyle().tensor(name, int(order.rstrip("}") or 0), ()).removesuffix("_{}")
        rest = "" if self.left_out is None else rf" + O\left({sympy.latex(DEPTH**self.left_out)}\right)"
        return f"{left} = {sympy.latex(self.series)}{rest}"

    def __str__(self) -> str:
        rest = "" if self.left_out is None else f" + O({DEPTH**self.left_out})"
        return f"{self.tensor} = {self.series}{rest}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _repr_html_(self) -> str:
        known = {**self.couplings, **self.coefficients}
        rows = [("class", self.universality), *((name, str(value)) for name, value in known.items())]
        return html.page(f"{self.tensor} with depth", html.formula(self.latex()), html.facts(rows))


def asymptotics(
    rule: str | Path | Network,
    tensor: AnyTensor,
    activation: str | Path | Activation,
    *,
    terms: int = 0,
    **parameters: Any,
) -> Asymptotics:
    """The behaviour of a tensor with depth, on one input and at criticality, solved symbolically.

    Args:
        rule: a network, its name or path.
        tensor: a name such as "V" or "G{1}", or an observable.
        activation: a name, a formula, a file or an `Activation`; or a class, in symbols: "scale-invariant" (slopes
            a_plus, a_minus), "K*=0" (sigma_1, a_1, p; a_2), "K*=0, odd", "half-stable" (nu, h and averages).
        terms: how many powers of 1/l below the leading one the series has, logarithms with them, where the kernel
            decays.
        parameters: of the activation.

    Raises:
        UnsupportedError: there is no critical point, or the recursion cannot be solved there.

    Example:
        >>> asymptotics("mlp", "V", "relu").value
        5*K**2*l - 5*K**2
        >>> asymptotics("mlp", "K", "tanh").value
        1/(2*l)
        >>> asymptotics("mlp", "K", "tanh", terms=1).series
        1/(2*l) + l_0/(2*l**2) + 5*log(l)/(24*l**2)
    """
    chosen, (found, order) = network(rule), any_tensor(tensor)
    node = Node(len(chosen.sublayers) - 1, found.kind, order or 0)
    terms = whole(terms, "terms", most=MOST_TERMS)
    if chosen.closure != "exact":
        warnings.warn(f"{chosen.name}: {APPROXIMATION}", stacklevel=2)
    with progress(f"solving {chosen.name} in depth"):
        own = in_class(chosen, activation, parameters)
        solution = own.solution(node, terms)
    value = solution.leading if own.name == DECAYING else solution.series
    return Asymptotics(name_of(node), own.name, value, own.couplings, own.coefficients, *solution[1:])
