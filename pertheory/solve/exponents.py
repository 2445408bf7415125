"""How all tensors of a network grow with depth at criticality, in one table; and down to which depth that is small."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple

import sympy

from pertheory import html
from pertheory.errors import DivergentAverageError, InputError
from pertheory.progress import progress
from pertheory.rulebook.names import shown
from pertheory.rulebook.network import Network, network
from pertheory.rulebook.tensors import AnyTensor, any_tensor
from pertheory.solve.channels import rates
from pertheory.solve.classes import in_class
from pertheory.solve.large_depth import name_of
from pertheory.solve.solutions import DEPTH, InClass, Solution
from pertheory.typeset.write import APPROXIMATION
from pertheory.worker import Node

#: the tensors of a table: the book's, then what comes next in 1/n
TABLE = ("K", "Theta", "V", "A", "B", "D", "F", "P", "Q", "R", "S", "T", "U", "G{1}", "H{1}", "V6", "V{1}", "G{2}")
#: the deepest network that is looked at
DEEPEST = 10**12


class Row(NamedTuple):
    """A tensor in a table.

    Attributes:
        tensor: its name.
        kernels: the power of K that it is compared with, 2 for V.
        tangents: that of Theta, 0 for V.
        cost: the power of 1/n that it comes with.
        leading: the leading power of the layer l; None where the tensor has no finite value.
        power: its exponent.
        ratio: the leading power over that of K^kernels Theta^tangents.
        last: the tensor at the last layer L where learning rates are scaled with depth (`pertheory.scaling`).
        note: why there is no value.
    """

    tensor: str
    kernels: int
    tangents: int
    cost: int
    leading: sympy.Expr | None = None
    power: sympy.Expr | None = None
    ratio: sympy.Expr | None = None
    last: sympy.Expr | None = None
    note: str = ""

    @property
    def unit(self) -> str:
        """What it is compared with, as text."""
        powers = (("K", self.kernels), ("Theta", self.tangents))
        return " ".join(name if power == 1 else f"{name}^{power}" for name, power in powers if power) or "1"

    def over_unit(self, solved: Mapping[str, Solution], part: str) -> sympy.Expr:
        """A part of a solution, "leading" or "series", over that of its unit."""
        value = getattr(solved[self.tensor], part)
        for other, power in (("K", self.kernels), ("Theta", self.tangents)):
            if power:
                value = value / getattr(solved[other], part) ** power
        return value


class Trust(NamedTuple):
    """Where the expansion in 1/n ends.

    Attributes:
        depth: the deepest layer at which all corrections are below the bound.
        tensor: the tensor that reaches it first.
        limits: the same for each tensor that grows.
    """

    depth: int
    tensor: str
    limits: dict[str, int]


class DepthTable:
    """Tensors of a network with depth, as `exponents` returns them.

    Attributes:
        network: the name of the rule.
        universality: the class.
        couplings: what criticality fixes, as in `Asymptotics`.
        coefficients: of the expansion, or of the half-stable point, as there.
        exponents: p_0, p_parallel and p_perp: K falls as l^-p_0, a difference of sizes of two inputs as l^-p_parallel,
            one of directions as l^-p_perp.
        nodes: the tensors, by name.
        rows: what is known of each.
    """

    def __init__(
        self,
        rule: Network,
        own: InClass,
        nodes: Mapping[str, Node],
        rows: Mapping[str, Row],
        solved: Mapping[str, Solution],
    ) -> None:
        self.network, self.universality = rule.name, own.name
        self.couplings, self.coefficients, self.exponents = own.couplings, own.coefficients, own.exponents
        self.nodes, self.rows, self._solved = dict(nodes), dict(rows), dict(solved)
        self._usual = {
            sympy.Symbol(name): sympy.Rational(str(value))
            for own_name, value in rule.hyperparameters
            for name in (own_name, rates(rule).get(own_name, own_name))
        }

    def __getitem__(self, tensor: str) -> Row:
        """The row of a tensor."""
        if tensor not in self.rows:
            raise InputError(f"{tensor} is not in this table; it has {', '.join(self.rows)}")
        return self.rows[tensor]

    @property
    def nu(self) -> sympy.Expr:
        """V/(n K^2) = nu l/n."""
        ratio = self["V"].ratio
        return sympy.factor(ratio / DEPTH) if ratio is not None else sympy.nan

    def trust(self, width: float, bound: float = 1.0, **values: float) -> Trust:
        """Down to which depth a network of a width may be trusted to be described by the first orders in 1/n.

        Every tensor over its unit comes with a power of 1/n, as V/(n K^2), and is to stay below the bound. Where the
        kernel stands still all layers are exact, where it decays leading powers are compared.

        Args:
            width: n.
            bound: what a ratio may reach.
            values: of what is free in the ratios, such as ``lambda_b``, ``K`` or ``gamma``; hyperparameters that are
                left out have the values of the rule (learning rates that are scaled begin with them), K is 1.

        Raises:
            InputError: a value is missing, or none of the ratios grows.
        """
        for name, value in (("width", width), ("bound", bound)):
            if not _number(name, value) > 0:
                raise InputError(f"width and bound must be positive numbers, not {shown(width)} and {shown(bound)}")
        given = {sympy.Symbol(name): _number(name, value) for name, value in values.items()}
        point = {sympy.Symbol("K"): sympy.S.One, **self._usual, **given}
        limits = {}
        for name, row in self.rows.items():
            if row.ratio is None or name in ("K", "Theta") or not row.ratio.has(DEPTH):
                continue
            size = self._size(name, row, point)
            if (limit := _deepest(size, bound * width**row.cost)) is not None:
                limits[name] = limit
        if not limits:
            raise InputError("none of the tensors of this table grows with depth")
        first = min(limits, key=limits.__getitem__)
        return Trust(limits[first], first, limits)

    def _size(self, name: str, row: Row, point: Mapping[sympy.Symbol, Any]) -> Callable[[int], float]:
        """The absolute value of a tensor over its unit, by the layer."""
        exact = self._solved[name].left_out is None
        ratio = row.over_unit(self._solved, "series") if exact else row.ratio
        assert ratio is not None, "rows without a value are left out"
        found = ratio.subs(point)
        if missing := sorted(map(str, found.free_symbols - {DEPTH})):
            raise InputError(f"{name} needs a value for {', '.join(missing)}")
        return lambda layer: abs(float(found.subs(DEPTH, layer)))

    def _cells(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("tensor", "leading power", "over", "ratio", "at layer L, rates scaled")]
        for name, row in self.rows.items():
            if row.leading is None:
                rows.append((name, row.note, row.unit, "", ""))
            else:
                rows.append((name, _short(row.leading), row.unit, _short(row.ratio), _short(row.last)))
        return rows

    @property
    def _facts(self) -> list[tuple[str, str]]:
        known = {**self.exponents, **self.couplings, **self.coefficients}
        return [(name, _short(value)) for name, value in known.items()]

    def __str__(self) -> str:
        cells = [(name, unit, ratio, leading) for name, leading, unit, ratio, _ in self._cells()]
        widths = [min(max(len(row[column]) for row in cells), 50) for column in range(3)]
        table = ["  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]]) for row in cells]
        head = ", ".join(f"{name} = {value}" for name, value in self._facts)
        return "\n".join([f"{self.network}, {self.universality}: {head}", *table])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *rows = self._cells()
        facts = html.facts(self._facts)
        return html.page(f"{self.network}, {self.universality}", facts, html.table(head, rows, "tensor", len(rows)))


def _number(name: str, value: Any) -> sympy.Expr:
    """A number that somebody gave; text is none, and never read as a formula."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise InputError(f"{name} must be a finite number, not {shown(value)}")
    return sympy.Float(float(value))


def _short(value: sympy.Expr | None) -> str:
    """Few digits of numbers."""
    return str(value.xreplace({own: own.n(6) for own in value.atoms(sympy.Float)})) if value is not None else ""


def exponents(rule: Any, activation: Any, tensors: Iterable[AnyTensor] = TABLE, **parameters: Any) -> DepthTable:
    """How tensors of a network on one input grow with depth at criticality: the book's table, and further rows.

    Args:
        rule: a network, its name or path.
        activation: as in `asymptotics`, or a class.
        tensors: the rows; those of the book and the next orders in 1/n if left out. K and Theta always stand first.
        parameters: of the activation.

    Raises:
        UnsupportedError: there is no critical point, or a recursion cannot be solved there.

    Example:
        >>> table = exponents("mlp", "tanh", ["V", "V6"])
        >>> table["V6"].ratio, table.nu, table.exponents["p_perp"]
        (16*l**2/15, 2/3, 1)
    """
    chosen = network(rule)
    if chosen.closure != "exact":
        warnings.warn(f"{chosen.name}: {APPROXIMATION}", stacklevel=2)
    last = len(chosen.sublayers) - 1
    nodes = {}
    for tensor in ("K", "Theta", *([tensors] if isinstance(tensors, str) else tensors)):
        kind, order = any_tensor(tensor)
        if chosen.is_trained or not kind.kind.edges:
            node = Node(last, kind.kind, order or 0)
            nodes[name_of(node)] = node
    solved: dict[str, Solution] = {}
    rows: dict[str, Row] = {}
    with progress(f"solving {chosen.name} in depth"):
        own = in_class(chosen, activation, parameters)
        for name, node in nodes.items():
            pairs, edges = len(node.kind.pairs), len(node.kind.edges)
            row = Row(name, pairs - edges, edges, pairs - 1 + node.order)
            try:
                solved[name] = found = own.solution(node)
            except DivergentAverageError as error:
                rows[name] = row._replace(note=str(error))
                continue
            ratio = sympy.powsimp(sympy.factor(row.over_unit(solved, "leading")))
            last = own.at_last(found.leading, edges)
            rows[name] = row._replace(leading=found.leading, power=found.power, ratio=ratio, last=last)
    return DepthTable(chosen, own, nodes, rows, solved)


def _deepest(size: Callable[[int], float], most: float) -> int | None:
    """The last layer at which a size that grows in the end is below a bound; None if that is beyond all networks."""
    high = 1
    while size(high) <= most:
        high *= 2
        if high > DEEPEST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= most else (low, middle)
    return low
