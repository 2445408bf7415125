"""Two nearly coincident inputs: ``ddK_2' = chi_perp ddK_2 + h dK_1^2``.

Kernels of two inputs are split as in (5.16) to (5.20). Primed symbols are the same split of the kernel one layer up,
which the engine's two-input recursion gives. For a general f(z_+, z_-) there are the names ``f_split``, the left
side of
(5.41), and averages <.. f>, in which d_1 and d_2 are the derivatives with respect to z_+ and z_-. Everything is kept to
second order in the distance, and averages are symbols.
"""

from __future__ import annotations

from typing import Any

from pertheory.algebra.terms import Lines
from pertheory.book import syntax
from pertheory.book.scalar import Element, Setting
from pertheory.book.syntax import Node
from pertheory.errors import InputError
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor
from pertheory.solve.coincident import MINUS, ORDERS, PLUS, NearlyCoincident
from pertheory.solve.layer import KERNEL

#: a derivative of f is one number: so much for each d_1, and one for each d_2
FIRST = 10


class TwoNearInputs(Setting):
    """The names of the split kernels."""

    title = "nearly coincident inputs to second order"
    functions_of_z = frozenset({"f"})

    def __init__(self, rule: Network) -> None:
        self.near = near = NearlyCoincident(rule)
        self.make = near.field.number
        self.values = {name: near.symbols[name] for name, _ in rule.hyperparameters}
        distance = near.symbols["distance"]
        self.values |= {name: near.symbols[name] * distance**order for name, order in ORDERS.items()}

    def symbol(self, name: str) -> Element:
        """Couplings and the parts of the kernel, primed for the layer above."""
        near, plain = self.near, name.removesuffix("'")
        if name == "f_split":
            return near.kept(near.shifted(lambda i, j: near.symbols[f"F{i}{j}"]))
        if plain in ("R_2", "D_2") or (name != plain and plain in ("dK_1", "ddK_2")):
            of = near.above if name != plain else near.gaps
            plus, minus, mixed = of[PLUS, PLUS], of[MINUS, MINUS], of[PLUS, MINUS]
            first, second = plus - minus, plus + minus - 2 * mixed
            return near.kept({"R_2": first, "D_2": second, "dK_1": first / 2, "ddK_2": second / 4}[plain])
        return super().symbol(name)

    def component(self, tensor: Tensor, order: int, node: syntax.Component) -> Element:
        """K at the coincident point, here or one layer up."""
        if tensor.kind != KERNEL or order:
            return super().component(tensor, order, node)
        return self.near.kept(self.near.above[PLUS, PLUS], 0) if node.up else self.near.symbols["K"]

    def derived(self, lines: Lines, label: str) -> Lines:
        """d_1 and d_2 act on f."""
        if len(lines) != 1 or lines[0][0] != "f" or label not in ("1", "2"):
            raise InputError("d_1 and d_2 stand in front of f")
        return (("f", lines[0][1] + (FIRST if label == "1" else 1)),)

    def average(self, lines: Lines) -> Element:
        """Two functions, or f, at the coincident point."""
        found = [order for name, order in lines if name == "f"]
        if not found:
            return self.near.averages.average(self.near.symbols["K"], 0, lines)
        if len(found) > 1 or any(name == "s" for name, _ in lines):
            raise InputError("f stands alone in an average, once")
        return self.near.of_two_variables(len(lines) - 1, *divmod(found[0], FIRST))

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Any:
        """Left minus right to second order."""
        return self.near.kept(super().difference(left, right, remainder))
