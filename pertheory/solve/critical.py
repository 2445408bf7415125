"""Fixed points and critical points as numbers, of any rule and activation.

The susceptibilities are the coefficients of G{1} and Theta in the derived recursions (`pertheory.solve.layer`).
Both are
one, and the kernel stands still, at a *critical point*: three conditions on K and on the variances of the outer
bias and weights, in which they are linear. What is left is one equation in K; every root in a range is bracketed
(`pertheory.solve.roots`), first in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import mpmath

from pertheory.algebra.polynomial import Polynomial
from pertheory.algebra.series import TaylorSeries
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.rulebook.network import Network, network
from pertheory.solve.averages import AtZero, Averages, Expanded
from pertheory.solve.channels import inner_values, outer
from pertheory.solve.large_depth import KernelDecay, kernel_decay
from pertheory.solve.layer import SingleInputLayer, Susceptibilities
from pertheory.solve.numbers import DIGITS, Doubles, HighPrecision, WithSymbols, named_functions
from pertheory.solve.roots import MOST_NODES, Range, Roots, root, roots
from pertheory.solve.universality import expansion_coefficients

#: the range of K in which roots are searched; where averages do not exist up to its end, it is cut by this factor
LOWEST, HIGHEST, SHORTER = 1e-3, 1e3, 10.0
#: what a root in high precision may leave of its condition, and what counts as zero
SHARP = ZERO = 1e-15
SEARCHED = Range(LOWEST, HIGHEST)
#: a variance of weights that no point has: where s' all but vanishes
LARGEST = 1e100
#: derivatives at 0 that the expansion to the third power of K needs
HIGHEST_DERIVATIVE = 9


class FixedPoint(NamedTuple):
    """A kernel that stands still.

    Attributes:
        kernel: K*.
        parallel, perpendicular: the susceptibilities there; K* is stable where ``parallel`` is below one.
    """

    kernel: Any
    parallel: Any
    perpendicular: Any


class CriticalPoint(NamedTuple):
    """A point at which the kernel stands still and both susceptibilities are one.

    Attributes:
        kernel: K*.
        couplings: every hyperparameter, the two that were solved for among them.
        averages: of the activation, in the precision of the point.
    """

    kernel: Any
    couplings: dict[str, Any]
    averages: Averages


def at_rest(rule: Network, averages: Averages, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Every hyperparameter as a number: given, of an inner parameter at its value, else the rule's default."""
    values = {**dict(rule.hyperparameters), **inner_values(rule), **(given or {})}
    for name in given or {}:
        if name not in dict(rule.hyperparameters):
            raise InputError(f"{rule.name} has no hyperparameter {name!r}")
    return {name: averages.number(value) for name, value in values.items()}


def susceptibilities(
    rule: str | Network, function: str | Activation, kernel: float, couplings: Mapping[str, Any] | None = None
) -> Susceptibilities:
    """K', chi_parallel and chi_perpendicular of a layer over a kernel, in double precision.

    Args:
        rule: a network or its name.
        function: the activation.
        kernel: K of the layer below, positive.
        couplings: hyperparameters by name; see `at_rest` for those that are left out.

    Example:
        >>> [round(value, 6) for value in susceptibilities("mlp", "relu", 1.0, {"C_W": 2})]
        [1.0, 1.0, 1.0]
    """
    chosen = network(rule)
    averages = Doubles(named_functions(chosen, function))
    layer = SingleInputLayer(chosen, averages, at_rest(chosen, averages, couplings), float(kernel))
    return layer.susceptibilities


class Conditions:
    """The conditions of criticality at a kernel, in some arithmetic.

    Args:
        rule: the network.
        averages: over numbers.
        given: values of hyperparameters that are not solved for.
    """

    def __init__(self, rule: Network, averages: Averages, given: Mapping[str, Any] | None = None) -> None:
        self.rule, self.averages, self.own = rule, averages, outer(rule)
        self.symbolic = WithSymbols(averages)
        self.values = at_rest(rule, averages, given)
        one = averages.number(1)
        solved = {name: Polynomial.symbol(name, one) for name in (self.own.bias, self.own.weight) if name}
        self.couplings = {n: self.symbolic.constant(value) for n, value in self.values.items()} | solved

    def layer(self, kernel: Any) -> SingleInputLayer:
        """A layer whose elements are polynomials in the two variances."""
        return SingleInputLayer(self.rule, self.symbolic, self.couplings, self.symbolic.constant(kernel))

    def gap(self, kernel: Any) -> Any:
        """What vanishes where one variance of the weights makes both susceptibilities one."""
        layer = self.layer(kernel)
        (a, b), (c, d) = (self.line(layer.own_coefficient(name)) for name in ("G{1}", "Theta"))
        return (1 - c) * b - (1 - a) * d

    def relative_gap(self, kernel: float) -> float:
        """The gap of a perceptron by <s' s'>, which is chi_parallel / chi_perpendicular - 1; of others likewise.

        NaN where chi_perpendicular does not depend on the weights: s' vanishes, to rounding.

        Raises:
            UnsupportedError: a susceptibility is infinite.
        """
        layer = self.layer(kernel)
        (a, b), (c, d) = (self.line(layer.own_coefficient(name)) for name in ("G{1}", "Theta"))
        if d == 0:
            return math.nan
        gap = float(((1 - c) * b - (1 - a) * d) / d)
        if not math.isfinite(gap):
            raise UnsupportedError(f"the susceptibilities of {self.rule.name} are not finite at K = {kernel:g}")
        return gap

    def is_possible(self, point: CriticalPoint) -> bool:
        """Whether the variances of a point are variances, and those of weights not beyond all networks."""
        weight, bias = (point.couplings[name] if name else 0.0 for name in (self.own.weight, self.own.bias))
        return bool(0 < weight < LARGEST and bias >= 0)

    def point(self, kernel: Any) -> CriticalPoint:
        """The variances that make chi_perpendicular one and the kernel stand still."""
        layer = self.layer(kernel)
        above, (start, slope) = layer.kernel_above, self.line(layer.own_coefficient("Theta"))
        if not slope:
            raise UnsupportedError(f"chi_perpendicular of {self.rule.name} does not depend on {self.own.weight}")
        weight = (1 - start) / slope
        solved = {self.own.weight: weight}
        if self.own.bias:
            rest = kernel - above.coefficient() - above.coefficient((self.own.weight, 1)) * weight
            solved[self.own.bias] = rest / above.coefficient((self.own.bias, 1))
        return CriticalPoint(kernel, {**self.values, **solved}, self.averages)

    def line(self, condition: Polynomial) -> tuple[Any, Any]:
        """A susceptibility as constant and slope in the variance of the weights.

        Raises:
            UnsupportedError: it depends otherwise on what is solved for.
        """
        slope = (self.own.weight, 1)
        if set(condition.terms) - {(), (slope,)}:
            raise UnsupportedError(f"the susceptibilities of {self.rule.name} are not linear in {self.own.weight}")
        return condition.coefficient(), condition.coefficient(slope)


class Search(NamedTuple):
    """Critical points in a range of K.

    Attributes:
        points: with positive variances of weights and bias, in double precision, ascending in K.
        conditions: of criticality in double precision.
        looked: the range.
        roots: of the gap between the susceptibilities; where it is flat, every K of the range is critical.
    """

    points: list[CriticalPoint]
    conditions: Conditions
    looked: Range
    roots: Roots


def search_range(
    rule: Network,
    function: str | Activation,
    given: Mapping[str, Any] | None = None,
    looked: Range = SEARCHED,
) -> Search:
    """Every critical point in a range of K, which ends earlier where averages cease to exist.

    Args:
        rule: the network; without a bias there are three conditions on K and one variance, and no point is found.
        function: the activation.
        given: hyperparameters that are not solved for.
        looked: the range of K.

    Raises:
        UnsupportedError: averages exist nowhere in the range, susceptibilities are infinite, or points may be missed.
    """
    functions = named_functions(rule, function)
    while True:
        conditions = Conditions(rule, Doubles(functions, looked.nodes), given)
        try:
            gaps = [conditions.relative_gap(kernel) for kernel in looked.nodes]
        except UnsupportedError:
            if looked.high <= looked.low * SHORTER:
                raise
            looked = looked._replace(high=looked.high / SHORTER)
            continue
        if math.isnan(gaps[0]):  # s' vanishes about zero, and small signals do not get to where it does not
            looked = looked._replace(low=looked.low * SHORTER)
            if looked.low >= looked.high:
                raise UnsupportedError("the derivative of the activation vanishes")
            continue
        found = roots(gaps, looked)
        if found.complete:
            break
        if looked.size >= MOST_NODES:
            raise UnsupportedError(
                "averages vary too fast with K, or are not exact enough, for a search that misses nothing"
            )
        looked = looked._replace(size=2 * looked.size)
    kernels = sorted([*found.touching, *(root(conditions.gap, *ends) for ends in found.brackets)])
    points = [conditions.point(kernel) for kernel in kernels] if conditions.own.bias else []
    return Search([point for point in points if conditions.is_possible(point)], conditions, looked, found)


def search(rule: Network, function: str | Activation, given: Mapping[str, Any] | None = None) -> list[CriticalPoint]:
    """The critical points of `search_range` in the usual range."""
    return search_range(rule, function, given).points


def critical_points(
    rule: str | Network, function: str | Activation, given: Mapping[str, Any] | None = None
) -> list[tuple[CriticalPoint, CriticalPoint]]:
    """All critical points with K > 0 in the range that is searched, each in high and in double precision.

    Args:
        rule: a network or its name.
        function: the activation.
        given: hyperparameters that are not solved for, such as ``{"gamma": 0.5}``.

    Raises:
        UnsupportedError: a root cannot be found to high precision.

    Example:
        >>> ((precise, _),) = critical_points("mlp", "gelu")
        >>> [mpmath.nstr(precise.couplings[name], 9) for name in ("C_b", "C_W")]
        ['0.172922391', '1.98305826']
    """
    chosen = network(rule)
    functions = named_functions(chosen, function)
    found = []
    for near in search(chosen, function, given):
        with mpmath.workdps(DIGITS):
            precise = Conditions(chosen, HighPrecision(functions), given)
            # the root in doubles is off by 1e-12 or so; one secant step over 1e-6 leaves 1e-18
            start, beside = mpmath.mpf(near.kernel), mpmath.mpf(near.kernel) * (1 + mpmath.mpf(10) ** -6)
            at_start = precise.gap(start)
            kernel = start - at_start * (beside - start) / (precise.gap(beside) - at_start)
            if abs(precise.gap(kernel)) > SHARP:
                raise UnsupportedError(f"a critical point of {function} could not be found to high precision")
            found.append((precise.point(kernel), near))
    return found


def fixed_points(
    rule: str | Network,
    function: str | Activation,
    couplings: Mapping[str, Any] | None = None,
    looked: Range = SEARCHED,
) -> list[FixedPoint]:
    """The kernels K > 0 that stand still, in double precision.

    Args:
        rule: a network or its name.
        function: the activation.
        couplings: hyperparameters by name; see `at_rest`.
        looked: the range of K. Where K' touches K without crossing, as at a half-stable point, rounding decides
            whether one, two or no kernel is found.
    """
    chosen = network(rule)
    averages = Doubles(named_functions(chosen, function), looked.nodes)
    values = at_rest(chosen, averages, couplings)

    def layer(kernel: float) -> SingleInputLayer:
        return SingleInputLayer(chosen, averages, values, kernel)

    def moved(kernel: float) -> float:
        return float(layer(kernel).kernel_above / kernel - 1)

    found = roots([moved(kernel) for kernel in looked.nodes], looked)
    kernels = sorted([*found.touching, *(root(moved, *ends) for ends in found.brackets)])
    return [FixedPoint(kernel, *layer(kernel).susceptibilities[1:]) for kernel in kernels]


class ZeroPoint(NamedTuple):
    """The critical point K* = 0 of a smooth activation with s(0) = 0.

    Attributes:
        couplings: every hyperparameter, the variances at criticality.
        derivatives: of the activation at 0, the value first.
        coefficients: a_1, a_2, b_1 of the expansion in K.
        decay: how K decays.
    """

    couplings: dict[str, Any]
    derivatives: Sequence[Any]
    coefficients: dict[str, Any]
    decay: KernelDecay


def is_zero_critical(rule: Network, function: str | Activation) -> bool:
    """Whether K* = 0 is a critical point: every function of the rule is smooth at 0, s(0) = 0 and s'(0) is not."""
    functions = named_functions(rule, function)
    try:
        known = HighPrecision(functions).derivatives_at_zero(1)
    except UnsupportedError:
        return False
    return all(abs(known[name][0]) <= ZERO <= abs(known[name][1]) for name in rule.functions)


def zero_point(rule: Network, function: str | Activation, given: Mapping[str, Any] | None = None) -> ZeroPoint:
    """K* = 0 of an activation, in the precision that is in force.

    Raises:
        UnsupportedError: s(0) is not 0, or s'(0) is, so that it is not a critical point.
    """
    precise = HighPrecision(named_functions(rule, function))
    known = precise.derivatives_at_zero(HIGHEST_DERIVATIVE)
    if not is_zero_critical(rule, function):
        named = function if isinstance(function, str) else function.name
        raise UnsupportedError(f"{named} has s(0) != 0 or s'(0) = 0, so K* = 0 is not a critical point")
    derivatives = {name: [value if abs(value) > ZERO else value * 0 for value in own] for name, own in known.items()}
    own = outer(rule)
    symbolic = WithSymbols(precise)
    values = at_rest(rule, precise, {**({own.bias: 0} if own.bias else {}), **(given or {})})

    def layer(couplings: Mapping[str, Any]) -> SingleInputLayer:
        constants = {name: [symbolic.constant(value) for value in rows] for name, rows in derivatives.items()}
        averages = Expanded(AtZero(symbolic.number, constants), symbolic.number(0), 3)
        elements = {name: averages.constant(symbolic.constant(0) + value) for name, value in couplings.items()}
        return SingleInputLayer(rule, averages, elements, averages.kernel)

    slope = layer({**values, own.weight: Polynomial.symbol(own.weight, precise.number(1))}).kernel_above.coefficients[1]
    values[own.weight] = (1 - slope.coefficient()) / slope.coefficient((own.weight, 1))
    step = layer(values)
    found = {name: value.coefficient() for name, value in expansion_coefficients(step).items()}
    series = [mpmath.mpf(0), mpmath.mpf(1), found["a_1"], found["a_2"]]
    decay = kernel_decay(TaylorSeries([c if abs(c) > ZERO else c * 0 for c in series]))
    return ZeroPoint(values, derivatives[(*rule.functions, "s")[0]], found, decay)
