"""Averages over a set of distinct inputs as nodes: what each is made of, each made once."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import product as cartesian
from typing import NamedTuple, TypeAlias

from pertheory.algebra.terms import Line, Lines
from pertheory.averages.atoms import IDENTITY
from pertheory.averages.plan import (
    CARRIER,
    MOMENT,
    ORTHANT,
    POWER,
    SHARED,
    STEIN,
    STEP,
    SUM,
    Column,
    Entry,
    InputSet,
    LeafGroup,
    NodeTerm,
    SetNode,
)
from pertheory.averages.reduce import (
    Distribution,
    Undefined,
    derivative,
    distribution,
    reduce_terms,
    show,
    sides,
    singular_lines,
)
from pertheory.functions.activation import Activation


class Delta(NamedTuple):
    """A derivative of a delta at a position."""

    position: float
    order: int


#: Polynomials of more terms than this are taken as such only if nothing cancels in them on one side of zero.
LONGEST = 9
#: What stands at one slot: an ordinary product or a delta.
Part: TypeAlias = Lines | Delta
#: For every slot the power of z, and 1 where a step at zero stands.
Powers: TypeAlias = tuple[tuple[int, int], ...]
Parts: TypeAlias = tuple[Part, ...]
#: ``(coefficient, product of every slot)`` of an entry.
Atoms: TypeAlias = Sequence[tuple[int, tuple[Lines, ...]]]


class SetBuilder(ABC):
    """Collects the nodes of a set.

    Args:
        size: number of distinct inputs.
        functions: by name.
        lines: numbers of lines; more are entered.
    """

    def __init__(self, size: int, functions: Mapping[str, Activation], lines: dict[Line, int]) -> None:
        self.size, self.functions, self._lines = size, functions, lines
        self._columns: dict[Lines, int] = {}
        self._column_list: list[Column] = []
        self._leaves: dict[tuple[float | None, ...], dict[tuple[int, ...], int]] = {}
        self._leaf_count = 0
        self._nodes: list[SetNode] = []
        self._order: list[tuple[str, int]] = []

    @abstractmethod
    def combine(self, terms: Atoms, zero: bool) -> tuple[tuple[float, int], ...]:
        """An entry as a sum of nodes.

        Args:
            terms: what the entry is.
            zero: whether slot 0 of the terms is an input whose preactivation is always zero.

        Raises:
            Divergent: the entry is infinite for every covariance.
        """

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines that columns refer to."""
        return tuple(self._lines)

    def zero_factor(self, product: Lines) -> float | None:
        """The value of a product at zero; None where it has a kink or jumps there."""
        if any(0.0 in self.functions[name].kinks for _, name, _ in singular_lines(product, self.functions)):
            return None
        left, right = sides(product, 0.0, self.functions)
        return (left + right) / 2 if abs(left - right) <= 1e-12 * (abs(left) + abs(right)) else None

    def split_zero(self, terms: Atoms, zero: bool) -> dict[tuple[Lines, ...], float]:
        """Terms with coefficients, the input that is always zero evaluated.

        Raises:
            Undefined: it has no value.
            Divergent: it has none, and what stands at the other inputs is infinite.
        """
        found: dict[tuple[Lines, ...], float] = {}
        lost: dict[Lines, list[tuple[int, tuple[Lines, ...]]]] = {}
        for coefficient, products in terms:
            weight = float(coefficient)
            if zero:
                value = self.zero_factor(products[0])
                if value is None:
                    lost.setdefault(products[0], []).append((coefficient, products[1:]))
                    continue
                weight *= value
                products = products[1:]
            found[products] = found.get(products, 0.0) + weight
        if lost:
            for others in lost.values():  # they are finite, or this tells why not
                type(self)(self.size, self.functions, {}).combine(others, False)
            product = next(iter(lost))
            raise Undefined(f"{show(product)} has no value at its kink x = 0, and the variance there is zero")
        return found

    def column(self, product: Lines) -> int:
        """The number of a product at one input."""
        if product not in self._columns:
            if len(product) <= 1:
                line = self._lines.setdefault(product[0], len(self._lines)) if product else -1
                column = Column(-1, line)
            else:
                parent = self.column(product[:-1])
                column = Column(parent, self._lines.setdefault(product[-1], len(self._lines)))
            self._columns[product] = len(self._column_list)
            self._column_list.append(column)
        return self._columns[product]

    def leaf(self, parts: Parts) -> int:
        """A provisional number of an average of ordinary functions, given the deltas."""
        places = tuple(part.position if isinstance(part, Delta) else None for part in parts)
        columns = tuple(-1 if isinstance(part, Delta) else self.column(part) for part in parts)
        own = self._leaves.setdefault(places, {})
        if columns not in own:
            own[columns] = self._leaf_count
            self._leaf_count += 1
        return -2 - own[columns]

    def node(self, node: SetNode) -> int:
        """The number (counted without the leaves) of a node."""
        self._nodes.append(node)
        return len(self._nodes) - 1

    def finish(self, entries: tuple[Entry, ...], zero_entries: tuple[Entry, ...]) -> InputSet:
        """The set, its nodes numbered with the leaves first."""
        order: dict[int, int] = {}
        groups = []
        for places in sorted(self._leaves, key=lambda p: tuple((x is not None, x or 0.0) for x in p)):
            own = self._leaves[places]
            for number in own.values():
                order[number] = len(order)
            groups.append(LeafGroup(places, tuple(own)))

        def final(node: int) -> int:
            return -1 if node == -1 else order[-2 - node] if node < 0 else node + len(order)

        def renumbered(given: tuple[Entry, ...]) -> tuple[Entry, ...]:
            return tuple(e._replace(terms=tuple((w, final(node)) for w, node in e.terms)) for e in given)

        nodes = tuple(
            node._replace(terms=tuple(term._replace(node=final(term.node)) for term in node.terms))
            for node in self._nodes
        )
        columns = tuple(self._column_list)
        return InputSet(self.size, columns, tuple(groups), nodes, renumbered(entries), renumbered(zero_entries))


class SmoothNodes(SetBuilder):
    """Nodes of analytic functions: every atom is a leaf."""

    def combine(self, terms: Atoms, zero: bool) -> tuple[tuple[float, int], ...]:
        """An entry as a sum of leaves."""
        return tuple(
            (weight, self.leaf(products) if products else -1)
            for products, weight in self.split_zero(terms, zero).items()
            if weight
        )


class KinkedNodes(SetBuilder):
    """Nodes of functions with kinks."""

    def __init__(self, size: int, functions: Mapping[str, Activation], lines: dict[Line, int]) -> None:
        super().__init__(size, functions, lines)
        self._known: dict[Parts, int] = {}
        self._moments: dict[tuple[int, Powers], int] = {}
        self._sides: dict[Lines, tuple[tuple[float, ...], tuple[float, ...]] | None] = {}

    def combine(self, terms: Atoms, zero: bool) -> tuple[tuple[float, int], ...]:
        """An entry as a sum of nodes: reduced at every input, then expanded into ordinary functions and deltas."""
        group = self.split_zero(terms, zero)
        if self.size == 0:
            return ((sum(group.values()), -1),)
        collected: dict[Parts, float] = {}
        for term, coefficient in reduce_terms(group, self.functions).items():
            slots = [self._choices(distribution(legs, product, self.functions)) for legs, product in term]
            for choice in cartesian(*slots):
                key = tuple(part for part, _ in choice)
                weight = coefficient * math.prod(w for _, w in choice)
                collected[key] = collected.get(key, 0.0) + weight
        return tuple((weight, self._mixed(parts)) for parts, weight in collected.items() if weight)

    def _choices(self, given: Distribution) -> list[tuple[Part, float]]:
        ordinary: list[tuple[Part, float]] = [
            (product, w)
            for product, w in given.regular
            if self._polynomials(product) != ((), ()) and not _vanishes(product, self.functions)
        ]
        return ordinary + [(Delta(*key), w) for key, w in given.deltas]

    def _polynomials(self, product: Lines) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Polynomials on the two sides of zero, None where the product is of another kind; empty ones are zero."""
        if product not in self._sides:
            self._sides[product] = find_polynomials(product, self.functions)
        return self._sides[product]

    def _mixed(self, parts: Parts) -> int:
        """The node of an average of ordinary functions and deltas."""
        if parts not in self._known:
            raised = [n for n, part in enumerate(parts) if isinstance(part, Delta) and part.order]
            if raised:
                self._known[parts] = self._lowered(parts, raised[0])
            elif self._exact(parts):
                self._known[parts] = self._orthants(parts)
            else:
                self._known[parts] = self.leaf(parts)
        return self._known[parts]

    def _lowered(self, parts: Parts, slot: int) -> int:
        """Lower the order of one delta by Stein's lemma, solved for the inputs that carry deltas."""
        lower = list(parts)
        part = parts[slot]
        assert isinstance(part, Delta)
        lower[slot] = Delta(part.position, part.order - 1)

        def changed(n: int, item: Part) -> int:
            return self._mixed((*lower[:n], item, *lower[n + 1 :]))

        terms = []
        for n, item in enumerate(lower):
            if isinstance(item, Delta):
                if item.position:
                    terms.append(NodeTerm(item.position, self._mixed(tuple(lower)), n, CARRIER))
                if item.order:
                    node = changed(n, Delta(item.position, item.order - 1))
                    terms.append(NodeTerm(-float(item.order), node, n, CARRIER))
            else:
                for new, weight in self._choices(derivative(Distribution(((item, 1.0),)), self.functions)):
                    terms.append(NodeTerm(-weight, changed(n, new), n, SHARED))
        mask = sum(1 << n for n, item in enumerate(parts) if isinstance(item, Delta))
        places = tuple(item.position if isinstance(item, Delta) else 0.0 for item in parts)
        return self.node(SetNode(STEIN, slot, mask, places, (), tuple(terms)))

    def _exact(self, parts: Parts) -> bool:
        """Whether moments on orthants apply."""
        return all(
            part.position == 0 if isinstance(part, Delta) else self._polynomials(part) is not None for part in parts
        )

    def _orthants(self, parts: Parts) -> int:
        """The density of the deltas at zero times moments given that their inputs are zero."""
        mask = sum(1 << n for n, part in enumerate(parts) if isinstance(part, Delta))
        sides: list[list[tuple[tuple[int, int], float]]] = []
        jumps = 0
        for part in parts:
            found = ((1.0,), (1.0,)) if isinstance(part, Delta) else self._polynomials(part)
            assert found is not None
            sides.append(_step_terms(*found))
            jumps |= (found[0][:1] or (0.0,)) != (found[1][:1] or (0.0,)) and 1 << len(sides) - 1
        terms = []
        for choice in cartesian(*sides):
            weight = math.prod(c for _, c in choice)
            terms.append(NodeTerm(weight, self._moment(mask, tuple(powers for powers, _ in choice))))
        return self.node(SetNode(SUM, jumps, mask, (), (), _collected(terms)))

    def _moment(self, fixed: int, powers: Powers) -> int:
        """A moment of z^power times steps, given that the slots of `fixed` are zero (their powers are (0, 0))."""
        key = (fixed, powers)
        if key in self._moments:
            return self._moments[key]
        lifted = next((n for n, (power, _) in enumerate(powers) if power), None)
        if lifted is None:
            signs = tuple(step for _, step in powers)
            self._moments[key] = -1 if not any(signs) else self.node(SetNode(ORTHANT, 0, fixed, (), signs, ()))
            return self._moments[key]
        lower = list(powers)
        lower[lifted] = (powers[lifted][0] - 1, powers[lifted][1])
        terms = []
        for b, (power, step) in enumerate(lower):
            changed = list(lower)
            if power:
                changed[b] = (power - 1, step)
                terms.append(NodeTerm(float(power), self._moment(fixed, tuple(changed)), b, POWER))
            # the derivative of z^n step(z) has a delta only for n = 0
            elif step:
                changed[b] = (0, 0)
                terms.append(NodeTerm(float(step), self._moment(fixed | 1 << b, tuple(changed)), b, STEP))
        exponents, steps = tuple(float(power) for power, _ in powers), tuple(step for _, step in powers)
        self._moments[key] = self.node(SetNode(MOMENT, lifted, fixed, exponents, steps, tuple(terms)))
        return self._moments[key]


def _collected(terms: Iterable[NodeTerm]) -> tuple[NodeTerm, ...]:
    total: dict[int, float] = {}
    for term in terms:
        total[term.node] = total.get(term.node, 0.0) + term.weight
    return tuple(NodeTerm(weight, node) for node, weight in total.items() if weight)


def _step_terms(left: Sequence[float], right: Sequence[float]) -> list[tuple[tuple[int, int], float]]:
    """Write a polynomial for z < 0 and one for z > 0 as terms ``((power, step), coefficient)``."""
    terms: list[tuple[tuple[int, int], float]] = []
    for n in range(max(len(left), len(right))):
        below = left[n] if n < len(left) else 0.0
        above = right[n] if n < len(right) else 0.0
        terms += [((n, 0), below), ((n, 1), above - below)]
    return [(powers, c) for powers, c in terms if c]


def _vanishes(product: Lines, functions: Mapping[str, Activation]) -> bool:
    """Whether the ordinary part of a product is zero on every piece of one of its functions."""
    for name in {name for name, _ in product} - {IDENTITY}:
        orders = [order for other, order in product if other == name]
        pieces = range(len(functions[name].pieces))
        if all(any(not functions[name].polynomials(part, order)[1][order] for order in orders) for part in pieces):
            return True
    return False


def find_polynomials(
    product: Lines, functions: Mapping[str, Activation]
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Polynomials that a product is on the two sides of zero, if that is all: () is zero, None another function.

    One that is long and whose terms cancel is another function: its moments would have lost the digits of its values.
    """
    both: list[tuple[float, ...]] = []
    for side in (0, -1):
        total = [1.0]
        for name, order in product:
            factor: Sequence[float] = (0.0, 1.0)
            if name != IDENTITY:
                function = functions[name]
                if any(function.kinks):
                    return None
                coefficients = function.piece_coefficients(side % len(function.pieces))
                if coefficients is None:
                    return None
                factor = [c * math.perm(n, order) for n, c in enumerate(coefficients)][order:]
            total = _multiplied(total, factor)
        signs = {(c > 0) ^ (side == 0 and n % 2 == 1) for n, c in enumerate(total) if c}
        if len(total) > LONGEST and len(signs) > 1:
            return None
        both.append(tuple(total) if any(total) else ())
    return both[0], both[1]


def _multiplied(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """The product of two polynomials."""
    result = [0.0] * max(len(a) + len(b) - 1, 0)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            result[i + j] += x * y
    return result
