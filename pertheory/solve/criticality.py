"""What is known of criticality for one activation in one network: a record, and functions of K on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from pertheory import html
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.rulebook.network import Network
from pertheory.solve.averages import Expanded
from pertheory.solve.channels import outer
from pertheory.solve.critical import at_rest
from pertheory.solve.layer import SingleInputLayer
from pertheory.solve.numbers import Doubles, named_functions
from pertheory.solve.phases import PhaseDiagram, phase_diagram
from pertheory.solve.roots import Range
from pertheory.text import line, shortened

#: how names are written in LaTeX
_LATEX = {"nu": r"\nu", "C_b": "C_b", "C_W": "C_W", "K": r"K^\star"}

Array = NDArray[np.float64]


def plain(value: sympy.Expr) -> Any:
    """A number as a float, anything else as it is.

    Raises:
        UnsupportedError: it is too large or too small for a double.
    """
    if value.free_symbols:
        return value
    found = float(value)
    if not np.isfinite(found) or (found == 0 and value.is_nonzero):
        raise UnsupportedError(f"{value.evalf(4)} leaves the range of doubles; give other parameters")
    return found


class Point(NamedTuple):
    """A critical point: the kernel stands still there, and both susceptibilities are one.

    Attributes:
        C_b, C_W: the variances of the outer bias and weights (of the weights times the width below). Numbers, or
            sympy expressions where parameters stayed symbols.
        K: the kernel, None for a line: every kernel stands still.
        stability: "stable", "unstable", "half-stable, from below" or "from above" (the side from which kernels come
            back), "neutral" for a line.
    """

    C_b: Any
    C_W: Any
    K: Any
    stability: str


class Susceptible(NamedTuple):
    """How layers treat small changes, at many kernels; arrays of the shape that was given.

    Attributes:
        kernel: K' of the layer above.
        chi_parallel, chi_perp: the coefficients of G{1} and of Theta in their own derived recursions.
        h: half the derivative of chi_perp with respect to K.
    """

    kernel: Array
    chi_parallel: Array
    chi_perp: Array
    h: Array


@dataclass(frozen=True, eq=False, repr=False)
class Criticality:
    """The critical points of an activation in a network; see `pertheory.critical`.

    Attributes:
        network: the rule.
        activation: the function.
        universality: "scale-invariant", "K*=0", "half-stable" or "none".
        points: all critical points; the first is the one to use.
        exact: numbers and symbols of the first point by name, as sympy has them. At K* = 0 the coefficients of
            K' = K (1 + a_1 K + a_2 K^2 + ..) and chi_perp = 1 + b_1 K + .., with a_1/2 that of the root of K where the
            activation has a corner at 0; of two slopes A_k = (a_plus^k + a_minus^k)/2; at K* > 0 h and the curvature
            (K' - K)/(K - K*)^2; nu in V/(n K^2) = nu l/n.
        searched: the range of K in which nothing is missed; K* = 0 and lines are found exactly.
        notes: what a reader should know, a line each.
        given: parameters of the rule, and symbols, that were given.
    """

    network: Network
    activation: Activation
    universality: str
    points: tuple[Point, ...]
    exact: Mapping[str, sympy.Expr]
    searched: Range
    notes: tuple[str, ...]
    given: Mapping[str, sympy.Expr]

    @property
    def name(self) -> str:
        """The name of the activation, which may be a long formula, on one line."""
        return shortened(self.activation.name)

    @property
    def remarks(self) -> list[str]:
        """The notes, and that there are several points."""
        several = [f"{len(self.points)} critical points; the first is the one to use"] if len(self.points) > 1 else []
        return [*self.notes, *several]

    @property
    def nu(self) -> Any:
        """The slope of V/(n K^2) = nu l/n at the first point, None where it is not known."""
        return plain(self.exact["nu"]) if "nu" in self.exact else None

    @property
    def coefficients(self) -> dict[str, Any]:
        """The numbers of `exact` that belong to the activation."""
        return {name: plain(value) for name, value in self.exact.items() if name not in _LATEX}

    def sympy(self) -> dict[str, sympy.Expr]:
        """What is known of the first point, by name, exactly where it is known exactly."""
        return dict(self.exact)

    def at(self, kernel: ArrayLike, **couplings: float) -> Susceptible:
        """The susceptibilities at kernels, by default with the couplings of the first point.

        Args:
            kernel: K, positive; a number or an array.
            couplings: hyperparameters of the network, such as ``C_W=1.5``.

        Raises:
            InputError: a kernel that is not positive, or no couplings where there is no critical point.
        """
        kernels = np.asarray(kernel, dtype=float)
        if not (np.isfinite(kernels) & (kernels > 0)).all():
            raise InputError("kernels must be finite and positive")
        flat = [float(value) for value in kernels.ravel()]
        averages = Doubles(named_functions(self.network, self.activation), flat)
        values = at_rest(self.network, averages, self.couplings(**couplings))
        rows = []
        for own in flat:
            series = Expanded(averages, own, 1)
            elements = {name: series.constant(value) for name, value in values.items()}
            found = SingleInputLayer(self.network, series, elements, series.kernel).susceptibilities
            heads = (element.coefficients[0] for element in found)
            rows.append([*heads, found.perpendicular.coefficients[1] / 2])
        columns = np.array(rows, dtype=float).reshape(len(flat), 4).T
        return Susceptible(*(column.reshape(kernels.shape) for column in columns))

    def chi_parallel(self, kernel: ArrayLike, **couplings: float) -> Array:
        """chi_parallel at kernels; see `at`."""
        return self.at(kernel, **couplings).chi_parallel

    def chi_perp(self, kernel: ArrayLike, **couplings: float) -> Array:
        """chi_perp at kernels; see `at`."""
        return self.at(kernel, **couplings).chi_perp

    def h(self, kernel: ArrayLike, **couplings: float) -> Array:
        """h at kernels; see `at`."""
        return self.at(kernel, **couplings).h

    @property
    def numbers(self) -> dict[str, float]:
        """The hyperparameters of the network that were given.

        Raises:
            UnsupportedError: a parameter is a symbol.
        """
        if any(value.free_symbols for value in self.given.values()):
            raise UnsupportedError("numbers are needed for every parameter that is a symbol")
        return {name: float(v) for name, v in self.given.items() if name in dict(self.network.hyperparameters)}

    def couplings(self, **given: float) -> dict[str, float]:
        """Hyperparameters by name: those of the first point, what was given with the question, and these.

        Raises:
            InputError: a hyperparameter that the network does not have, or both variances missing.
            UnsupportedError: some are symbols.
        """
        own, known = outer(self.network), self.numbers
        if self.points:
            known |= {name: value for name, value in zip(own[:2], self.points[0][:2], strict=True) if name}
        elif missing := [name for name in own[:2] if name and name not in given]:
            raise InputError(f"{self.name} has no critical point; give {' and '.join(missing)}")
        return {**known, **given}

    def phase_diagram(self, C_b: Sequence[float], C_W: Sequence[float], start: float = 1.0) -> PhaseDiagram:
        """Where signals go and whether gradients grow, for all pairs of variances.

        Args:
            C_b, C_W: the values on the two axes.
            start: the kernel of the first layer.
        """
        return phase_diagram(self.network, self.activation, C_b, C_W, start, self.numbers)

    def to_json(self) -> dict[str, Any]:
        """The record as plain values; what is symbolic as text."""
        return {
            "schema": "pertheory.critical/1",
            "network": self.network.name,
            "activation": line(self.activation.name),
            "class": self.universality,
            "points": [{name: _json(value) for name, value in point._asdict().items()} for point in self.points],
            "coefficients": {name: _json(value) for name, value in self.coefficients.items()},
            "nu": _json(self.nu),
            "searched": {"K": [self.searched.low, self.searched.high]},
            "parameters": {name: _json(plain(value)) for name, value in self.given.items()},
            "notes": self.remarks,
        }

    def to_latex(self) -> str:
        """What is known of the first point, a formula a line."""
        rows = [rf"{_LATEX.get(name, _indexed(name))} &= {sympy.latex(value)}" for name, value in self.exact.items()]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def rows(self) -> list[tuple[str, str]]:
        """What and value, for people."""
        searched = f"{self.searched.low:g} to {self.searched.high:g}"
        return [
            ("class", self.universality),
            *(("critical point", _shown_point(point)) for point in self.points),
            *((name, _shown(value)) for name, value in self.coefficients.items()),
            *([("V/(n K^2)", f"{_shown(self.nu)} l/n")] if self.nu is not None else []),
            ("searched", f"every K from {searched}, and K = 0"),
            *(("note", note) for note in self.remarks),
        ]

    def __str__(self) -> str:
        return "\n".join([self._title, *(f"  {what:<14} {value}" for what, value in self.rows())])

    def __repr__(self) -> str:
        return f"Criticality({self.name} in {self.network.name}: {self.universality})"

    def _repr_html_(self) -> str:
        columns = ("C_b", "C_W", "K", "stability")
        points = [[_cell(value) for value in point] for point in self.points]
        facts = [(what, value) for what, value in self.rows() if what != "critical point"]
        parts = [html.table(columns, points, "point")] if points else []
        return html.page(self._title, *parts, html.facts(facts)) + html.formula(self.to_latex())

    @property
    def _title(self) -> str:
        return f"{self.name} in {self.network.name}: criticality"


def _shown_point(point: Point) -> str:
    kernel = "any K" if point.K is None else f"K = {_shown(point.K)}"
    return f"C_b = {_shown(point.C_b)}, C_W = {_shown(point.C_W)}, {kernel}: {point.stability}"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value.evalf(10) if value.atoms(sympy.Float) else value)


def _cell(value: Any) -> Any:
    return "any" if value is None else value if isinstance(value, float) else str(value)


def _json(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, float | str) else str(value)


def _indexed(name: str) -> str:
    head, _, index = name.partition("_")
    return f"{head}_{{{index}}}" if index else head
