"""The K* = 0 class at criticality, solved symbolically for any rule: smooth activations with s(0) = 0."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from fractions import Fraction
from typing import Any

from pertheory.algebra.series import TaylorSeries
from pertheory.rulebook.network import Network
from pertheory.solve.averages import AtZero, Element, Expanded
from pertheory.solve.channels import open_functions, outer, rates
from pertheory.solve.fields import RationalFunctions
from pertheory.solve.large_depth import KernelDecay, LargeDepth, kernel_decay
from pertheory.solve.layer import SingleInputLayer
from pertheory.solve.universality import off_and_inner

#: derivatives of s at 0 that are kept, besides two for each power of K
DERIVATIVES = 12
#: the coefficients that may be symbols in the place of derivatives
NAMES = ("a_1", "a_2", "p")
#: sigma_1, sigma_2, sigma_3 with a_1 < 0, or instead of the last one p, at which signs are looked up
SIGNS: tuple[tuple[Any, ...], ...] = (
    (1, 0, -2, Fraction(15, 16)),
    (1, Fraction(1, 2), -1, Fraction(4, 5)),
    (1, 1, -2, Fraction(1, 2)),
    (2, 1, -1, 0),
    (1, 2, -4, -1),
    (1, 3, -7, -8),
)


class VanishingKernel:
    """Smooth activations with s(0) = 0 at criticality, where K decays: s = sigma_1 z + sigma_2 z^2/2 + ...

    Learning rates are scaled with depth (`pertheory.solve.large_depth`): that of the bias is tilde_b l^-p, that of the
    weights tilde_W l^(1-p); powers of the final depth are left out.

    Args:
        rule: the network.
        odd: whether even derivatives at 0 vanish, which makes p = 1.
        order: the highest power of K that is kept; 2 gives leading powers, 3 also a_2 and the logarithm of the kernel.
        known: what is no symbol: derivatives at 0 or others as numbers, or, of those in ``ratios``, as multiples of
            sigma_1.
        ratios: their names.
        named: whether p (of odd functions a_1) is a symbol in the place of sigma_3 and a_2 in that of sigma_5, even
            derivatives being multiples of sigma_2; formulas are much shorter.

    Attributes:
        field: of the derivatives sigma_1, .., tilde_b, tilde_W and hyperparameters.
        symbols: what they are at criticality, and a_1, b_1, p (and a_2).
        averages: as series in K.
        step: the recursions of a layer.
        tensors: their behaviour at large depth.
        decay: of the kernel, with its logarithm if the order is 3.
    """

    def __init__(
        self,
        rule: Network,
        odd: bool = False,
        order: int = 2,
        known: Sequence[tuple[str, Fraction]] = (),
        ratios: Container[str] = (),
        named: bool = False,
    ) -> None:
        self.rule, self.order = rule, order
        self.sigma = [f"sigma_{power}" for power in range(1, DERIVATIVES + 2 * order + 1)]
        given, scaled = [name for name, _ in rule.hyperparameters], rates(rule)
        tilde = sorted({"tilde_b", "tilde_W", *scaled.values()})
        self.field = RationalFunctions([*self.sigma, *NAMES, *tilde, "n", *given])
        self.symbols = dict(self.field.symbols) | off_and_inner(rule, self.field)
        for name, value in known:
            share = self.symbols["sigma_1"] if name in ratios else self.field.number(1)
            self.symbols[name] = self.field.number(value) * share
        if odd:
            self.symbols |= dict.fromkeys(self.sigma[1::2], self.field.number(0))
        elif named:
            even = self.symbols["sigma_2"]
            self.symbols |= {name: self.symbols[name] * even for name in self.sigma[3::2]}
        self._fix(outer(rule).weight, lambda kernel, _: kernel.coefficients[1] - 1)
        if named:
            a_1, a_2, p = (self.field.symbols[name] for name in NAMES)
            if odd:
                self._fix("sigma_3", lambda kernel, _: kernel.coefficients[2] - a_1)
            else:
                self._fix("sigma_3", lambda kernel, own: own.coefficients[1] - p * kernel.coefficients[2])
            if order > 2:
                self._fix("sigma_5", lambda kernel, _: kernel.coefficients[3] - a_2)
        self.step = self._step()
        learned = {name: self.symbols[to] for name, to in scaled.items()}
        self.tensors = LargeDepth(self.step, self.is_positive, self.field, learned)
        kernel = self.tensors.series_of_kernel
        self.decay: KernelDecay = kernel_decay(kernel)
        a_1, p = self.tensors.a_1, self.tensors.p
        self.symbols |= {"p": p, "a_1": a_1, "b_1": p * a_1}
        if order > 2:
            self.symbols["a_2"] = kernel.coefficients[3]

    def _fix(self, name: str, condition: Callable[[TaylorSeries, TaylorSeries], Element]) -> None:
        """Give a symbol the value at which a condition on K' and on Theta's own coefficient vanishes."""
        kernel, _, own = self._step().susceptibilities
        self.symbols[name] = self.field.root(condition(kernel, own), name)

    def _step(self) -> SingleInputLayer:
        number, order = self.field.number, self.order
        at_zero = [number(0), *(self.symbols[name] for name in self.sigma)]
        base = AtZero(number, dict.fromkeys(open_functions(self.rule), at_zero))
        self.averages = Expanded(base, number(0), order)
        couplings = {name: self.averages.constant(self.symbols[name]) for name, _ in self.rule.hyperparameters}
        return SingleInputLayer(self.rule, self.averages, couplings, self.averages.kernel)

    def is_positive(self, value: Element) -> bool:
        """Whether a function of the derivatives of s is positive wherever it was looked at."""
        names = ("sigma_1", "sigma_2", "sigma_3", "p")
        rest: Mapping[str, Any] = {**dict.fromkeys(self.field.names, Fraction(1, 2)), "a_1": Fraction(-1)}
        points = ({**rest, **dict(zip(names, map(Fraction, signs), strict=True))} for signs in SIGNS)
        return all(self.field.at(value, point) > 0 for point in points)
