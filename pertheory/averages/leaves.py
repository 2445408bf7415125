"""Averages of ordinary functions over many sets of inputs, given the values of some of them: leaves of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.algebra.terms import Line, Lines
from pertheory.averages.atoms import IDENTITY
from pertheory.averages.choose import Chooser
from pertheory.averages.conditional import SAME, Given, doubles
from pertheory.averages.estimate import ROUNDING, Found
from pertheory.averages.plan import InputSet
from pertheory.averages.quadrature import SMALLEST, Array, density
from pertheory.averages.reduce import Divergent, value_at
from pertheory.functions.activation import Activation

#: For each slot where a delta puts it, None where it is free.
Places = tuple[float | None, ...]


class Condition(NamedTuple):
    """What deltas leave of some sets.

    Attributes:
        density: of the variables with values at these values; zero if they cannot all be met.
        doubt: relative error of the density by rounding.
        fixed: the slots with values.
        positions: the values.
    """

    density: Array
    doubt: Array
    fixed: tuple[int, ...]
    positions: tuple[float, ...]


class LeafLayout(NamedTuple):
    """Leaves over the same Gaussian, sorted by the slots on which they depend.

    Attributes:
        places: where deltas put slots.
        leaves: how many.
        supports: the slots, the numbers of the leaves, and their products at these slots.
    """

    places: Places
    leaves: int
    supports: tuple[tuple[tuple[int, ...], list[int], tuple[tuple[Lines, ...], ...]], ...]


def leaf_layouts(plan: InputSet, lines: Sequence[Line]) -> tuple[LeafLayout, ...]:
    """The leaves of a set, their columns multiplied out."""
    products: list[Lines] = []
    for parent, line in plan.columns:
        before = products[parent] if parent >= 0 else ()
        products.append((*before, lines[line]) if line >= 0 else before)
    found = []
    for group in plan.groups:
        supports: dict[tuple[int, ...], tuple[list[int], list[tuple[Lines, ...]]]] = {}
        for n, leaf in enumerate(group.leaves):
            atom = [products[c] if c >= 0 else () for c in leaf]
            free = tuple(slot for slot, part in enumerate(atom) if part)
            numbers, atoms = supports.setdefault(free, ([], []))
            numbers.append(n)
            atoms.append(tuple(atom[slot] for slot in free))
        rows = tuple((free, numbers, tuple(atoms)) for free, (numbers, atoms) in supports.items())
        found.append(LeafLayout(group.places, len(group.leaves), rows))
    return tuple(found)


class Leaves:
    """Leaves over one covariance.

    Args:
        functions: activations by name.
        chooser: of methods.
        members: by size the inputs of the sets, one row a set; what is known of inputs is not evaluated again.
    """

    def __init__(self, functions: Mapping[str, Activation], chooser: Chooser) -> None:
        self._functions, self._chooser = functions, chooser
        self.members: NDArray[np.int64] = np.zeros((0, 0), dtype=np.int64)

    def condition(self, places: Places, given: Given, note: Callable[[int, str], None]) -> Condition:
        """Give values to some variables; where that is infinite, the density is NaN and a note says why."""
        total, doubt = np.ones(given.count), np.full(given.count, ROUNDING)
        fixed: tuple[int, ...] = ()
        positions: tuple[float, ...] = ()
        for slot, place in enumerate(places):
            if place is None:
                continue
            left, own = given.left(fixed, slot), given.table[:, slot, slot]
            mean = given.mean(fixed, positions, slot)
            apart = doubles(Fraction(place) - mean)
            stuck = left <= SAME * own
            spread = np.sqrt(np.where(stuck, 1.0, left))
            total = total * np.where(stuck, 1.0, density(apart / spread) / spread)
            small = left < 3 * SAME * own  # rounding of the covariances is seen
            doubt = (
                doubt
                + ROUNDING * (1 + np.minimum((apart / spread) ** 2, 1e15))
                + np.where(small, SAME * own / np.where(stuck, own, left), 0.0) * bool(fixed)
            )
            if stuck.any():
                size = np.maximum(np.abs(doubles(mean)), abs(place))
                never = stuck & (np.abs(apart) > 1e-12 * size)
                total[never] = 0.0
                for n in np.flatnonzero(stuck & ~never & (total != 0)).tolist():
                    total[n] = np.nan
                    note(
                        n,
                        f"a delta at x = {place:g} is met by deltas of other inputs whose preactivations "
                        "determine this one: the average is infinite",
                    )
            fixed, positions = (*fixed, slot), (*positions, place)
        return Condition(total, doubt, fixed, positions)

    def averages(self, layout: LeafLayout, given: Given, note: Callable[[int, str], None]) -> Found:
        """Averages of leaves over the sets."""
        found = np.zeros((3, layout.leaves, given.count))
        bare = all(place is None for place in layout.places)
        condition = None if bare else self.condition(layout.places, given, note)
        for free, numbers, atoms in layout.supports:
            if not free:
                found[:, numbers] = np.array([1.0, 0.0, 1.0])[:, None, None]
            elif condition is None:
                k = given.table[:, free][:, :, free] if len(free) < given.size else given.table
                found[:, numbers] = self._chooser.plain(k, self.members[:, free], atoms)
            else:
                for place in np.flatnonzero((condition.density != 0) & ~np.isnan(condition.density)).tolist():
                    found[:, numbers, place] = self._conditional(given, condition, place, free, atoms, note)
        if condition is not None:
            # what underflows may be something where the density is large
            found[1] += condition.doubt * np.abs(found[0]) + SMALLEST
            found *= condition.density
            found[1][~np.isfinite(found[0])] = np.inf
        return found

    def _conditional(
        self,
        given: Given,
        condition: Condition,
        place: int,
        free: tuple[int, ...],
        atoms: Sequence[tuple[Lines, ...]],
        note: Callable[[int, str], None],
    ) -> Array:
        """Averages over the free slots of one set, given where the others are."""
        fixed = condition.fixed
        means = {slot: given.mean(fixed, condition.positions, slot)[place] for slot in free}
        loose = tuple(slot for slot in free if not given.is_determined(fixed, slot)[place])
        factors = np.ones(len(atoms))
        for slot in free:
            if slot not in loose:
                x = float(means[slot])
                for n, atom in enumerate(atoms):
                    product = atom[free.index(slot)]
                    try:
                        factors[n] *= value_at(product, self._snapped(product, x), self._functions)
                    except Divergent as error:
                        factors[n] = np.nan
                        note(place, str(error))
        if not loose:
            return np.stack([factors, np.zeros(len(atoms)), np.abs(factors)])
        exact = [[given.exact(fixed, i, j)[place] for j in loose] for i in loose]
        names = tuple(self.members[place].tolist())
        key = (tuple(names[i] for i in fixed), condition.positions, tuple(names[i] for i in loose))
        own = [tuple(atom[free.index(slot)] for slot in loose) for atom in atoms]
        mean = np.array([float(means[slot]) for slot in loose])
        return np.stack([factors, np.abs(factors), np.abs(factors)]) * self._chooser.conditional(key, mean, exact, own)

    def _snapped(self, product: Lines, x: float) -> float:
        """Undo the rounding of a point that is meant to be a kink."""
        for name in {name for name, _ in product} - {IDENTITY}:
            for kink in self._functions[name].kinks:
                if abs(x - kink) <= 1e-12 * abs(kink):
                    return kink
        return x
