"""The universality classes at criticality, solved symbolically for any rule.

`scale_invariant`   two slopes: K stands still at every value; tensors are polynomials in l
`half_stable`       any smooth activation at a fixed point K > 0 with both susceptibilities one; polynomials in l
`VanishingKernel`   smooth, s(0) = 0 (K* = 0): K decays as 1/l; leading powers of l

Which hyperparameters criticality fixes follows from the rule (`pertheory.solve.channels`): its conditions, read off the
derived recursions, are linear in them and are solved one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from pertheory.algebra.series import TaylorSeries
from pertheory.algebra.terms import Lines
from pertheory.errors import UnsupportedError
from pertheory.memo import remembered
from pertheory.rulebook.network import Network
from pertheory.solve.averages import AtZero, Averages, Element, Expanded, Symbols, TwoSlopes
from pertheory.solve.channels import inner_values, open_functions, outer
from pertheory.solve.fields import RationalFunctions
from pertheory.solve.induction import DepthPolynomials
from pertheory.solve.large_depth import KernelDecay, LargeDepth, kernel_decay
from pertheory.solve.layer import SingleInputLayer, first_tangent_kernel

#: slopes for positive and for negative z; None keeps them as symbols
Slopes = tuple[Fraction, Fraction] | None
#: derivatives of s at 0 that are kept as symbols
DERIVATIVES = 9
#: sigma_1, sigma_2, sigma_3 with a_1 < 0 at which signs are looked up, from p = 1 down to p = -8
SIGNS: tuple[tuple[Any, ...], ...] = (
    (1, 0, -2),
    (1, Fraction(1, 2), -1),
    (1, 1, -2),
    (2, 1, -1),
    (1, 2, -4),
    (1, 3, -7),
)


class ClassInDepth(NamedTuple):
    """A class whose tensors are polynomials in the depth.

    Attributes:
        field: of all elements; with the symbols K and l.
        symbols: what every hyperparameter, and every symbol of the class, is at criticality.
        averages: of the class.
        tensors: the solved recursions.
    """

    field: RationalFunctions
    symbols: dict[str, Element]
    averages: Averages
    tensors: DepthPolynomials


@remembered(maxsize=16)
def scale_invariant(rule: Network, slopes: Slopes = None) -> ClassInDepth:
    """Activations of two slopes a_plus, a_minus; no bias, and the weights' variance from the kernel recursion.

    Args:
        rule: the network.
        slopes: both of them; symbols if left out.

    Raises:
        UnsupportedError: the rule has no critical variance for every kernel.
    """
    given = [name for name, _ in rule.hyperparameters]
    field = RationalFunctions(["a_plus", "a_minus", "K", "l", "n", *given])
    symbols = dict(field.symbols)
    if slopes is not None:
        symbols |= {"a_plus": field.number(slopes[0]), "a_minus": field.number(slopes[1])}
    pair = symbols["a_plus"], symbols["a_minus"]
    averages = TwoSlopes(field.number, dict.fromkeys(open_functions(rule), pair))
    symbols |= _off_and_inner(rule, field)
    kernel, weight = symbols["K"], outer(rule).weight
    above = SingleInputLayer(rule, averages, symbols, kernel).kernel_above
    symbols[weight] = field.root(above - kernel, weight)
    return _in_depth(rule, field, symbols, averages)


@remembered(maxsize=8)
def half_stable(rule: Network) -> ClassInDepth:
    """Any smooth activation at a fixed point K > 0 where both susceptibilities are one; averages are symbols.

    Both susceptibilities fix <s' s'> and <s s''>, the fixed point fixes the variance of the bias.

    Raises:
        UnsupportedError: the conditions cannot be solved one after the other, or the rule has no bias.
    """
    orders: list[tuple[int, ...]] = [
        (a, b, c, d)
        for a in range(3)
        for b in range(a, 3)
        for c in range(b, 5)
        for d in range(c, 5)
        if a + b + c + d in (0, 2, 4)
    ]
    orders += [(a, b) for a in range(5) for b in range(a, 7) if (a + b) % 2 == 0 and a + b <= 6]
    label = {tuple(("s", order) for order in own): "m" + "".join(map(str, own)) for own in orders}
    own, inner = outer(rule), inner_values(rule)
    free = [name for name, _ in rule.hyperparameters if name not in (*inner, own.bias)]
    if not own.bias:
        raise UnsupportedError(f"{rule.name} has no bias whose variance could keep the kernel where it is")
    field = RationalFunctions(["K", "l", "n", *free, own.bias, *label.values()])
    symbols = dict(field.symbols) | {name: field.number(value) for name, value in inner.items()}

    def of_lines(lines: Lines) -> Element:
        if lines not in label:
            raise UnsupportedError("this solution needs averages that the half-stable setting does not name")
        return symbols[label[lines]]

    averages = Symbols(field.number, of_lines)
    rest = symbols["K"], field.number(1), field.number(1)
    for name, which in (("m11", 2), ("m02", 1), (own.bias, 0)):
        layer = SingleInputLayer(rule, averages, symbols, symbols["K"])
        symbols[name] = field.root(layer.susceptibilities[which] - rest[which], name)
    return _in_depth(rule, field, symbols, averages)


def _in_depth(rule: Network, field: RationalFunctions, symbols: dict[str, Element], averages: Averages) -> ClassInDepth:
    step = SingleInputLayer(rule, averages, symbols, symbols["K"])
    first = {}
    if rule.is_trained:
        first[step.node("Theta")] = first_tangent_kernel(rule, field.number, symbols, symbols["K"])
    return ClassInDepth(field, symbols, averages, DepthPolynomials(step, first))


def _off_and_inner(rule: Network, field: RationalFunctions) -> dict[str, Element]:
    """No bias, and inner parameters at their values."""
    off = {outer(rule).bias: 0} if outer(rule).bias else {}
    return {name: field.number(value) for name, value in {**off, **inner_values(rule)}.items()}


class VanishingKernel:
    """Smooth activations with s(0) = 0 at criticality, where K decays: s = sigma_1 z + sigma_2 z^2/2 + ...

    Learning rates are scaled with depth: that of the bias is tilde_b l^-p, that of the weights tilde_W l^(1-p);
    powers of the final depth are left out.

    Args:
        rule: the network.
        odd: whether even derivatives at 0 vanish, which makes p = 1.
        order: the highest power of K that is kept; 2 gives leading powers, 3 also a_2 and the logarithm of the kernel.

    Attributes:
        field: of the derivatives sigma_1, .., tilde_b, tilde_W and hyperparameters.
        symbols: what they are at criticality, and a_1, b_1, p (and a_2).
        averages: as series in K.
        step: the recursions of a layer.
        tensors: their leading behaviour.
        decay: of the kernel, with its logarithm if the order is 3.
    """

    def __init__(self, rule: Network, odd: bool = False, order: int = 2) -> None:
        sigma = [f"sigma_{power}" for power in range(1, DERIVATIVES + 1)]
        given = [name for name, _ in rule.hyperparameters]
        self.field = RationalFunctions([*sigma, "tilde_b", "tilde_W", "n", *given])
        self.symbols = dict(self.field.symbols) | _off_and_inner(rule, self.field)
        zero = self.field.number(0)
        at_zero = [zero, *(zero if odd and i % 2 else self.symbols[name] for i, name in enumerate(sigma))]
        base = AtZero(self.field.number, dict.fromkeys(open_functions(rule), at_zero))
        self.averages = Expanded(base, zero, order)
        own = outer(rule)
        slope = self._kernel(rule).coefficients[1]
        self.symbols[own.weight] = self.field.root(slope - 1, own.weight)
        kernel = self._kernel(rule)
        couplings = self._couplings(rule)
        if own.weight_rate:  # with depth: both times l^(1-p), and one over l is -a_1 K
            couplings[own.weight_rate] = self.averages.constant(self.symbols["tilde_W"])
        if own.bias_rate:
            scaled = self.symbols["tilde_b"] * -kernel.coefficients[2]
            couplings[own.bias_rate] = self.averages.constant(scaled) * self.averages.kernel
        self.step = SingleInputLayer(rule, self.averages, couplings, self.averages.kernel)
        self.tensors = LargeDepth(self.step, self.is_positive)
        self.decay: KernelDecay = kernel_decay(kernel)
        a_1, p = self.tensors.a_1, self.tensors.p
        self.symbols |= {"p": p, "a_1": a_1, "b_1": p * a_1}
        if order > 2:
            self.symbols["a_2"] = kernel.coefficients[3]

    def _couplings(self, rule: Network) -> dict[str, Element]:
        return {name: self.averages.constant(self.symbols[name]) for name, _ in rule.hyperparameters}

    def _kernel(self, rule: Network) -> TaylorSeries:
        """K' in powers of K."""
        step = SingleInputLayer(rule, self.averages, self._couplings(rule), self.averages.kernel)
        found: TaylorSeries = step.kernel_above
        return found

    def is_positive(self, value: Element) -> bool:
        """Whether a function of the derivatives of s is positive wherever it was looked at."""
        names = ("sigma_1", "sigma_2", "sigma_3")
        rest: Mapping[str, Any] = dict.fromkeys(self.field.names, Fraction(1, 2))
        points = ({**rest, **dict(zip(names, map(Fraction, signs), strict=True))} for signs in SIGNS)
        return all(self.field.at(value, point) > 0 for point in points)


class OffCritical(NamedTuple):
    """A class with every coupling free.

    Attributes:
        field, symbols, averages: as in `ClassInDepth`.
        step: the recursions of a layer.
    """

    field: RationalFunctions
    symbols: dict[str, Element]
    averages: Any
    step: SingleInputLayer


def small_kernel(rule: Network, order: int, derivatives: int) -> OffCritical:
    """Smooth activations with s(0) = 0, as series in K, with a_1, a_2 and b_1 of the derived recursions.

    K' = C_b + (..) (K + a_1 K^2 + a_2 K^3 + ..), and the coefficient of Theta in its own recursion is (..) (1 + b_1
    K + ..).
    """
    sigma = [f"sigma_{power}" for power in range(1, derivatives + 1)]
    given = [name for name, _ in rule.hyperparameters]
    field = RationalFunctions([*sigma, *given])
    at_zero = [field.number(0), *(field.symbols[name] for name in sigma)]
    base = AtZero(field.number, dict.fromkeys(open_functions(rule), at_zero))
    averages = Expanded(base, field.number(0), order)
    couplings = {name: averages.constant(field.symbols[name]) for name in given}
    step = SingleInputLayer(rule, averages, couplings, averages.kernel)
    return OffCritical(field, dict(field.symbols) | expansion_coefficients(step), averages, step)


def expansion_coefficients(step: SingleInputLayer) -> dict[str, Element]:
    """a_1, a_2 and b_1 of a layer over series in K."""
    kernel, _, own = step.susceptibilities
    head = kernel.coefficients[1]
    return {
        "a_1": kernel.coefficients[2] / head,
        "a_2": kernel.coefficients[3] / head,
        "b_1": own.coefficients[1] / own.coefficients[0],
    }


def two_slopes(rule: Network) -> OffCritical:
    """Piecewise linear activations; everything is a rational function."""
    given = [name for name, _ in rule.hyperparameters]
    field = RationalFunctions(["a_plus", "a_minus", "K", *given])
    pair = field.symbols["a_plus"], field.symbols["a_minus"]
    averages = TwoSlopes(field.number, dict.fromkeys(open_functions(rule), pair))
    step = SingleInputLayer(rule, averages, field.symbols, field.symbols["K"])
    return OffCritical(field, dict(field.symbols), averages, step)
