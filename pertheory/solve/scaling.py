"""How variances and learning rates of every group of parameters go with depth and width.

Depth: the equivalence principle. A learning rate lambda that enters Theta' with K^m adds, at layer l, lambda K^m to
Theta, of which prod chi_perp = (l/L)^p is left at the last layer L. With lambda = tilde l^(m-p) L^(p-1) every layer
adds the same and Theta does not grow with L; where the kernel stands still that is tilde/L.

Width: one family from the neural tangent kernel (s = 0) to maximal updates (s = 1), S. Yaida, arXiv 2210.04909. The
parameters of the last step have variances n^-s times those of the others, so that outputs are of order n^(-s/2), and
the rates of all below it are n^s times theirs, so that every group still adds to Theta what does not depend on n. What
each tensor of the last layer becomes is read off the derived recursion, every term of which has to scale alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import sympy

from pertheory import html
from pertheory.errors import UnsupportedError
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network, network
from pertheory.rulebook.tensors import AnyTensor
from pertheory.solve.channels import rates
from pertheory.solve.classes import in_class
from pertheory.solve.exponents import TABLE, DepthTable, exponents
from pertheory.solve.layer import NTK, derived_terms
from pertheory.solve.solutions import DEPTH, LAST
from pertheory.worker import Node

WIDTH, FAMILY = sympy.Symbol("n"), sympy.Symbol("s")


class Group(NamedTuple):
    """A group of parameters; weights have variances and rates over the width below, as in the rule.

    Attributes:
        parameter: its name in the rule.
        rate: the hyperparameter of its learning rate.
        tilde: what scales that.
        value: what that is at layer l of L.
        adds: what the group adds to Theta at the last layer.
        hidden, output: the powers of n of variance and rate of one parameter below and in the last step.
    """

    parameter: str
    rate: str
    tilde: str
    value: sympy.Expr
    adds: sympy.Expr
    hidden: tuple[sympy.Expr, sympy.Expr]
    output: tuple[sympy.Expr, sympy.Expr] | None


class Scaling:
    """Variances and learning rates of a network, as `scaling` returns them.

    Attributes:
        groups: by the name of the parameter.
        table: the tensors with depth.
        widths: for each tensor the power of n of its cumulant at the last layer: V/n is of order n^(-1-2s).
    """

    def __init__(self, groups: dict[str, Group], table: DepthTable, widths: dict[str, sympy.Expr]) -> None:
        self.groups, self.table, self.widths = groups, table, widths

    def strength(self, tensor: str) -> sympy.Expr:
        """How much a tensor matters at the last layer: over Theta^e and, in the place of kernels, outputs of order one.

        Outputs are trained to be of order one and not n^(-s/2), so that R, S, T and U, which move the tangent kernel in
        training, come with a number times L/n^(1-s): with s = 0 features stand still as n grows, with s = 1 they do
        not. The unit of outputs is the root of n^s K.

        Raises:
            UnsupportedError: the tensor has no finite value.
        """
        row = self.table[tensor]
        if row.ratio is None:
            raise UnsupportedError(f"{tensor} has no finite value: {row.note}")
        tilde = {sympy.Symbol(own.rate): sympy.Symbol(own.tilde) for own in self.groups.values()}
        return sympy.factor(row.ratio.subs({DEPTH: LAST, **tilde})) * WIDTH ** self.widths[tensor]

    def _cells(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [
            ("parameter", "learning rate", "adds to Theta", "below: variance, rate", "last step: variance, rate")
        ]
        for name, own in self.groups.items():
            below, last = (
                ", ".join(f"n^({p})" for p in powers) if powers else "" for powers in (own.hidden, own.output)
            )
            rows.append((name, f"{own.rate} = {own.value}", str(own.adds), below, last))
        return rows

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *rows = self._cells()
        tensors = [(name, f"n^({power})") for name, power in self.widths.items()]
        title = f"{self.table.network}, {self.table.universality}: scaling with depth and width"
        return html.page(
            title, html.table(head, rows, "parameter"), html.table(("tensor", "with n"), tensors, "tensor")
        )


def scaling(rule: Any, activation: Any, tensors: Iterable[AnyTensor] = TABLE, **parameters: Any) -> Scaling:
    """The learning rates that the equivalence principle asks for, and the family in s of scalings with width.

    Args:
        rule: a network, its name or path.
        activation: as in `asymptotics`, or a class.
        tensors: whose scaling is wanted.
        parameters: of the activation.

    Returns:
        Groups of parameters and tensors; ``n`` is the width, ``l`` the layer, ``L`` the last one.

    Raises:
        UnsupportedError: there is no critical point, nothing is trained, or the terms of a recursion scale differently.

    Example:
        >>> found = scaling("mlp", "tanh", ["R", "S"])
        >>> found.groups["b"].value, found.groups["W"].value
        (tilde_b/l, tilde_W)
        >>> found.strength("S")
        L*n**(s - 1)*tilde_W/(12*(tilde_W + 2*tilde_b))
    """
    chosen = network(rule)
    if not chosen.is_trained:
        raise UnsupportedError(f"nothing is trained in {chosen.name}")
    table = exponents(chosen, activation, tensors, **parameters)
    own, theta, tilde = in_class(chosen, activation, parameters), sympy.expand(table["Theta"].last), rates(chosen)
    last = {channel.parameter for _, channels in chosen.sublayers[-1].fields for channel in channels}
    groups = {}
    for parameter in chosen.parameters:
        name = next((n for n, _ in parameter.learning_rate.powers if n in tilde), "") if parameter.learning_rate else ""
        if name:
            per = -int(parameter.kind == "weight")
            step = (per - FAMILY, sympy.Integer(per)) if parameter.name in last else None
            adds = sympy.factor(theta.coeff(sympy.Symbol(tilde[name])) * sympy.Symbol(tilde[name]))
            below = (sympy.Integer(per), per + FAMILY)
            groups[parameter.name] = Group(parameter.name, name, tilde[name], own.rate(name), adds, below, step)
    weigh, kinds = _Weights(chosen), {name: (row.kind, row.order) for name, row in table.nodes.items()}
    if weigh(NTK, 0):
        raise UnsupportedError(f"Theta of {chosen.name} depends on the width whatever the learning rates are")
    widths = {name: weigh(*kind) * FAMILY - table[name].cost for name, kind in kinds.items()}
    return Scaling(groups, table, widths)


class _Weights:
    """The powers of n^s of the tensors of the last layer, from the derived recursion of the last step."""

    def __init__(self, rule: Network) -> None:
        self.rule, self.last = rule, len(rule.sublayers) - 1
        channels = [channel for _, own in rule.sublayers[-1].fields for channel in own]
        held = [rule.parameter(channel.parameter) for channel in channels if channel.parameter]
        strong = [(parameter.variance.powers, Fraction(-1)) for parameter in held]
        strong += [(channel.factor.powers, Fraction(-1, 2)) for channel in channels if channel.kind == "identity"]
        self.of = {powers[0][0]: weight / powers[0][1] for powers, weight in strong if len(powers) == 1}
        for parameter in held:  # the rate of a parameter is kept, whatever strengths it is written with
            powers = dict(parameter.learning_rate.powers) if parameter.learning_rate is not None else {}
            written = sum((self.of.get(name, Fraction(0)) * power for name, power in powers.items()), Fraction(0))
            self.of |= {name: -written for name in powers if name in rates(rule)}

    def __call__(self, kind: TensorType, order: int) -> Fraction:
        """The power of one tensor; tensors below have one for each edge.

        Raises:
            UnsupportedError: terms of its recursion scale differently.
        """
        found = {
            sum((self.of.get(name, Fraction(0)) * power for name, power in term.couplings), Fraction(0))
            + sum(len(part.kind.edges) for part in term.tensors)
            for term in derived_terms(self.rule, self.last, kind, order)
        }
        if len(found) > 1:
            raise UnsupportedError(f"terms of {Node(self.last, kind, order).key} of {self.rule.name} scale differently")
        return found.pop() if found else Fraction(0)
