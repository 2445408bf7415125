"""Reference averages in one direction, of two inputs, along chains and in planes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from arb.functions import KINKED, LOCAL, SMOOTH, Factor, Kinked, smooth_values, terms_value
from arb.rules import COUNTS, FINER, bell, dot, grid, hermite, panels, sums, twice, twice_at
from flint import arb, arb_mat, arb_poly

# ---------------------------------------------------------------- sites of kinked functions

#: Weighted values at the nodes; the same without signs.
Site = tuple[list[arb], list[arb]]


def kinked_site(
    function: Kinked, orders: tuple[int, ...], scaled: Sequence[tuple[arb, arb]], masses: Sequence[arb]
) -> Site:
    """Weighted values of a product at ``(z, weight)`` nodes, then its point masses at the kinks."""
    bounded = function.bounded
    products = [function.product(orders, piece) for piece in range(len(function.kinks) + 1)]
    values = [weight * terms_value(products[function.piece(z)], z) for z, weight in scaled]
    raised = [order for order in orders if order > bounded]
    assert not raised or raised == [bounded + 1]
    rest = tuple(order for order in orders if order <= bounded)
    for i, mass in enumerate(masses):
        value = arb(0)
        if raised:
            assert all(order < bounded for order in rest)
            value = function.jump(bounded, i) * mass
            value *= terms_value(function.product(rest, i), arb(function.kinks[i]))
        values.append(value)
    return values, [abs(value) for value in values]


def moved(function: Kinked, factor: Factor) -> Factor:
    """Write a derivative with deltas as a derivative of what has none."""
    legs, orders = factor
    if len(orders) == 1 and orders[0] > function.bounded:
        return legs + orders[0] - function.bounded, (function.bounded,)
    return factor


#: The last few kernels, which functions with the same kinks share.
KERNELS: dict[object, arb_mat] = {}
#: Product densities that are left out in two dimensions.
NEGLIGIBLE = arb(10) ** -33


def own_scale(value: arb, size: arb) -> tuple[arb, arb]:
    """The value is its own scale where derivatives were moved; what cancels to nearly nothing is left out."""
    return (value, abs(value)) if abs(value) > size * arb(10) ** -9 else (arb(0), arb(0))


def has_site(function: Kinked, factor: Factor) -> bool:
    raised = [order for order in factor[1] if order > function.bounded]
    rest = [order for order in factor[1] if order <= function.bounded]
    if factor[0]:
        return False
    return not raised or (raised == [function.bounded + 1] and all(order < function.bounded for order in rest))


# ---------------------------------------------------------------- one direction


def one_direction(name: str, sigma: arb, loads: Sequence[int], requests: Sequence[Sequence[Factor]]) -> list:
    """Averages over inputs loads[i] * sigma * xi, one factor per input."""
    size = float(sigma) * max(abs(c) for c in loads)
    if name in SMOOTH:
        factors = sorted({factor for request in requests for factor in request})
        values = smooth_values(name, factors)

        def calculate(step: float) -> list[tuple[arb, arb]]:
            nodes, weights = grid(size, step, name in LOCAL)
            tables = {c: [values(c * sigma * x) for x in nodes] for c in set(loads)}
            results = []
            for request in requests:
                columns = [
                    [row[factors.index(factor)] for row in tables[c]] for c, factor in zip(loads, request, strict=True)
                ]
                value = dot(weights, *columns)
                results.append((value, dot(weights, *[[abs(v) for v in column] for column in columns])))
            return results

        return twice(calculate, FINER)
    function = Kinked(name)

    def pieced(count: float) -> list[tuple[arb, arb]]:
        places = [(kink / (c * float(sigma)), 1 / size) for kink in function.kinks for c in set(loads) if c]
        nodes, weights = panels(places, int(count))
        results = []
        for request in requests:
            legs, orders = moved(function, request[0])
            if len(request) == 1 and legs:  # derivative of a product: by parts
                products = [function.product(orders, piece) for piece in range(len(function.kinks) + 1)]
                zs = [sigma * x for x in nodes]
                column = [terms_value(products[function.piece(z)], z) for z in zs]
                he = [hermite(legs, x) / sigma**legs for x in nodes]
                value = dot(weights, column, he)
                results.append(own_scale(value, dot(weights, map(abs, column), map(abs, he))))
                continue
            # a point mass of one input is a point for the others: one coincident or antipodal variable
            value, scale = arb(0), arb(0)
            columns, absolute = [], []
            masses = [
                [bell(arb(kink) / (c * sigma)) / (abs(c) * sigma) if c else arb(0) for kink in function.kinks]
                for c in loads
            ]
            raised = [i for i, (_, o) in enumerate(request) if max(o) > function.bounded]
            for c, (_, orders) in zip(loads, request, strict=True):
                site = kinked_site(function, orders, [(c * sigma * x, arb(1)) for x in nodes], [])
                columns.append(site[0])
                absolute.append(site[1])
            value, scale = dot(weights, *columns), dot(weights, *absolute)
            if raised:
                (i,) = raised
                own, _ = kinked_site(function, request[i][1], [], masses[i])
                for kink, mass in zip(function.kinks, own, strict=True):
                    part = mass
                    for j, (c, (_, orders)) in enumerate(zip(loads, request, strict=True)):
                        if j != i:
                            z = arb(kink) * c / loads[i]
                            part *= terms_value(function.product(orders, function.piece(z)), z)
                    value, scale = value + part, scale + abs(part)
            results.append((value, scale))
        return results

    return twice(pieced, COUNTS)


# ---------------------------------------------------------------- two inputs


def two_smooth(name: str, k: Sequence[Sequence[float]], requests: Sequence[Sequence[Factor]]) -> list:
    k11, k12, k22 = arb(k[0][0]), arb(k[0][1]), arb(k[1][1])
    sigma, load = k11.sqrt(), k12 / k11.sqrt()
    rest = (k22 - load * load).sqrt()
    first, second = ([sorted({request[i] for request in requests})][0] for i in (0, 1))
    outer, inner = smooth_values(name, first), smooth_values(name, second)
    local = name in LOCAL

    def probe(step: float) -> list[tuple[arb, arb]]:
        nodes, weights = grid(float(sigma), step, local)
        rows = [[v * v for v in outer(sigma * x)] for x in nodes]
        return [(v, v) for v in (dot(weights, column) for column in zip(*rows, strict=True))]

    def calculate(step: float) -> list[tuple[arb, arb]]:
        nodes, weights = grid(max(float(sigma), float(abs(load))), step, local)
        fixed = None
        heads, tails, sizes = [], [], []
        wide = [(x, w) for x, w in zip(nodes, weights, strict=True) if bell(x) > 10 * NEGLIGIBLE]
        nodes, weights = [x for x, _ in wide], [w for _, w in wide]
        for x in nodes:
            centre = float(-load * x / rest)
            if fixed is None or local:
                fixed = grid(float(rest), step, local, centre)
            least = NEGLIGIBLE / bell(x)
            pairs = [(inner(load * x + rest * y), v) for y, v in zip(*fixed, strict=True) if bell(y) > least]
            kept = [v for _, v in pairs]
            heads.append(outer(sigma * x))
            tails.append(sums(kept, [row for row, _ in pairs]))
            sizes.append(sums(kept, [[abs(value) for value in row] for row, _ in pairs]))
        results = []
        for a, b in requests:
            i, j = first.index(a), second.index(b)
            head = [row[i] for row in heads]
            value = dot(weights, head, [row[j] for row in tails])
            results.append((value, dot(weights, [abs(v) for v in head], [row[j] for row in sizes])))
        return results

    return twice(calculate, FINER[max(twice_at(probe, FINER)[1] - 1, 0) :])


def incomplete(low: arb | None, high: arb | None, count: int) -> list[arb]:
    """Integrals of y^m times the normal density from `low` to `high` (None is infinite)."""
    root = arb(2).sqrt()
    if low is None and high is None:
        zeroth = arb(1)
    elif low is None:
        zeroth = (-high / root).erfc() / 2
    elif high is None:
        zeroth = (low / root).erfc() / 2
    elif low > 0:
        zeroth = ((low / root).erfc() - (high / root).erfc()) / 2
    else:
        zeroth = ((-high / root).erfc() - (-low / root).erfc()) / 2
    at_low = bell(low) if low is not None else arb(0)
    at_high = bell(high) if high is not None else arb(0)
    found = [zeroth, at_low - at_high]
    for m in range(2, count):
        at_low = at_low * low if low is not None else at_low
        at_high = at_high * high if high is not None else at_high
        found.append((m - 1) * found[m - 2] + at_low - at_high)
    return found[:count]


def conditional(function: Kinked, orders: tuple[int, ...], mean: arb, spread: arb, legs: int) -> list[arb]:
    """Averages of a product of mean + spread y times the Hermite polynomials in y up to order `legs`."""
    totals = [arb(0)] * (legs + 1)
    places = [(arb(kink) - mean) / spread for kink in function.kinks]
    polynomials = [arb_poly([1]), arb_poly([0, 1])]
    for n in range(1, legs):
        polynomials.append(arb_poly([0, 1]) * polynomials[n] - n * polynomials[n - 1])
    for piece in range(len(function.kinks) + 1):
        low = places[piece - 1] if piece else None
        high = places[piece] if piece < len(places) else None
        for (n, rate), c in function.product(orders, piece).items():
            shift = rate * spread
            moments = incomplete(
                None if low is None else low - shift, None if high is None else high - shift, n + legs + 1
            )
            front = c * (rate * mean + shift * shift / 2).exp()
            power = arb_poly([mean + spread * shift, spread]) ** n
            for m in range(legs + 1):
                polynomial = power * polynomials[m](arb_poly([shift, 1]))
                totals[m] += front * sum((polynomial[i] * moments[i] for i in range(polynomial.length())), arb(0))
    return totals


def two_kinked(name: str, k: Sequence[Sequence[float]], requests: Sequence[Sequence[Factor]]) -> list:
    """Derivatives that make deltas are moved onto the density; scales are the sizes of the regular parts."""
    function = Kinked(name)
    k11, k12, k22 = arb(k[0][0]), arb(k[0][1]), arb(k[1][1])
    sigma, load = k11.sqrt(), k12 / k11.sqrt()
    rest = (k22 - load * load).sqrt()

    plans = [(moved(function, a), moved(function, b)) for a, b in requests]
    # the second function with the most legs that are ever wanted of it
    most = max(a[0] + b[0] for a, b in plans)
    seconds = sorted({b[1] for _, b in plans})

    def calculate(count: float) -> list[tuple[arb, arb]]:
        places = [(kink / float(sigma), 1 / float(sigma)) for kink in function.kinks]
        if load != 0:
            width = float(abs(rest / load))
            near = min(width, 1 / float(abs(load))) if width > 1e-30 else width
            places += [(float(kink / load), near) for kink in function.kinks]
        nodes, weights = panels(places, int(count))
        zs = [sigma * x for x in nodes]
        tails = {b: [conditional(function, b, load * x, rest, most) for x in nodes] for b in seconds}
        results = []
        for (legs, orders), (others, b) in plans:
            products = [function.product(orders, piece) for piece in range(len(function.kinks) + 1)]
            head = [terms_value(products[function.piece(z)], z) for z in zs]
            value, size = arb(0), arb(0)
            for i in range(legs + 1):
                tail = [row[legs - i + others] for row in tails[b]]
                he = [hermite(i, x) for x in nodes]
                front = math.comb(legs, i) * sigma**-legs * (-load / rest) ** (legs - i) * rest**-others
                value += front * dot(weights, head, tail, he)
                size += abs(front) * dot(weights, [abs(v) for v in head], [abs(v) for v in tail], map(abs, he))  # type: ignore[arg-type]
            results.append(own_scale(value, size) if legs + others else (value, size))
        return results

    return twice(calculate, COUNTS)


# ---------------------------------------------------------------- chains


def mehler(rho: arb, xs: Sequence[arb], ys: Sequence[arb]) -> arb_mat:
    """Joint density over the product of the densities."""
    key = (float(rho), tuple(map(float, xs)), tuple(map(float, ys)))
    if key not in KERNELS:
        while len(KERNELS) > 5:
            KERNELS.pop(next(iter(KERNELS)))
        KERNELS[key] = _mehler(rho, xs, ys)
    return KERNELS[key]


def _mehler(rho: arb, xs: Sequence[arb], ys: Sequence[arb]) -> arb_mat:
    rest = 1 - rho * rho
    a, b, c = rho * rho / (2 * rest), rho / rest, 1 / rest.sqrt()
    squares = [a * y * y for y in ys]
    entries = []
    for x in xs:
        own, mixed = a * x * x, b * x
        entries += [c * (mixed * y - own - square).exp().mid() for y, square in zip(ys, squares, strict=True)]
    return arb_mat(len(xs), len(ys), entries)


def along(mats: Sequence[arb_mat], sites: Sequence[Sequence[arb]]) -> arb:
    vector = arb_mat(1, len(sites[0]), list(sites[0]))
    for matrix, site in zip(mats, sites[1:], strict=True):
        vector = vector * matrix
        vector = arb_mat(1, len(site), [vector[0, i] * site[i] for i in range(len(site))])
    return sum((vector[0, i] for i in range(vector.ncols())), arb(0)).mid()


def chain(name: str, sigmas: Sequence[arb], rhos: Sequence[arb], requests: Sequence[Sequence[Factor]]) -> list:
    """Averages over a chain; links with 1 - rho^2 below 0.01 must be at the ends, and of smooth functions."""
    near = [float(1 - rho * rho) < 0.01 for rho in rhos]
    first, last = int(near[0]), len(sigmas) - int(near[-1])
    factors = sorted({factor for request in requests for factor in request})
    function = Kinked(name) if name in KINKED else None
    values = smooth_values(name, factors) if function is None else None

    def calculate(step: float) -> list[tuple[arb, arb]]:
        grids, tables = [], []
        for i in range(first, last):
            if function is None:
                nodes, weights = grid(float(sigmas[i]), step, name in LOCAL)
                assert values is not None
                rows = [values(sigmas[i] * x) for x in nodes]
                table = [[w * row[n] for w, row in zip(weights, rows, strict=True)] for n in range(len(factors))]
                signless = [[abs(v) for v in column] for column in table]
            else:
                places = [(kink / float(sigmas[i]), 1 / float(sigmas[i])) for kink in function.kinks]
                nodes, weights = panels(places, int(step))
                pairs = [(sigmas[i] * x, w) for x, w in zip(nodes, weights, strict=True)]
                kinks = [arb(kink) / sigmas[i] for kink in function.kinks]
                masses = [bell(x) / sigmas[i] for x in kinks]
                table, signless = map(
                    list, zip(*[kinked_site(function, f[1], pairs, masses) for f in factors], strict=True)
                )
                nodes = nodes + kinks
            grids.append(nodes)
            tables.append((table, signless))
        inner = [mehler(rhos[i], grids[i - first], grids[i - first + 1]) for i in range(first, last - 1)]
        ends = {}
        for end, _inside, link in ((0, first, 0), (len(sigmas) - 1, last - 1 - first, len(rhos) - 1)):
            if near[link] and end in (0, len(sigmas) - 1) and not first <= end < last:
                assert values is not None
                where = 0 if end == 0 else len(grids) - 1
                rest = (1 - rhos[link] ** 2).sqrt()
                ys, ws = grid(float(rest * sigmas[end]), step, name in LOCAL)
                rows = [
                    [
                        dot(ws, column)
                        for column in zip(
                            *[values(sigmas[end] * (rhos[link] * x + rest * y)) for y in ys], strict=False
                        )
                    ]
                    for x in grids[where]
                ]
                ends[end] = (where, [list(column) for column in zip(*rows, strict=True)])
        results = []
        for request in requests:
            sites = [list(tables[i - first][0][factors.index(request[i])]) for i in range(first, last)]
            sizes = [list(tables[i - first][1][factors.index(request[i])]) for i in range(first, last)]
            for end, (where, columns) in ends.items():
                column = columns[factors.index(request[end])]
                sites[where] = [a * b for a, b in zip(sites[where], column, strict=True)]
                sizes[where] = [a * abs(b) for a, b in zip(sizes[where], column, strict=True)]
            results.append((along(inner, sites), along(inner, sizes)))
        return results

    return twice(calculate, FINER[2:13] if function is None else COUNTS[:4])


def plane(name: str, loads: Sequence[tuple[float, float]], requests: Sequence[Sequence[Factor]]) -> list:
    """Averages over inputs a x + b y."""
    columns = [sorted({request[i] for request in requests}) for i in range(len(loads))]
    tables = [smooth_values(name, own) for own in columns]

    def calculate(step: float) -> list[tuple[arb, arb]]:
        nodes, weights = grid(1.0, step, False)
        totals = [[arb(0), arb(0)] for _ in requests]
        for x, w in zip(nodes, weights, strict=True):
            for y, v in zip(nodes, weights, strict=True):
                weight = w * v
                if weight < 1e-36:
                    continue
                found = [table(a * x + b * y) for table, (a, b) in zip(tables, loads, strict=True)]
                for total, request in zip(totals, requests, strict=True):
                    part = weight
                    for own, row, factor in zip(columns, found, request, strict=True):
                        part = part * row[own.index(factor)]
                    total[0] += part
                    total[1] += abs(part)
        return [(value.mid(), size.mid()) for value, size in totals]

    return twice(calculate, FINER[2:9])
