"""Which method averages what, when, and why: the one table.

Every average that is not arithmetic is of one of the kinds below. The methods of a kind are tried from top to bottom;
the first whose estimate is within what is asked for ends the search, and else the best estimate wins. A method that
does not apply, or that another is sure to beat, is passed over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.atoms import Product
from pertheory.averages.estimate import COLLINEAR, Estimate
from pertheory.averages.features import narrowest
from pertheory.averages.grids import EPSILON, SHIFTED
from pertheory.averages.methods import exponentials
from pertheory.averages.methods.nested import NestedAverages
from pertheory.averages.methods.pairs import CENTER, pair_averages
from pertheory.averages.methods.panels import collinear_averages, panel_averages, rounding
from pertheory.averages.methods.smeared import SingleAverages, SmearedAverages, Smearing
from pertheory.averages.methods.trapezoid import SmoothAverages
from pertheory.averages.methods.trapezoid_single import Rules, single_averages
from pertheory.averages.quadrature import Array
from pertheory.errors import UnsupportedError
from pertheory.rulebook.activation import Activation

Atom: TypeAlias = tuple[Product, ...]
#: Values, errors and scales: one row an average, one column a set of inputs.
Found: TypeAlias = tuple[Array, Array, Array]
#: Inputs with values, the values, inputs that fluctuate.
Setting: TypeAlias = tuple[tuple[int, ...], tuple[float, ...], tuple[int, ...]]

#: Relative error of averages of kinked functions above which a warning is given even if less was asked for: what the
#: methods for kinks reach wherever inputs are not almost one.
KINKED = 1e-8
#: Inputs from which on a series for all pairs of smooth functions is faster than one pair at a time.
MANY = 4
#: The same for functions with kinks, whose series are longer.
MANY_KINKED = 6


class Choice(NamedTuple):
    """A row of the table.

    Attributes:
        kind: of averages.
        method: its name; the file in `methods` where it has one of its own.
        when: when it is tried.
        why: the reason.
    """

    kind: str
    method: str
    when: str
    why: str


#: The table, by kind in the order in which methods are tried.
TABLE = (
    Choice(
        "one or two inputs", "closed", "the formulas have closed forms", "exact for any variance, all pairs at once"
    ),
    Choice("two, smooth", "mehler series", f"{MANY} inputs, or only pairs", "one product of matrices for all pairs"),
    Choice("two, kinked", "mehler series", f"{MANY_KINKED} inputs or more", "a term a degree; close pairs by panels"),
    Choice("one, smooth", "trapezoid", "always first", "spectral where the spread is no more than a few steps wide"),
    Choice("one, smooth", "panels", "the trapezoid sum is not sure", "ends where the formula is steep: any variance"),
    Choice("one, kinked", "panels", "always", "cut at the kinks"),
    Choice("3-4, exponentials", "exponentials", "exp, sin and cos of multiples of x", "exact"),
    Choice("2-4, smooth", "smeared", "cheaper than trapezoid sums", "steps of large variances, smeared by own noise"),
    Choice(
        "2-4, smooth", "mehler", "not (nearly) singular", "two of the inputs by a series, a trapezoid sum of the rest"
    ),
    Choice("2-4, smooth", "trapezoid", "singular", "nested sums over the directions that are there"),
    Choice("2-4, smooth", "pairs", "two inputs, nothing above is sure", "panels that see steep places, however close"),
    Choice("1-4, steps and powers", "orthants", "piecewise polynomials, kink at 0", "exact moments"),
    Choice("1-4, kinked or given", "smeared", "enough own noise", "converges like that of a smooth function"),
    Choice(
        "1-4, kinked or given", "pairs", "two, steep, little noise", "see above; nested panels can miss steep places"
    ),
    Choice("1-4, kinked or given", "nested", "next to no noise, or the above not sure", "panels cut at the kinks"),
)


@dataclass
class Tally:
    """What a method has done for a kind of average."""

    averages: int = 0
    points: int = 0
    worst: float = 0.0


@dataclass
class Chooser:
    """Applies the table to averages of ordinary functions.

    Args:
        functions: activations by name.
        rtol: relative error to aim at.
        kinked: that of averages of functions with kinks.

    Attributes:
        used: by kind and method what was done.
    """

    functions: Mapping[str, Activation]
    rtol: float = 1e-9
    kinked: float = KINKED
    used: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._frozen = tuple(sorted(self.functions.items()))
        self._pieced = frozenset(name for name, function in self.functions.items() if not function.is_smooth)
        self.smooth = SmoothAverages(self.functions, self.rtol)
        self._rules: Rules = {}
        self._points = 0
        self._smearing = Smearing(self.functions, self.kinked)
        self.forget()

    def forget(self) -> None:
        """Forget what belongs to one covariance."""
        self._methods: dict[Setting, SingleAverages | SmearedAverages | NestedAverages] = {}
        self._nested: dict[Setting, NestedAverages] = {}
        self._known: dict[tuple[Setting, Atom], Estimate] = {}

    def note(self, kind: str, method: str, averages: int, worst: float) -> None:
        """Write down what a method has done."""
        tally = self.used.setdefault((kind, method), Tally())
        points = sum(getattr(function, "points", 0) for function in self.functions.values())
        tally.averages += averages
        tally.points += points - self._points
        self._points = points
        tally.worst = max(tally.worst, worst)

    def plain(self, k: Array, members: NDArray[np.int64], atoms: Sequence[Atom]) -> Found:
        """Average atoms over sets of inputs.

        Args:
            k: covariances, shape (sets, inputs of an atom, the same).
            members: the inputs of each set.
            atoms: one product for each input of a set.
        """
        if not self._pieced:
            return (
                self._one(k[:, 0, 0], [atom[0] for atom in atoms], False)
                if k.shape[1] == 1
                else self._smooth(k, members, atoms)
            )
        bent = [any(name in self._pieced for product in atom for name, _ in product) for atom in atoms]
        found = np.zeros((3, len(atoms), len(k)))
        for kinked in (False, True):
            rows = [n for n, own in enumerate(bent) if own == kinked]
            if rows:
                own = [atoms[n] for n in rows]
                if k.shape[1] == 1:
                    found[:, rows] = self._one(k[:, 0, 0], [atom[0] for atom in own], kinked)
                elif kinked:
                    found[:, rows] = self._several(k, members, own)
                else:
                    found[:, rows] = self._smooth(k, members, own)
        return found[0], found[1], found[2]

    def _one(self, variances: Array, products: Sequence[Product], kinked: bool) -> Found:
        """Averages at one input."""
        kind = "one, kinked" if kinked else "one, smooth"
        if kinked:
            values, errors = np.zeros((2, len(products), len(variances)))
            weak = np.ones(len(variances), dtype=bool)
        else:
            sums, relative = single_averages(self.smooth, self._frozen, variances, products, self._rules)
            values, errors = sums.T, relative.T
            worst = float(errors.max(initial=0.0))
            if worst <= self.rtol:
                self.note(kind, "trapezoid", values.size, worst)
                return values, errors, np.ones_like(values)
            weak = (variances > 0) & ~(errors.max(axis=0, initial=0.0) <= self.rtol)
            self.note(kind, "trapezoid", values[:, ~weak].size, float(errors[:, ~weak].max(initial=0.0)))
            values, errors = values.copy(), errors.copy()
        scales = np.ones_like(values)
        if weak.any():
            try:
                other = panel_averages(self._frozen, np.sqrt(variances[weak]), tuple(products))
            except UnsupportedError:
                if kinked:
                    raise
                return values, np.where(np.isfinite(values), errors, 0.0), scales
            relative = np.divide(other[1], other[2], out=np.zeros_like(other[1]), where=other[2] > 0)
            better = relative < errors[:, weak] if not kinked else np.ones(relative.shape, dtype=bool)
            for array, new in ((values, other[0]), (errors, other[1]), (scales, other[2])):
                array[:, weak] = np.where(better, new, array[:, weak])
            self.note(kind, "panels", int(better.sum()), float(relative[better].max(initial=0.0)))
        return values, np.where(np.isfinite(values), errors, 0.0), scales

    def _smooth(self, k: Array, members: NDArray[np.int64], atoms: Sequence[Atom]) -> Found:
        """Averages of smooth functions at two to four inputs, set by set."""
        found = np.zeros((3, len(atoms), len(k)))
        exact = [n for n, atom in enumerate(atoms) if self._is_exponential(atom)] if k.shape[1] > 2 else []
        if exact:
            rest = [n for n in range(len(atoms)) if n not in exact]
            found[:, exact] = self._exponentials(k, members, [atoms[n] for n in exact])
            if rest:
                found[:, rest] = self._smooth(k, members, [atoms[n] for n in rest])
            return found[0], found[1], found[2]
        return self._summed(k, members, atoms)

    def _is_exponential(self, atom: Atom) -> bool:
        return all(exponentials.terms(product, self._frozen) is not None for product in atom)

    def _exponentials(self, k: Array, members: NDArray[np.int64], atoms: Sequence[Atom]) -> Array:
        """Averages of exponentials and waves; those that lose digits are summed."""
        found = np.zeros((3, len(atoms), len(k)))
        for place in range(len(k)):
            lost = []
            for n, atom in enumerate(atoms):
                exact = exponentials.average(self._frozen, k[place], atom)
                if exact is None:
                    lost.append(n)
                else:
                    found[:, n, place] = *exact, abs(exact[0])
            self.note("3-4, exponentials", "exponentials", len(atoms) - len(lost), 0.0)
            if lost:
                one = slice(place, place + 1)
                found[:, lost, one] = self._summed(k[one], members[one], [atoms[n] for n in lost])
        return found

    def _summed(self, k: Array, members: NDArray[np.int64], atoms: Sequence[Atom]) -> Found:
        """Averages of smooth functions by sums."""
        found = np.zeros((3, len(atoms), len(k)))
        for place in range(len(k)):
            values, errors, scales, method = self.smooth.estimates(k[place], atoms)
            worst = float(errors.max(initial=0.0))
            if worst <= self.rtol:
                found[:, :, place] = values, errors * scales, scales
                self.note("2-4, smooth", method, len(atoms), worst)
                continue
            sure = np.isfinite(errors)
            found[:, :, place] = values, np.where(sure, np.where(sure, errors, 0.0) * scales, np.inf), scales
            weak = np.flatnonzero(~(errors <= self.rtol) & np.isfinite(values))
            self.note("2-4, smooth", method, len(atoms) - len(weak), float(np.delete(errors, weak).max(initial=0.0)))
            if len(weak) and k.shape[1] == 2 and k[place].diagonal().all():  # panels of more inputs take minutes
                other = self._pairs(k[place], [atoms[n] for n in weak.tolist()])
                better = other[1] < found[1, weak, place]
                found[:, weak[better], place] = other[:, better]
                relative = other[1, better] / np.where(other[2, better] > 0, other[2, better], 1.0)
                self.note("2-4, smooth", "pairs", int(better.sum()), float(relative.max(initial=0.0)))
        return found[0], found[1], found[2]

    def _pairs(self, k: Array, atoms: Sequence[Atom]) -> Array:
        """Averages at two inputs by panels in rotated variables: values, errors and scales; no error where none can."""
        spreads = np.sqrt(k.diagonal())
        rho = float(k[0, 1] / (spreads[0] * spreads[1]))
        try:
            if 1 - abs(rho) < COLLINEAR:
                pairs = [(atom[0], atom[1]) for atom in atoms]
                ratio = math.copysign(float(spreads[1] / spreads[0]), rho)
                return np.stack(collinear_averages(self._frozen, float(spreads[0]), ratio, pairs))
            requests = [tuple((0, product) for product in atom) for atom in atoms]
            found = pair_averages(self._frozen, requests, np.array([rho]), (spreads[:1], spreads[1:]))
        except UnsupportedError:
            return np.full((3, len(atoms)), np.inf)
        values, errors, scales = (part[:, 0] for part in found)
        sides = list(zip(spreads.tolist(), range(2), strict=True))
        lost = np.array(
            [
                max(  # inputs that have nothing to do with each other, and inputs that are one
                    sum(rounding(self._frozen, sigma, atom[n]) for sigma, n in sides),
                    rounding(self._frozen, float(spreads.max()), tuple(sorted((*atom[0], *atom[1])))),
                )
                for atom in atoms
            ]
        )
        # the correlation is rounded: what that does is at most the product of the slopes, and less where noise smears
        width = narrowest(self.functions.values(), math.inf)
        lever = min(float(spreads.prod()) / width**2, 1 / math.sqrt((1 - rho) * (1 + rho)))
        return np.stack([values, (errors + SHIFTED * lost + EPSILON * lever) * scales, scales])

    def _several(self, k: Array, members: NDArray[np.int64], atoms: Sequence[Atom]) -> Found:
        """Averages of functions with kinks at two to four inputs, set by set."""
        found = np.zeros((3, len(atoms), len(k)))
        for place in range(len(k)):
            exact = [[Fraction(x) for x in row] for row in k[place].tolist()]
            key: Setting = ((), (), tuple(members[place].tolist()))
            found[:, :, place] = self.conditional(key, np.zeros(len(exact)), exact, atoms)
        return found[0], found[1], found[2]

    def conditional(
        self, key: Setting, mean: Array, covariance: Sequence[Sequence[Fraction]], atoms: Sequence[Atom]
    ) -> Found:
        """Average atoms over variables of some mean and covariance.

        Args:
            key: what the variables are, and what they are given.
            mean: theirs.
            covariance: theirs, exactly.
            atoms: one product a variable.
        """
        rows = [self._bent(key, mean, covariance, atom) for atom in atoms]
        values, errors, scales = (np.array(column) for column in zip(*rows, strict=True))
        return values, errors, scales

    def _bent(self, key: Setting, mean: Array, covariance: Sequence[Sequence[Fraction]], atom: Atom) -> Estimate:
        if (key, atom) in self._known:
            return self._known[key, atom]
        if key not in self._methods:
            k = np.array(covariance, dtype=float)
            self._methods[key] = self._smearing.prepare(mean, k) or self._panels(key, mean, covariance)
        method = self._methods[key]
        found = method.average(atom)
        name = "nested" if isinstance(method, NestedAverages) else "smeared"
        if (
            len(mean) == 2
            and self._is_steep(covariance)
            and (name == "nested" or found.error > self.kinked * found.scale)
        ):
            other = self._pair(mean, covariance, atom)
            if other is not None and (name == "nested" or other.error < found.error):
                found, name = other, "pairs"
        elif found.error > self.kinked * found.scale and name == "smeared":
            other = self._panelled(key, mean, covariance, atom)
            if other is not None and other.error < found.error:
                found, name = other, "nested"
        self.note("1-4, kinked or given", name, 1, found.relative)
        self._known[key, atom] = found
        return found

    def _is_steep(self, covariance: Sequence[Sequence[Fraction]]) -> bool:
        """Whether functions are steep away from their kinks: nested panels look for that less closely."""
        spread = math.sqrt(min(float(row[i]) for i, row in enumerate(covariance)))
        return narrowest(self.functions.values(), math.inf) < CENTER * spread

    def _pair(self, mean: Array, covariance: Sequence[Sequence[Fraction]], atom: Atom) -> Estimate | None:
        """By panels in rotated variables, if the two are not one."""
        (a, k), (_, b) = covariance
        rho, spreads = float(k) / math.sqrt(float(a) * float(b)), np.sqrt([float(a), float(b)])
        if 1 - abs(rho) < COLLINEAR:
            return None
        request = tuple((0, product) for product in atom)
        own = (spreads[:1], spreads[1:])
        try:
            found = pair_averages(self._frozen, [request], np.array([rho]), own, (float(mean[0]), float(mean[1])))
        except UnsupportedError:
            return None
        value, error, scale = (float(part[0, 0]) for part in found)
        return Estimate(value, error * scale, scale)

    def _panels(self, key: Setting, mean: Array, covariance: Sequence[Sequence[Fraction]]) -> NestedAverages:
        if key not in self._nested:
            self._nested[key] = NestedAverages(self.functions, mean, covariance)
        return self._nested[key]

    def _panelled(
        self, key: Setting, mean: Array, covariance: Sequence[Sequence[Fraction]], atom: Atom
    ) -> Estimate | None:
        """By nested panels, if they have points enough."""
        try:
            return self._panels(key, mean, covariance).average(atom)
        except UnsupportedError:
            return None
