"""The ratio r = L/n of depth to width at which two halves of the outputs know most about each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import sympy

from pertheory import html
from pertheory.algebra.polynomial import Polynomial
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.infer.information import ALL, mutual_information, substituted
from pertheory.rulebook.names import shown
from pertheory.rulebook.network import Network, network
from pertheory.rulebook.tensors import any_tensor
from pertheory.rulebook.values import whole
from pertheory.solve.asymptotics import asymptotics
from pertheory.solve.channels import outer
from pertheory.solve.solutions import DEPTH
from pertheory.text import line

#: the orders of the information that are summed up; the last one corrects the optimum
CUBIC, QUARTIC = 3, 4


@dataclass(frozen=True)
class Aspect:
    """The information between two halves of the outputs, on one input at criticality, and where it is largest.

    Attributes:
        network, activation: names.
        outputs: n_L.
        nu: V/(n K^2) = nu r at large depth.
        nu_6: V6/(n^2 K^3) = nu_6 r^2, or None where it is not solved for.
        information: the coefficient of each power of r in the information, in nats; the fourth only with nu_6.
        r: where the information to its third power is largest, 4/((20 + 3 n_L) nu).
        correction: by what fraction of itself the fourth power shifts r, to first order; None without nu_6.
        drift: by what fraction V/(n G^2) itself departs at r from nu r, from V{1} and G{1}; None where these are not
            solved for. The book's r does not count it.
        width: n, or None.

    Equation:
        appendix A of the book, (B.28) for residual networks.
    """

    network: str
    activation: str
    outputs: int
    nu: float
    nu_6: float | None
    information: tuple[tuple[int, float], ...]
    r: float
    correction: float | None
    drift: float | None
    width: int | None = None

    @property
    def depth(self) -> float | None:
        """r n, the best depth for the width."""
        return None if self.width is None else self.r * self.width

    def facts(self) -> list[tuple[str, Any]]:
        """A table of two columns."""
        series = " + ".join(f"{value:.6g} r^{power}" for power, value in self.information).replace("+ -", "- ")
        rows: list[tuple[str, Any]] = [
            ("nu", f"{self.nu:.6g}, V/(n K^2) = nu r with r = L/n"),
            (
                "information",
                f"I = {series} + .., in nats, between halves of {self.outputs} outputs, for V/(n K^2) = nu r",
            ),
            ("r*", f"{self.r:.4g}, 4/((20 + 3 n_L) nu)"),
        ]
        unknown = "not known: what it needs is not solved for at this critical point"
        rows.append(("next order", unknown if self.correction is None else f"shifts r* by {self.correction:+.0%}"))
        drift = unknown if self.drift is None else f"departs from nu r by {self.drift:+.0%} at r*, which r* leaves out"
        rows.append(("V/(n G^2)", drift))
        if self.depth is not None:
            rows.append(("depth", f"{self.depth:.3g} weight layers at width {self.width}"))
        return rows

    def record(self) -> dict[str, Any]:
        """The result as the command line writes it in JSON."""
        found = {
            "schema": "pertheory.aspect/1",
            "network": self.network,
            "activation": self.activation,
            "outputs": self.outputs,
            "nu": self.nu,
            "r": self.r,
            "information": [list(pair) for pair in self.information],
            "nu_6": self.nu_6,
            "correction": self.correction,
            "drift": self.drift,
        }
        return found if self.width is None else {**found, "width": self.width, "depth": self.depth}

    def _repr_html_(self) -> str:
        return html.page(f"depth to width of {self.network}, {self.activation}", html.facts(self.facts()))


def aspect(
    activation: str | Path | Activation | Mapping[str, Any],
    rule: str | Path | Network = "mlp",
    outputs: int = 3,
    width: int | None = None,
    **parameters: Any,
) -> Aspect:
    """The best ratio of depth to width, by the information between two halves of the outputs.

    Args:
        activation: a name, a formula, a file or an `Activation`.
        rule: a network, its name or path.
        outputs: n_L.
        width: n, for a depth.
        parameters: of the activation, and hyperparameters that criticality leaves free, such as gamma; these are at
            the values of the rule otherwise.

    Raises:
        InputError: a hyperparameter that criticality fixes.
        RuleError: the rule is not sound, as those whose neurons are passed on beside a function of them.
        UnsupportedError: it was derived with pairs only, there is no critical point, or V/(n K^2) does not grow in
            proportion to the depth there.

    Example:
        >>> round(aspect("relu").r, 4)
        0.0276
    """
    outputs, width = whole(outputs, "outputs", 1), None if width is None else whole(width, "width", 1)
    chosen = network(rule)
    if chosen.closure != "exact":
        raise UnsupportedError(
            f"{chosen.name} is kept to pairs of neurons, but the information rests on every cumulant of the outputs "
            "being one of pairs; it needs a network whose recursions are exact"
        )
    solved = _Ratios(chosen, activation, parameters)
    nu = solved.growth({"V": 1}, 1)
    if nu is None or not nu.is_positive:
        raise UnsupportedError(f"V/(n K^2) of {chosen.name} does not grow in proportion to the depth at criticality")
    nu_6 = solved.known({"V6": 1}, 2)
    series = {power: _coefficient(power, outputs, nu, nu_6) for power in (2, CUBIC, QUARTIC)}
    two, three, four = series.values()
    assert two is not None
    assert three is not None
    r = -2 * two / (3 * three)
    correction = None if four is None else -4 * four * r / (3 * three)
    # V/(n G^2) to the second power of r: V{1} adds to V, G{1} to the mean
    own, mean = solved.known({"V{1}": 1}, 2), solved.known({"V": 1, "G{1}": 1}, 2)
    drift = None if own is None or mean is None else (own - 2 * mean) * r / nu
    name = activation if isinstance(activation, str) else getattr(activation, "name", str(activation))
    return Aspect(
        chosen.name,
        line(str(name)),
        outputs,
        float(nu),
        None if nu_6 is None else float(nu_6),
        tuple((power, float(value)) for power, value in series.items() if value is not None),
        float(r),
        None if correction is None else float(correction),
        None if drift is None else float(drift),
        width,
    )


def _coefficient(power: int, outputs: int, nu: sympy.Expr, nu_6: sympy.Expr | None) -> sympy.Expr | None:
    """The coefficient of a power of r in the information; None where it needs what is not known."""
    found = substituted(mutual_information(power), ALL, Polynomial({(): outputs}))
    values = {"v": nu, "v_3": nu_6}
    total = sympy.Integer(0)
    for powers, number in found.terms.items():
        term = sympy.Rational(number)
        for name, exponent in powers:
            if values[name] is None:
                return None
            term *= values[name] ** exponent
        total += term
    return total


def _rational(name: str, value: Any) -> sympy.Expr:
    """A hyperparameter as the number that was written."""
    try:
        return sympy.Rational(Fraction(str(value)))
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{name} must be a finite number, not {shown(value)}") from None


class _Ratios:
    """Tensors on one input over powers of K, at large depth."""

    def __init__(self, rule: Network, activation: Any, parameters: Mapping[str, Any]) -> None:
        free = dict(rule.hyperparameters)
        self._given = rule, activation, {name: value for name, value in parameters.items() if name not in free}
        self._hyper = {name: value for name, value in parameters.items() if name in free}
        self._free = {name: _rational(name, value) for name, value in (free | self._hyper).items()}

    def _value(self, tensor: str) -> sympy.Expr:
        rule, activation, parameters = self._given
        found = asymptotics(rule, tensor, activation, **parameters)
        for name in self._hyper:
            if name in found.couplings:
                raise InputError(
                    f"{name} of {rule.name} is fixed by criticality at {found.couplings[name]}; leave it out"
                )
        free = {sympy.Symbol(name): value for name, value in self._free.items()}
        for name in (outer(rule).weight, outer(rule).bias):
            value = found.couplings.get(name, sympy.S.One).subs(free)
            if value < 0:
                raise UnsupportedError(f"{rule.name} has no critical point there: {name} would be {value}")
        known = found.value.subs({sympy.Symbol(name): value for name, value in found.couplings.items()})
        return known.subs(free)

    def growth(self, tensors: Mapping[str, int], power: int) -> sympy.Expr | None:
        """The coefficient of a power of the depth in a product of tensors over powers of K; None if it grows faster."""
        product = sympy.Integer(1)
        for name, exponent in tensors.items():
            product *= (self._value(name) / self._value("K") ** any_tensor(name)[0].pairs) ** exponent
        found = sympy.limit(sympy.cancel(product / DEPTH**power), DEPTH, sympy.oo)
        return found if found.is_finite else None

    def known(self, tensors: Mapping[str, int], power: int) -> sympy.Expr | None:
        """As `growth`; None as well where a tensor is not solved for."""
        try:
            return self.growth(tensors, power)
        except UnsupportedError:
            return None
