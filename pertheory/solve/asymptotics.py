"""How a tensor behaves with depth at criticality, for an activation: the class is found, the rest is solved in it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import sympy

from pertheory.algebra.series import TaylorSeries
from pertheory.averages.closed_forms import OpenError
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.functions.chosen import choose_functions
from pertheory.functions.formula import Name, Number, evaluated
from pertheory.functions.formula import Node as FormulaNode
from pertheory.memo import remembered
from pertheory.progress import progress
from pertheory.rulebook.network import Network, network
from pertheory.rulebook.tensors import AnyTensor, any_tensor
from pertheory.solve.channels import inner_values, strengths
from pertheory.solve.critical import HIGHEST, HIGHEST_DERIVATIVE, CriticalPoint, critical_points, is_zero_critical
from pertheory.solve.universality import ClassInDepth, VanishingKernel, half_stable, scale_invariant
from pertheory.symbols.shapes import Shape, line_shapes
from pertheory.typeset.write import APPROXIMATION
from pertheory.worker import Node

#: the layer, counted from 1
DEPTH = sympy.Symbol("l")
#: digits of averages at a critical point
DIGITS = 15


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
    """

    tensor: str
    universality: str
    value: sympy.Expr
    couplings: dict[str, sympy.Expr]


def asymptotics(
    rule: str | Path | Network, tensor: AnyTensor, activation: str | Path | Activation, **parameters: Any
) -> Asymptotics:
    """The behaviour of a tensor with depth, on one input and at criticality, solved symbolically.

    Args:
        rule: a network, its name or path.
        tensor: a name such as "V" or "G{1}", or an observable.
        activation: a name, a formula, a file or an `Activation`.
        parameters: of the activation.

    Raises:
        UnsupportedError: there is no critical point, the recursion cannot be solved there, or the tensor depends on
            learning rates of inner parameters.

    Example:
        >>> asymptotics("mlp", "V", "relu").value
        5*K**2*l - 5*K**2
        >>> asymptotics("mlp", "K", "tanh").value
        1/(2*l)
    """
    chosen = network(rule)
    with progress(f"solving {chosen.name} in depth"):
        return _asymptotics(chosen, tensor, choose_functions(chosen, activation, parameters))


def _asymptotics(chosen: Network, tensor: AnyTensor, functions: Mapping[str, Activation]) -> Asymptotics:
    if len(functions) != 1:
        raise UnsupportedError(f"{chosen.name} has {len(functions)} functions; depth is solved for one")
    (function,) = functions.values()
    found, order = any_tensor(tensor)
    if chosen.closure != "exact":
        warnings.warn(f"{chosen.name}: {APPROXIMATION}", stacklevel=3)
    rates, inner = _rates(chosen), inner_values(chosen)
    if found.kind.edges and rates & set(inner):
        held = ", ".join(sorted(rates & set(inner)))
        raise UnsupportedError(
            f"{found.name} of {chosen.name} depends on {held}, learning rates of inner parameters; with depth only "
            "tensors of the fields themselves are solved for such rules"
        )
    node = Node(len(chosen.sublayers) - 1, found.kind, order or 0)
    name = found.name + (f"{{{order}}}" if order else "")
    slopes = _two_slopes(function)
    if slopes is not None:
        solved = scale_invariant(chosen, slopes)
        names = [symbol for symbol, _ in chosen.hyperparameters]
        fixed = {own: _expression(solved.symbols[own], {}) for own in names}
        fixed = {own: value for own, value in fixed.items() if value != sympy.Symbol(own)}
        return Asymptotics(name, "scale-invariant", _polynomial(solved, node, {}), fixed)
    decaying = _decaying(chosen, function, node) if is_zero_critical(chosen, function) else None
    if decaying is not None:
        return Asymptotics(name, "K*=0", *decaying)
    point = _first_point(chosen, function)
    solved = half_stable(chosen)
    rates -= {symbol for strength in strengths(chosen) for symbol, _ in strength.powers}
    numbers = {"K": point.kernel, **point.couplings}
    for label in solved.field.names:
        if label[:1] == "m" and label[1:].isdigit():
            lines = tuple(("s", int(digit)) for digit in label[1:])
            numbers[label] = point.averages.average(point.kernel, 0, lines)
    fixed = {n: sympy.Float(str(value), DIGITS) for n, value in numbers.items() if n not in rates}
    known = {n: fixed[n] for n in ("K", *point.couplings) if n in fixed}
    return Asymptotics(name, "half-stable", _polynomial(solved, node, fixed), known)


def _rates(rule: Network) -> set[str]:
    """The hyperparameters in learning rates."""
    rates = (parameter.learning_rate for parameter in rule.parameters)
    return {symbol for rate in rates if rate is not None for symbol, _ in rate.powers}


@remembered(maxsize=16)
def _first_point(rule: Network, function: Activation) -> CriticalPoint:
    """The critical point of the smallest positive kernel."""
    points = critical_points(rule, function)
    if not points:
        raise UnsupportedError(f"{function.name} has no critical point of {rule.name} up to K = {HIGHEST:g}")
    return points[0][0]


def _two_slopes(function: Activation) -> tuple[Fraction, Fraction] | None:
    """The slopes of a function that is a straight line on either side of zero, through it."""
    if function.kinks not in ((), (0.0,)):
        return None
    slopes = []
    for part in (0, len(function.pieces) - 1):
        try:
            terms = line_shapes(function, part, 0)
        except OpenError:
            return None
        slope = terms.get(Shape(1), sympy.S.Zero)
        if not slope.is_Rational or set(terms) - {Shape(1)}:
            return None
        slopes.append(Fraction(int(slope.p), int(slope.q)))
    return slopes[1], slopes[0]


def _polynomial(solved: ClassInDepth, node: Node, numbers: Mapping[str, sympy.Expr]) -> sympy.Expr:
    """A polynomial in the depth."""
    powers = solved.tensors.solution(node)
    return sympy.expand(sympy.Add(*(_expression(own, numbers) * DEPTH**power for power, own in powers.items())))


def _decaying(rule: Network, function: Activation, node: Node) -> tuple[sympy.Expr, dict[str, sympy.Expr]] | None:
    """A leading power of the depth, and what criticality fixes; None where K* = 0 is not stable."""
    at_zero = _derivatives_at_zero(function)
    odd = all(value == 0 for value in at_zero[::2])
    solved = VanishingKernel(rule, odd)
    numbers = {f"sigma_{order}": value for order, value in enumerate(at_zero) if order}
    usual = {name: sympy.Rational(Fraction(value)) for name, value in rule.hyperparameters}
    if not _expression(solved.symbols["a_1"], {**usual, **numbers}).is_negative:
        return None  # where the sign depends on what stays free, that at the values of the rule counts
    leading = solved.tensors.leading(node)
    fixed = {name: _expression(solved.symbols[name], numbers) for name, _ in rule.hyperparameters}
    fixed = {name: value for name, value in fixed.items() if value != sympy.Symbol(name)}
    if leading is None:
        return sympy.Integer(0), fixed
    power = _expression(solved.symbols["p"], numbers)
    factor = DEPTH ** (leading.edges * (1 - power) - leading.power)
    return sympy.expand(sympy.cancel(_expression(leading.coefficient, numbers)) * factor), fixed


def _derivatives_at_zero(function: Activation) -> list[sympy.Expr]:
    """The function and its derivatives at 0, exactly: by power series, which do not swell as derivatives do."""
    parameters = dict(function.parameters)

    def given(part: FormulaNode) -> TaylorSeries | None:
        if isinstance(part, Number):
            return TaylorSeries.constant(sympy.Rational(part.value), HIGHEST_DERIVATIVE)
        if not isinstance(part, Name):
            return None
        if part.name == "x":
            return TaylorSeries([sympy.S.Zero, sympy.S.One, *[sympy.S.Zero] * (HIGHEST_DERIVATIVE - 1)])
        value = sympy.pi if part.name == "pi" else sympy.Rational(Fraction(parameters[part.name]))
        return TaylorSeries.constant(value, HIGHEST_DERIVATIVE)

    def applied(name: str, arguments: list[TaylorSeries]) -> TaylorSeries:
        y = sympy.Symbol("y")
        return _composed(getattr(sympy, name)(y), y, arguments[0])

    def power(base: TaylorSeries, exponent: TaylorSeries) -> TaylorSeries:
        y = sympy.Symbol("y")
        return _composed(y ** exponent.coefficients[0], y, base)

    part = sum(kink < 0 for kink in function.kinks)
    series: TaylorSeries = evaluated(function.pieces[part].node, given, applied, power)
    return [sympy.expand(value * sympy.factorial(order)) for order, value in enumerate(series.coefficients)]


def _composed(outer: sympy.Expr, y: sympy.Symbol, inner: TaylorSeries) -> TaylorSeries:
    """A function of a series."""
    head = inner.coefficients[0]
    step = inner - head
    total = TaylorSeries.constant(outer.subs(y, head), HIGHEST_DERIVATIVE)
    raised = TaylorSeries.constant(sympy.S.One, HIGHEST_DERIVATIVE)
    for order in range(1, HIGHEST_DERIVATIVE + 1):
        outer, raised = sympy.diff(outer, y), raised * step
        total = total + raised * (outer.subs(y, head) / sympy.factorial(order))
    return TaylorSeries([sympy.expand(value) for value in total.coefficients])


def _expression(element: Any, numbers: Mapping[str, sympy.Expr]) -> sympy.Expr:
    """A rational function as sympy writes it, some of its symbols known."""
    if isinstance(element, int | Fraction):
        return sympy.Rational(element)
    pairs = {sympy.Symbol(name): value for name, value in numbers.items()}
    return element.numer.as_expr().subs(pairs) / element.denom.as_expr().subs(pairs)
