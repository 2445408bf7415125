"""Two-point averages of kinked functions at pairs of inputs, however close.

A pair of standard normal variables x, y of correlation rho is

    x = cos(t/2) u + sin(t/2) v,    y = cos(t/2) u - sin(t/2) v,    cos t = rho,

with independent u and v. For given v the integral over u is cut where x or y is at a kink; what it gives is a smooth
function of v except where two of these cuts meet, and there the integral over v is cut. That holds however close the
correlation is to one: no panel has to shrink.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pertheory.averages.estimate import COLLINEAR, ROUNDING, Atom, Found, Task, Wanted
from pertheory.averages.features import narrowest
from pertheory.averages.grids import EPSILON, SHIFTED
from pertheory.averages.methods.nested import edges_of, reach_of
from pertheory.averages.methods.panelling import Functions, factor_values, sorted_edges, thinned
from pertheory.averages.methods.panels import collinear_averages, rounding
from pertheory.averages.quadrature import Array, density, panels
from pertheory.averages.request import Request
from pertheory.functions.steep import steep_places

#: Nodes of a panel.
NODES = 12
#: Standard deviations that are looked at, at least.
REACH = 7.5
#: Standard deviations of the inner panels, and, at most, of the outer ones.
CENTER, TAIL = 2.6, 5.0
#: The error of a panel is that of the rule with fewer nodes to this power.
THINNED = 1.8
#: Numbers in one table of a block of pairs.
BLOCK = 300_000


class Pairs:
    """Averages at two inputs that are steep or close.

    Args:
        wanted: functions and errors to aim at.
        bound: kinked functions are steep where they change, away from the kinks, within so many spreads.
    """

    def __init__(self, wanted: Wanted, bound: float) -> None:
        self._frozen, self._bound = wanted.frozen, bound

    def average(self, task: Task) -> Found | None:
        """Average atoms at two inputs."""
        k = task.k[0]
        spreads = np.sqrt(k.diagonal())
        if len(k) != 2 or not spreads.all():
            return None
        # the product of the roots would be rounded, and near one that is much; that of small variances underflows
        half = np.frexp(k.diagonal())[1] // 2
        own = np.ldexp(k.diagonal(), -2 * half)
        rho = math.ldexp(k[0, 1], -int(half.sum())) / math.sqrt(own[0] * own[1])
        one = 1 - abs(rho) < COLLINEAR
        if task.mean is None:
            return self._smooth(spreads, rho, one, task.atoms)
        if one or self._narrowest >= self._bound * float(spreads.min()):
            return None
        found = self._found(spreads, rho, task.atoms, (float(task.mean[0]), float(task.mean[1])))
        task.kept["pairs"] = True
        return found

    @cached_property
    def _narrowest(self) -> float:
        return narrowest(dict(self._frozen).values(), math.inf)

    def _found(self, spreads: Array, rho: float, atoms: Sequence[Atom], means: tuple[float, float]) -> Found:
        requests = [tuple((0, product) for product in atom) for atom in atoms]
        own = (spreads[:1], spreads[1:])
        values, errors, scales = pair_averages(self._frozen, requests, np.array([rho]), own, means)
        return np.stack([values, errors * scales, scales])

    def _smooth(self, spreads: Array, rho: float, one: bool, atoms: Sequence[Atom]) -> Found:
        """Averages, and what rounding does to them: smooth functions may be steep anywhere."""
        if one:
            pairs = [(atom[0], atom[1]) for atom in atoms]
            ratio = math.copysign(float(spreads[1] / spreads[0]), rho)
            return np.stack(collinear_averages(self._frozen, float(spreads[0]), ratio, pairs))[:, :, None]
        found = self._found(spreads, rho, atoms, (0.0, 0.0))
        lost = [
            max(  # inputs that have nothing to do with each other, and inputs that are one
                sum(
                    rounding(self._frozen, sigma, product)
                    for sigma, product in zip(spreads.tolist(), atom, strict=True)
                ),
                rounding(self._frozen, float(spreads.max()), tuple(sorted((*atom[0], *atom[1])))),
            )
            for atom in atoms
        ]
        # the correlation is rounded: what that does is at most the product of the slopes, and less where noise smears
        lever = min(float(spreads.prod()) / self._narrowest**2, 1 / math.sqrt((1 - rho) * (1 + rho)))
        found[1] += (SHIFTED * np.array(lost)[:, None] + EPSILON * lever) * found[2]
        return found


class Nodes(NamedTuple):
    """Nodes of pairs: one row per pair.

    Attributes:
        first: values of the first variable.
        second: of the second.
        weights: the density times the measure.
        coarse: weights of a rule of lower degree on the same nodes.
    """

    first: Array
    second: Array
    weights: Array
    coarse: Array


def pair_nodes(
    correlation: Array,
    spreads: tuple[Array, Array],
    means: tuple[float, float],
    cuts: Array,
    kinks: Array,
    reach: float,
) -> Nodes:
    """Place nodes for pairs of variables.

    Args:
        correlation: one per pair, inside (-1, 1).
        spreads: standard deviations of the first and of the second variables.
        means: of the first and of the second variables.
        cuts: where functions are not smooth, or change quickly.
        kinks: those of them where they are not smooth.
        reach: standard deviations to look at.
    """
    sign = np.where(correlation < 0, -1.0, 1.0)
    # half the angle between the variables, without the cancellation in 1 - rho
    half = 0.5 * np.arctan2(np.sqrt((1 - correlation) * (1 + correlation)), np.abs(correlation))
    cosine, sine = np.cos(half), np.sin(half)
    sides = [((0, spreads[0], means[0])), ((1, sign * spreads[1], means[1]))]

    def scaled(places: Array, side: int) -> Array:
        _, spread, mean = sides[side]
        return (places - mean) / spread[:, None]

    outer = np.linspace(CENTER, reach, 1 + math.ceil((reach - CENTER) / TAIL))
    plain = np.concatenate([-outer[::-1], [0.0], outer])
    near = _close_together(cuts, kinks, CENTER * float(min(spreads[0].min(), spreads[1].min())))
    meetings = [
        np.clip((x[:, :, None] - y[:, None, :]).reshape(len(sign), -1) / (2 * sine[:, None]), -reach, reach)
        for x, y in ((scaled(kinks, 0), scaled(near, 1)), (scaled(near, 0), scaled(kinks, 1)))
    ]
    v, weights = panels(sorted_edges(plain, *meetings), NODES)
    shift = (sine[:, None] * v)[:, :, None]
    ends = [
        np.clip((scaled(cuts, side)[:, None, :] + move) / cosine[:, None, None], -reach, reach)
        for side, move in ((0, -shift), (1, shift))
    ]
    u, inner = panels(sorted_edges(plain, *ends), NODES)
    base = cosine[:, None, None] * u
    first = means[0] + spreads[0][:, None, None] * (base + shift)
    second = means[1] + (sign * spreads[1])[:, None, None] * (base - shift)
    weights, inner = weights * density(v), inner * density(u)
    few = thinned(NODES, 6)
    rough = weights * np.tile(few, v.shape[1] // NODES)
    coarse = rough[:, :, None] * (inner * np.tile(few, u.shape[2] // NODES))
    rows = len(sign)
    full = weights[:, :, None] * inner
    return Nodes(*(table.reshape(rows, -1) for table in (first, second, full, coarse)))


def _close_together(cuts: Array, kinks: Array, width: float) -> Array:
    """The kinks and those cuts at which a panel narrower than a width ends."""
    if not len(cuts):
        return kinks
    gaps = np.diff(cuts)
    narrow = np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps)) < width
    return np.union1d(kinks, cuts[narrow])


def _steep(functions: Functions, width: float) -> set[float]:
    """Kinks, and places where functions change within less than a width."""
    kinks = {kink for _, function in functions for kink in function.kinks}
    steep = {place for _, function in functions for place, own, _ in steep_places(function) if own < width}
    return kinks | steep


def pair_averages(
    functions: Functions,
    requests: Sequence[Request],
    correlation: Array,
    spreads: tuple[Array, Array],
    means: tuple[float, float] = (0.0, 0.0),
) -> tuple[Array, Array, Array]:
    """Average products of two ordinary functions at pairs of variables.

    Args:
        functions: activations by name.
        requests: two factors each.
        correlation: one per pair, inside (-1, 1).
        spreads: standard deviations of the first and of the second variables, positive.
        means: of the first and of the second variables.

    Returns:
        The averages, one row per request and one column per pair, their errors relative to the scale of each, and the
        scales.
    """
    widest = float(max(spreads[0].max(), spreads[1].max()))
    reach = reach_of(functions, widest, REACH)
    limit = reach * widest + max(map(abs, means))
    cuts = np.array(edges_of(functions, float(2.0 ** np.ceil(np.log2(limit)))))
    kinks = np.array(sorted(_steep(functions, CENTER * float(min(spreads[0].min(), spreads[1].min())))))
    factors = sorted({factor for request in requests for factor in request})
    totals, errors, scales = np.empty((3, len(requests), len(correlation)))
    start, step = 0, 16
    while start < len(correlation):
        part = slice(start, start + step)
        nodes = pair_nodes(correlation[part], (spreads[0][part], spreads[1][part]), means, cuts, kinks, reach)
        first, second = (factor_values(functions, factors, x) for x in (nodes.first, nodes.second))
        for number, (one, two) in enumerate(requests):
            terms = first[one] * second[two]
            total = np.einsum("pn,pn->p", terms, nodes.weights)
            scale = np.einsum("pn,pn->p", np.abs(terms), nodes.weights)
            apart = np.abs(np.einsum("pn,pn->p", terms, nodes.coarse) - total)
            totals[number, part], scales[number, part] = total, scale
            errors[number, part] = np.divide(apart, scale, out=np.zeros_like(scale), where=scale > 0)
        start += step
        step = max(1, BLOCK // nodes.first.shape[1])
    return totals, np.minimum(errors, 1.0) ** THINNED + ROUNDING + math.exp(-(reach**2) / 2), scales
