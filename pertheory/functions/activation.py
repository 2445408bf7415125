"""Activation functions: from a name, a rule file or a formula to derivatives, kinks and jumps."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from numbers import Rational
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pertheory import html
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.functions.catalogue import aliases, catalogue, find_activation
from pertheory.functions.conversion import Converter
from pertheory.functions.derivatives import Ring
from pertheory.functions.formula import Node, Scalar, constant, depends_on_x, show, to_symengine
from pertheory.functions.kinks import refuse_poles, split
from pertheory.functions.parsing import parse
from pertheory.functions.polynomials import Polynomial, bounded
from pertheory.functions.series import taylor_coefficients
from pertheory.functions.symbols import formula_text, is_symbolic
from pertheory.rulebook.files import check_keys, nearest, other_kind, read_toml
from pertheory.rulebook.names import GRAMMAR, is_name, line, shown
from pertheory.text import listed, shortened

Array: TypeAlias = NDArray[np.float64]
KEYS = ("name", "aliases", "description", "formula", "pieces", "parameters")
#: Derivatives beyond this order are never needed and would only swell.
MAX_ORDER = 40
#: Where all points are this close to 0, derivatives up to this order are Taylor sums of so many terms.
TAYLOR_REACH, TAYLOR_ORDER, TAYLOR_TERMS = 2.0**-7, 8, 18
_NAME = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)


@dataclass(frozen=True)
class Piece:
    """A smooth formula on the interval from `lower` to `upper`."""

    lower: float
    upper: float
    node: Node

    @property
    def text(self) -> str:
        """The formula as text."""
        return show(self.node)

    def __repr__(self) -> str:
        return f"Piece({shortened(self.text, 150)} from {self.lower:g} to {self.upper:g})"


@dataclass(frozen=True)
class Activation:
    """An activation function s: smooth pieces from minus to plus infinity, meeting at kinks.

    Attributes:
        name: the name in its rule file, or the formula.
        pieces: from left to right, without gaps.
        parameters: ``(name, value)`` pairs, sorted by name; decimals are exact fractions.

    Example:
        >>> activation("relu").kinks, activation("relu").jump(1, 0.0)
        ((0.0,), 1.0)
        >>> float(activation("tanh").derivative(1)(0.0))
        1.0
    """

    name: str
    pieces: tuple[Piece, ...]
    parameters: tuple[tuple[str, Scalar], ...] = ()

    @cached_property
    def _parts(self) -> list[tuple[Ring, list[Polynomial]]]:
        """Per piece, the ring and the derivatives found so far (a cache of pure functions)."""
        values = dict(self.parameters)
        parts = []
        for piece in self.pieces:
            ring = Ring()
            parts.append((ring, [Converter(ring, values).convert(piece.node)]))
        return parts

    def polynomials(self, part: int, order: int) -> tuple[Ring, list[Polynomial]]:
        """Return the ring of a piece, and the derivatives up to an order as polynomials of it."""
        return self._parts[part][0], self._polynomials(part, order)[: order + 1]

    def _polynomials(self, part: int, order: int) -> list[Polynomial]:
        if not 0 <= order <= MAX_ORDER:
            raise UnsupportedError(f"derivative of order {order} of {self.name}: orders 0 to {MAX_ORDER} exist")
        ring, known = self._parts[part]
        while len(known) <= order:
            known.append(ring.derivative(known[-1]))
        return known

    def description(self) -> dict[str, Any]:
        """The facts about it as plain values."""
        return {
            "name": self.name,
            "pieces": [f"{piece.text} from {piece.lower:g} to {piece.upper:g}" for piece in self.pieces],
            "parameters": {key: float(value) for key, value in self.parameters},
            "kinks": list(self.kinks),
            "jumps at kinks": "none" if self.jump_order is None else f"derivative {self.jump_order}",
        }

    def __repr__(self) -> str:
        parameters = listed((f"{key}={float(value):g}" for key, value in self.parameters), 60)
        pieces = shortened("; ".join(piece.text for piece in self.pieces), 100)
        kinks = f", kinks at {listed((f'{kink:g}' for kink in self.kinks), 40)}" if self.kinks else ""
        formula = "" if pieces == self.name else f": {pieces}"
        return f"Activation({shortened(self.name, 60)}{formula}{kinks}{f', {parameters}' if self.parameters else ''})"

    def _repr_html_(self) -> str:
        own = self.description()
        parameters = ", ".join(f"{key} = {value:g}" for key, value in own["parameters"].items())
        rows = [("pieces", own["pieces"]), ("parameters", parameters), ("kinks", own["kinks"])]
        return html.page(f"{self.name}: activation", html.facts([*rows, ("jumps at kinks", own["jumps at kinks"])]))

    @property
    def kinks(self) -> tuple[float, ...]:
        """Positions where two pieces meet."""
        return tuple(piece.upper for piece in self.pieces[:-1])

    @property
    def is_smooth(self) -> bool:
        """Whether there is a single piece."""
        return len(self.pieces) == 1

    @property
    def coefficients(self) -> tuple[float, ...] | None:
        """Coefficients of 1, x, x^2, ... of a polynomial activation, None for any other."""
        return self.piece_coefficients(0) if self.is_smooth else None

    def piece_coefficients(self, part: int) -> tuple[float, ...] | None:
        """Coefficients of 1, x, x^2, ... of one piece where it is a polynomial."""
        polynomial = self._parts[part][0].expanded(self._polynomials(part, 0)[0])
        powers = {sum(e for _, e in monomial): float(value) for monomial, value in polynomial.items()}
        if any(variable for monomial in polynomial for variable, _ in monomial):
            return None
        return tuple(powers.get(power, 0.0) for power in range(max(powers, default=0) + 1))

    @cached_property
    def _near_zero(self) -> Array | None:
        """Taylor coefficients at 0 of every order up to `TAYLOR_ORDER`, a row each; None where they fall too slowly.

        Close to 0 the terms of a derivative may cancel (sigmoid'' is a difference of two logistic functions), and
        networks with small kernels live there alone.
        """
        if not self.is_smooth or self.coefficients is not None:
            return None
        ring, known = self._parts[0]
        with np.errstate(all="ignore"):
            row = taylor_coefficients(ring, known[0], TAYLOR_ORDER + TAYLOR_TERMS)
            rows = []
            for _ in range(TAYLOR_ORDER + 1):
                sizes = np.abs(row[:TAYLOR_TERMS]) * TAYLOR_REACH ** np.arange(TAYLOR_TERMS)
                if not np.isfinite(sizes).all() or not sizes[-4:].max() <= 1e-18 * sizes.max():
                    return None
                rows.append(row[:TAYLOR_TERMS])
                row = row[1:] * np.arange(1, len(row))
        return np.array(rows)

    def tabulate(self, x: Array, orders: Iterable[int], absolute: bool = False) -> dict[int, Array]:
        """Evaluate several derivatives at the same points, sharing the work.

        Args:
            x: points, any shape.
            orders: derivative orders; 0 is the function itself.
            absolute: return what rounding does to the values, in units of rounding: no less than their sizes.

        Returns:
            Arrays of the shape of x by order. At a kink the left piece holds; deltas are not included.
        """
        wanted = sorted(set(orders))
        near = self._near_zero if not wanted or wanted[-1] <= TAYLOR_ORDER else None
        if near is not None and np.abs(x).max(initial=0.0) <= TAYLOR_REACH:
            if absolute:
                near, x = np.abs(near), np.abs(x)
            return {order: np.polynomial.polynomial.polyval(x, near[order]) for order in wanted}
        if self.is_smooth:
            return dict(zip(wanted, self._piece_values(0, x, wanted, absolute), strict=True))
        where = np.searchsorted(self.kinks, x, side="left")
        tables = {order: np.empty_like(x) for order in wanted}
        for part in range(len(self.pieces)):
            inside = where == part
            for order, values in zip(wanted, self._piece_values(part, x[inside], wanted, absolute), strict=True):
                tables[order][inside] = values
        return tables

    def _piece_values(self, part: int, x: Array, orders: list[int], absolute: bool = False) -> list[Array]:
        polynomials = self._polynomials(part, max(orders, default=0))
        ring, wanted = self._parts[part][0], [polynomials[order] for order in orders]
        return ring.rounding(wanted, x) if absolute else ring.evaluate(wanted, x)

    def derivative(self, order: int) -> Callable[[ArrayLike], Array]:
        """Return the derivative as a vectorised function (the smooth part: no deltas at kinks).

        Raises:
            UnsupportedError: the order is negative or above `MAX_ORDER`.
        """
        self._polynomials(0, order)

        def evaluate(x: ArrayLike) -> Array:
            points = np.asarray(x, dtype=float)
            return self.tabulate(np.atleast_1d(points), [order])[order].reshape(points.shape)

        return evaluate

    @lru_cache(maxsize=4096)  # noqa: B019 - activations are few and frozen
    def side_values(self, order: int, position: float) -> tuple[float, float]:
        """Return the limits of a derivative from the left and from the right of a position."""
        x = np.array([position])
        left = int(np.searchsorted(self.kinks, position, side="left"))
        right = int(np.searchsorted(self.kinks, position, side="right"))
        return (
            float(self._piece_values(left, x, [order])[0][0]),
            float(self._piece_values(right, x, [order])[0][0]),
        )

    def jump(self, order: int, position: float) -> float:
        """Return the jump of a derivative, right limit minus left limit.

        Rounding is removed: a difference below 1e-13 of the limits is zero.
        """
        left, right = self.side_values(order, position)
        return 0.0 if abs(right - left) <= 1e-13 * max(abs(left), abs(right)) else right - left

    @cached_property
    def jump_order(self) -> int | None:
        """Lowest order at which a derivative jumps at a kink; None for a smooth function.

        0 is a step, 1 a corner as of ReLU.
        """
        for order in range(MAX_ORDER if self.kinks else 0):
            try:
                if any(self.jump(order, position) for position in self.kinks):
                    return order
            except InputError:  # a derivative beyond doubles: all jumps below are next to nothing
                return None
        return None

    def symbolic(self) -> tuple[tuple[float, float, Any], ...]:
        """Return ``(lower, upper, symengine expression)`` of every piece."""
        values = dict(self.parameters)
        return tuple((piece.lower, piece.upper, to_symengine(piece.node, values)) for piece in self.pieces)


#: An activation as people give one; see `activation`. The last is a sympy expression.
AnyActivation: TypeAlias = str | Path | Activation | Any


def _scalar(name: str, value: object, given: str) -> Scalar:
    try:
        if isinstance(value, Rational) and not isinstance(value, bool):
            return bounded(Fraction(int(value.numerator), int(value.denominator)))
        if isinstance(value, (float, np.floating)) and math.isfinite(value):
            # the decimal that was written, 0.01 and not its nearest binary fraction
            return Fraction(repr(float(value)))
        said = repr(value)[:40] if isinstance(value, (bool, float, str)) else type(value).__name__
    except InputError:
        said = "a number beyond 1e308"
    raise InputError(f"parameter {name!r} of {line(given)[:60]}: {said} is not a finite number")


def _build(
    name: str,
    parts: list[tuple[float, float, Node]],
    values: Mapping[str, Scalar],
) -> Activation:
    pieces: list[Piece] = []
    for lower, upper, node in parts:
        for low, high, part in split(node, values, lower, upper):
            refuse_poles(part, values, low, high)
            pieces.append(Piece(low, high, part))
    function = Activation(name, tuple(pieces), tuple(sorted(values.items())))
    converted = [ring.expanded(known[0]) for ring, known in function._parts]
    merged: list[Piece] = []
    for index, piece in enumerate(pieces):
        # |x|^2 has no kink: equal polynomials join (rings differ, so pieces with generators are left apart)
        plain = all(v == 0 for poly in converted[max(index - 1, 0) : index + 1] for m in poly for v, _ in m)
        if index and plain and converted[index - 1] == converted[index]:
            merged[-1] = Piece(merged[-1].lower, piece.upper, piece.node)
        else:
            merged.append(piece)
    return Activation(name, tuple(merged), function.parameters)


def _file_pieces(path: Path, table: Mapping[str, Any], values: Mapping[str, Scalar]) -> list[tuple[float, float, Node]]:
    def formula(text: object, where: str) -> Node:
        if not isinstance(text, str):
            raise RuleError(f'{path}: {where} must be text such as "x*tanh(x)", not {text!r}')
        try:
            return parse(text, values)
        except InputError as error:
            raise RuleError(f"{path}: {where}: {error}") from None

    if ("formula" in table) == ("pieces" in table):
        raise RuleError(f"{path}: give either the key 'formula' or tables [[pieces]]")
    if "formula" in table:
        return [(-math.inf, math.inf, formula(table["formula"], "formula"))]
    rows = table["pieces"]
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise RuleError(f"{path}: 'pieces' must be tables [[pieces]] with from, to and formula")
    parts: list[tuple[float, float, Node]] = []
    previous = -math.inf
    for number, row in enumerate(rows, start=1):
        where = f"piece {number}"
        check_keys(row, ("from", "to", "formula"), path, where)
        for key in ("from", "to", "formula"):
            if key not in row:
                raise RuleError(f"{path}: {where} lacks the key {key!r}")
        ends = []
        for key in ("from", "to"):
            end = row[key]
            if isinstance(end, str):
                node = formula(end, f"{where}, {key!r}")
                end = math.nan if depends_on_x(node) else float(constant(node, values))
            try:
                ends.append(math.nan if isinstance(end, (bool, str)) else float(end))
            except (TypeError, OverflowError):
                ends.append(math.nan)
            if math.isnan(ends[-1]):
                raise RuleError(f"{path}: {where}: {key!r} must be a number, inf or a formula of parameters")
        if ends[0] != previous or not ends[0] < ends[1]:
            raise RuleError(f"{path}: {where} goes from {ends[0]} to {ends[1]}; expected from {previous} upwards")
        previous = ends[1]
        parts.append((ends[0], ends[1], formula(row["formula"], f"{where}, 'formula'")))
    if previous != math.inf:
        raise RuleError(f"{path}: the last piece ends at {previous}; it must end at inf")
    return parts


def _from_file(path: Path, given: Mapping[str, object]) -> Activation:
    table = read_toml(path)
    check_keys(table, KEYS, path)
    name = table.get("name")
    if not is_name(name):
        what = f"has {shown(name)}, which is not a name ({GRAMMAR})" if name else "is missing"
        raise RuleError(f"{path}: the key 'name' {what}")
    aliases(path, table)
    defaults = table.get("parameters", {})
    if not isinstance(defaults, dict):
        raise RuleError(f"{path}: 'parameters' must be a table [parameters] of numbers")
    for key in defaults:
        if not is_name(key):
            raise RuleError(f"{path}: parameters: {shown(key)} is not a name ({GRAMMAR})")
    try:
        values = {key: _scalar(key, value, name) for key, value in defaults.items()}
    except InputError as error:
        raise RuleError(f"{path}: {error}") from None
    for key in given:
        if key not in values:
            raise InputError(f"{name} has no parameter {key!r} ({nearest(key, values)})")
    values |= {key: _scalar(key, value, name) for key, value in given.items()}
    try:
        return _build(name, _file_pieces(path, table, values), values)
    except InputError as error:
        if given:  # the file is right with its own defaults; what was given is not
            raise InputError(f"{name}: {error}") from None
        raise RuleError(f"{path}: {error}") from None


@lru_cache(maxsize=256)
def _resolve(text: str, parameters: tuple[tuple[str, Any], ...]) -> Activation:
    given = dict(parameters)
    if text.endswith(".toml"):
        return _from_file(Path(text), given)
    found = find_activation(text)
    if found is not None:
        return _from_file(found.path, dict(found.values) | given)
    values = {name: _scalar(name, value, text) for name, value in given.items()}
    if _NAME.fullmatch(text) and text not in ("x", "pi") and text not in values:
        hint = other_kind(text, "activation") or nearest(text.lower(), catalogue())
        raise InputError(f"unknown activation {text[:40]!r} ({hint}); or give a formula of x such as 'x*tanh(x)'")
    node = parse(text, values)
    for name in values:
        if name not in node.names or name in ("x", "pi"):
            raise InputError(f"formula {shown(text)} has no parameter {shown(name)}")
    return _build(" ".join(text.split()), [(-math.inf, math.inf, node)], values)


def activation(name: AnyActivation, **parameters: float | Fraction) -> Activation:
    """Return an activation function.

    Args:
        name: a name or alias of the rule files (``gelu``), a name of another program with its prefix and its
            defaults (``torch.nn.PReLU``), the path of a rule file (ending in ``.toml``), a formula of x such as
            ``"x*tanh(beta*x)"``, or a sympy expression in x, or in any one symbol. An `Activation` stays as it is.
        parameters: values for the parameters of the rule file, or of all parameters of the formula.

    Raises:
        InputError: unknown name, wrong formula or parameter.
        RuleError: the rule file is wrong.

    Example:
        >>> activation("leaky_relu", slope=0.2).pieces[0].text
        'slope*x'
        >>> activation("max(0, x)^2").jump_order
        2
    """
    if isinstance(name, Activation):
        if parameters:
            raise InputError(f"{name.name}: its parameters are fixed; give its name or formula with new ones")
        return name
    if is_symbolic(name):
        name = formula_text(name, parameters)
    if not isinstance(name, (str, Path)):
        raise InputError(
            f"an activation is a name, a formula, a sympy expression or a .toml file, not {type(name).__name__}"
        )
    text = str(name).strip()
    return _resolve(text, tuple(sorted((key, _scalar(key, value, text)) for key, value in parameters.items())))
