"""Which method averages what, when, and why: the one table, and what carries it out.

Every average that is not arithmetic is of one of the kinds below, and the rows of a kind are tried from top to bottom.
A method passes over what it cannot average, and what another one is sure to do sooner. What then has an estimate within
what is asked for is done; for what has not the next row is tried, and of two estimates the better one wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.account import Account
from pertheory.averages.estimate import Atom, Found, Mask, Method, Task, Wanted, Whole, WholeMethod
from pertheory.averages.methods.closed import Closed
from pertheory.averages.methods.exponentials import Exponentials
from pertheory.averages.methods.kinked_pairs import KinkedSeries
from pertheory.averages.methods.mehler import Mehler
from pertheory.averages.methods.mehler_pairs import SmoothPairs
from pertheory.averages.methods.nested import Nested
from pertheory.averages.methods.pairs import Pairs
from pertheory.averages.methods.pairs_of_pairs import PairsOfPairs
from pertheory.averages.methods.panels import PanelSums
from pertheory.averages.methods.product_panels import ProductPanels
from pertheory.averages.methods.smeared import Smeared
from pertheory.averages.methods.trapezoid import Trapezoid
from pertheory.averages.methods.wide import Wide
from pertheory.averages.quadrature import Array
from pertheory.averages.request import Request
from pertheory.errors import UnsupportedError

#: Inputs with values, the values, inputs that fluctuate.
Setting: TypeAlias = tuple[tuple[int, ...], tuple[float, ...], tuple[int, ...]]

#: Relative error of averages of kinked functions above which a warning is given even if less was asked for: what the
#: methods for kinks reach wherever inputs are not almost one.
KINKED = 1e-8


class Choice(NamedTuple):
    """A row of the table.

    Attributes:
        kind: of averages.
        method: its name.
        make: its class; None for what a plan itself comes down to.
        bound: the number, or one for each number of inputs, that decides whether it is tried.
        when: when it is tried, with a gap for the bound.
        why: the reason.
    """

    kind: str
    method: str
    make: Callable[[Wanted, Any], Method | WholeMethod] | None
    bound: Any
    when: str
    why: str

    @property
    def tried(self) -> str:
        """When it is tried."""
        bounds = self.bound.values() if isinstance(self.bound, dict) else [self.bound or 0]
        return self.when.format(" / ".join(f"{bound:g}" for bound in bounds))


CLOSED, PAIRS, KINKED_PAIRS = AT_ONCE = ("one or two inputs", "two, smooth", "two, kinked")
ONE, SETS, SMOOTH, KINKS, STEPS = ("one", "3-4, smooth", "2-4, smooth", "1-4, kinked or given", "1-4, steps and powers")
#: Points of Mehler's sums that take as long as one unit of what a split costs, by the number of inputs.
DEAR = {2: 1e3, 3: 150.0, 4: 4e3}
#: Sets of three and of four inputs for which tables of pairs pay.
MANY = {3: 100, 4: 12}
#: The table, by kind in the order in which methods are tried.
TABLE = (
    # all inputs, or all pairs of them, at once
    Choice(CLOSED, "closed", Closed, 1e-11, "rounding costs at most {} of the value", "exact for any variance"),
    Choice(PAIRS, "mehler series", SmoothPairs, 4, "from {} inputs, or only pairs", "one product of matrices for all"),
    Choice(KINKED_PAIRS, "mehler series", KinkedSeries, 6, "from {} inputs", "a term a degree; close pairs by panels"),
    # one input of each
    Choice(ONE, "panels", PanelSums, None, "always", "ends at kinks and where the formula is steep: any variance"),
    # many sets of inputs
    Choice(SETS, "exponentials", Exponentials, None, "exp, sin and cos of multiples of x", "exact"),
    Choice(SETS, "pairs of pairs", PairsOfPairs, MANY, "from {} sets, regular", "a series; a pair is looked at once"),
    # one set of inputs after the other
    Choice(SMOOTH, "smeared", Wide, DEAR, "over {} points a unit", "steps of large variances, smeared by own noise"),
    Choice(SMOOTH, "mehler", Mehler, 2e8, "regular, at most {} points", "two by a series, a trapezoid sum of the rest"),
    Choice(SMOOTH, "trapezoid", Trapezoid, 1e7, "coarser above {} points", "sums over the directions that are there"),
    Choice(
        SMOOTH, "product panels", ProductPanels, 0.1, "two, the above not sure, {} left", "steep places, resolved once"
    ),
    Choice(SMOOTH, "pairs", Pairs, 2.6, "two, the above not sure", "panels that see steep places, however close"),
    Choice(STEPS, "orthants", None, None, "piecewise polynomials, kink at 0", "exact moments"),
    Choice(KINKS, "smeared", Smeared, None, "enough own noise", "converges like that of a smooth function"),
    Choice(KINKS, "product panels", ProductPanels, 0.1, "two, no mean, the above not sure, {} left", "see above"),
    Choice(
        KINKS, "pairs", Pairs, 2.6, "two, steep within {} spreads", "see above; nested panels can miss steep places"
    ),
    Choice(KINKS, "nested", Nested, 2e7, "the above not sure, at most {} points", "panels cut at the kinks"),
)
#: The numbers of the rows of a kind.
ROWS = {kind: [n for n, row in enumerate(TABLE) if row.kind == kind] for kind, *_ in TABLE}


class Chooser:
    """Carries out the table for some functions.

    Args:
        wanted: functions and errors to aim at.
        account: of what is done.
    """

    def __init__(self, wanted: Wanted, account: Account) -> None:
        self.wanted, self._account = wanted, account
        self._made: dict[int, Any] = {}
        self.forget()

    def forget(self) -> None:
        """Forget what belongs to one covariance."""
        self._kept: dict[Setting, dict[str, Any]] = {}
        self._known: dict[tuple[Setting, Atom], Array] = {}

    def _method(self, row: int) -> Any:
        """The method of a row, made when it is needed."""
        if row not in self._made:
            make = TABLE[row].make
            assert make is not None
            self._made[row] = make(self.wanted, TABLE[row].bound)
        return self._made[row]

    def at_once(
        self, covariance: Array, requests: Mapping[int, Request], distinct: bool
    ) -> Iterator[tuple[int, Whole]]:
        """Average at all inputs at once those requests for which there is a method; with their numbers."""
        rest = requests
        for row in (row for kind in AT_ONCE for row in ROWS[kind] if rest):
            found = self._method(row).average(covariance, rest, distinct)
            for number, whole in found.items():
                self._account.note(TABLE[row].kind, TABLE[row].method, whole.made, whole.worst)
                self._account.evaluated += whole.made
                self._account.seen(whole.worst)
                yield number, whole
            if found:
                rest = {number: request for number, request in rest.items() if number not in found}

    def plain(self, k: Array, members: NDArray[np.int64], atoms: Sequence[Atom]) -> Found:
        """Average atoms over sets of inputs.

        Args:
            k: covariances, shape (sets, inputs of an atom, the same).
            members: the inputs of each set.
            atoms: one product for each input of a set.
        """
        pieced = self.wanted.pieced
        if not pieced:
            return self._sets(False, k, members, atoms)
        bent = [any(name in pieced for product in atom for name, _ in product) for atom in atoms]
        found = np.zeros((3, len(atoms), len(k)))
        for kinked in set(bent):
            rows = [n for n, own in enumerate(bent) if own == kinked]
            found[:, rows] = self._sets(kinked, k, members, [atoms[n] for n in rows])
        return found

    def _sets(self, kinked: bool, k: Array, members: NDArray[np.int64], atoms: Sequence[Atom]) -> Found:
        if k.shape[1] == 1:
            return self._average(ONE, Task(atoms, k, {}))
        found, by = _nothing(len(atoms), len(k))
        if kinked:
            for n, own in enumerate(k):
                exact = [[Fraction(x) for x in row] for row in own.tolist()]
                found[:, :, n] = self.conditional(
                    ((), (), tuple(members[n].tolist())), np.zeros(len(own)), exact, atoms
                )
            return found
        if k.shape[1] > 2:
            self._try(SETS, Task(atoms, k, {}), found, by, last=False)
        for n in np.flatnonzero(_weak(found, self.wanted.rtol).any(axis=0)).tolist():
            one = slice(n, n + 1)
            self._try(SMOOTH, Task(atoms, k[one], {}), found[:, :, one], by[:, one])
        return found

    def conditional(
        self, key: Setting, mean: Array, covariance: Sequence[Sequence[Fraction]], atoms: Sequence[Atom]
    ) -> Array:
        """Average atoms over variables of some mean and covariance: values, errors and scales, one column an atom.

        Args:
            key: what the variables are, and what they are given.
            mean: theirs.
            covariance: theirs, exactly.
            atoms: one product a variable.
        """
        new = list(dict.fromkeys(atom for atom in atoms if (key, atom) not in self._known))
        if new:
            k = np.array(covariance, dtype=float)[None]
            found = self._average(KINKS, Task(new, k, self._kept.setdefault(key, {}), mean, covariance))
            self._known.update(((key, atom), found[:, n, 0]) for n, atom in enumerate(new))
        return np.stack([self._known[key, atom] for atom in atoms], axis=1)

    def _average(self, kind: str, task: Task) -> Found:
        """Average by the rows of a kind."""
        found, by = _nothing(len(task.atoms), len(task.k))
        self._try(kind, task, found, by)
        return found

    def _try(self, kind: str, task: Task, best: Found, by: NDArray[np.int64], last: bool = True) -> None:
        """Try the rows of a kind.

        Args:
            kind: of averages.
            task: what is averaged.
            best: what is known of it, which is replaced by what is better.
            by: the rows that have found it.
            last: whether no other kind is tried after it.
        """
        allowed = self.wanted.kinked if kind == KINKS else self.wanted.rtol
        weak, made, refused = _weak(best, allowed), bool((by >= 0).any()), None
        for row in ROWS[kind]:
            atoms, sets = np.flatnonzero(weak.any(axis=1)), np.flatnonzero(weak.any(axis=0))
            some = task
            if not weak.all():
                some = task._replace(atoms=[task.atoms[n] for n in atoms.tolist()], k=task.k[sets])
            try:
                found = self._method(row).average(some)
            except UnsupportedError as error:
                refused = refused or error
                continue
            if found is None:
                continue
            made, places = True, np.ix_(atoms, sets)
            better = (found[1] < best[1][places]) | (by[places] < 0)
            for old, new in zip(best, found, strict=True):
                old[places] = np.where(better, new, old[places])
            by[places] = np.where(better, row, by[places])
            weak = _weak(best, allowed)
            self._note(row, best, (by == row) & ~weak)
            if not weak.any():
                break
        if last and not made:
            raise refused or UnsupportedError(f"no method for averages of {kind}")
        if last and weak.any():
            for row in np.unique(by[weak]).tolist():
                self._note(row, best, (by == row) & weak)
        best[1][~np.isfinite(best[0])] = np.inf

    def _note(self, row: int, found: Found, which: Mask) -> None:
        """Write down which averages a method has made."""
        errors, scales = found[1][which], found[2][which]
        relative = np.divide(errors, scales, out=np.zeros_like(errors), where=scales > 0)
        self._account.note(TABLE[row].kind, TABLE[row].method, len(errors), float(relative.max(initial=0.0)))


def _nothing(atoms: int, sets: int) -> tuple[Found, NDArray[np.int64]]:
    """Averages of which nothing is known yet, and the rows that have found them: none."""
    found = np.zeros((3, atoms, sets))
    found[1] = np.inf
    return found, np.full((atoms, sets), -1)


def _weak(found: Found, allowed: float) -> Mask:
    """Averages that another method should look at as well."""
    return np.asarray(~(found[1] <= allowed * found[2]) & np.isfinite(found[0]))
