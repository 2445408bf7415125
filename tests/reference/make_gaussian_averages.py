"""Write gaussian_averages_smooth.json and gaussian_averages_kinked.json: thousands of Gaussian averages to 25 digits.

Run by hand, ``python make_gaussian_averages.py {smooth,kinked} OUT.json [FUNCTION ...]`` (10 to 20 minutes each);
needs python-flint, which the tests do not. It shares nothing with pertheory: the functions are written down in
``arb/functions.py``, derivatives are Taylor coefficients, arithmetic is Arb's with 300 bits, and the methods
(``arb/methods.py``) are others:

* *one direction*: trapezoids in a variable t with xi = c sinh t for smooth functions, Gauss-Legendre panels graded
  towards the kinks, and point masses for deltas, for kinked ones;
* *two inputs*: the second given the first, by an inner trapezoid (smooth) or by incomplete moments of the normal
  density (kinked); derivatives of kinked functions are moved onto the density, where they are Hermite polynomials;
* *chains* of inputs z1 - z2 - z3 - z4 (Markov): products of transfer matrices on one-dimensional grids;
* *planes*: four inputs of rank two on a plane grid;
* sums of exponentials and Wick sums for sin, cos, exp and polynomials at any covariance.

Every sum is done with several steps, and kept only if two agree to 1e-27 of its scale. Covariances are exact in
floating point: what stands in the file is the covariance of the value.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from arb.closed import closed, polynomial
from arb.functions import KINKED, LOCAL, SMOOTH, Factor, Kinked
from arb.methods import chain, has_site, one_direction, plane, two_kinked, two_smooth
from arb.rules import Unconverged
from flint import arb

Matrix = list[list[float]]
#: Class, function, covariance, requests and what evaluates them.
Job = tuple[str, str, Matrix, list[str], Callable[[list[list[Factor]]], list[tuple[arb, arb]]]]

TINY = 2.0**-40
VARIANCES = [TINY, 2.0**-20, 2.0**-7, 0.25, 1.0, 4.0, 16.0, 128.0, 1024.0, 8192.0]
ONE = ["0:0", "0:00", "0:1", "0:11", "0:2", "0:02", "0:0000", "2:00", "4:00", "1:01", "0:0123", "0:3", "0:13"]
ONE_KINKED = [*ONE[:4], "0:01", "0:0000", "1:00", "2:00", "4:00", "1:11", "2:11", "0:2", "0:02", "0:3"]
PAIRS = ["0:0 0:0", "0:1 0:1", "0:0 0:2", "0:00 0:11", "0:13 0:2", "2:00 0:1"]
PAIRS_KINKED = ["0:0 0:0", "0:1 0:1", "0:0 0:1", "0:00 0:11", "0:2 0:0", "0:2 0:2", "0:3 0:1", "2:00 0:1"]
#: Variance, covariance, variance of two inputs.
TWO = [
    (TINY, TINY / 2, TINY),
    (TINY, -TINY / 4, 4 * TINY),
    (2.0**-7, 3 * 2.0**-9, 2.0**-7),
    (1, 0, 1),
    (1, 0.25, 1),
    (1, -0.875, 1),
    (1, 1 - 2.0**-10, 1),
    (1, 1 - 2.0**-20, 1),
    (1, 1 - 2.0**-33, 1),
    (1, 2.0**-33 - 1, 1),
    (0.25, 0.75, 4),
    (16, 12, 16),
    (128, 48, 32),
    (8192, 4096, 8192),
    (8192, 8192 - 8, 8192),
    (8192, 8192 - 2.0**-20, 8192),
    (8192, 2.0**-15, TINY),
]
#: Loads on one direction: repeated, antipodal, of another size, and an input of zeros.
RAYS = [(1, 1), (1, -1), (1, 2), (1, 0), (1, 1, 1, 1), (1, 0, -1), (2, 1, 0, 1)]
THREE = ["0:0 0:0 0:0", "0:00 0:1 0:1", "0:1 0:2 0:11"]
FOUR = ["0:0 0:0 0:0 0:0", "0:1 0:1 0:2 0:0", "0:00 0:11 0:1 0:1", "0:0 0:13 0:0 0:2"]
THREE_KINKED = ["0:0 0:0 0:0", "0:1 0:1 0:0", "0:2 0:1 0:1", "0:00 0:11 0:2"]
FOUR_KINKED = ["0:0 0:0 0:0 0:0", "0:1 0:1 0:1 0:1", "0:2 0:0 0:1 0:1", "0:2 0:2 0:0 0:1"]
#: Kinked functions along chains, which take long.
CHAINED = {"relu", "leaky_relu", "elu", "selu", "hard_tanh", "hard_swish", "sparse_plus"}
NEAR = 1 - 2.0**-16
#: Standard deviations and correlations of neighbours; the products are exact.
CHAINS = [
    ((1, 1, 1), (0.5, -0.75)),
    ((1, 1, 1), (0.75, 1 - 2.0**-26)),
    ((1, 0.5, 2, 1), (0.5, 0.75, -0.5)),
    ((1, 1, 1, 1), (NEAR, 0.625, NEAR)),
    ((2.0**-20,) * 4, (0.5, 0.75, 0.25)),
    ((16, 16, 16, 16), (0.5, 0.75, 0.5)),
    ((64, 64, 64, 64), (0.5, 0.5, -0.5)),
    ((64, 1, 2.0**-20, 8), (0.5, 0.5, 0.5)),
]
PLANES = [
    [(1, 0), (0.5, 0.75), (0, 1), (0.75, -0.5)],
    [(1, 0), (1, 2.0**-20), (0.5, 1), (0.5, 1 + 2.0**-20)],
]


def read(request: str) -> list[Factor]:
    """Read a request ``legs:orders ...``."""
    parts = [factor.split(":") for factor in request.split()]
    return [(int(legs), tuple(map(int, orders))) for legs, orders in parts]


def several(count: int, kinked: bool) -> list[str]:
    """Requests for inputs in one direction."""
    if count == 2:
        return ["0:0 0:0", "0:1 0:1", "0:00 0:11", "0:0 0:2", "0:00 0:00"]
    return ["0:0 0:0 0:0", "0:0 0:1 0:1"] if count == 3 else FOUR[: 1 if kinked else 3]


def chained(sigmas: Sequence[float], rhos: Sequence[float]) -> Matrix:
    k = [[0.0] * len(sigmas) for _ in sigmas]
    for i, own in enumerate(sigmas):
        product = own
        for j in range(i, len(sigmas)):
            if j > i:
                product *= rhos[j - 1]
            k[i][j] = k[j][i] = product * sigmas[j]
    return k


def smooth_jobs() -> Iterator[Job]:
    """Averages of smooth functions."""
    for name in SMOOTH:
        if name == "exp":  # its averages come from far out; it is among the closed forms below
            continue
        local = name in LOCAL
        for variance in VARIANCES:
            if local or variance < 130.0:
                sigma = arb(variance).sqrt()
                yield "one", name, [[variance]], ONE, lambda r, n=name, s=sigma: one_direction(n, s, [1], r)  # type: ignore[misc]
        for loads in RAYS:
            for variance in (TINY, 1.0, 16.0, 4096.0):
                if local or variance < 17:
                    k = [[a * b * variance for b in loads] for a in loads]
                    sigma = arb(variance).sqrt()
                    yield (
                        "collinear",
                        name,
                        k,
                        several(len(loads), kinked=False),
                        lambda r, n=name, s=sigma, c=loads: one_direction(n, s, c, r),  # type: ignore[misc]
                    )
        for a, b, c in TWO:
            if local or max(a, c) < 17:
                k = [[a, b], [b, c]]
                kind = "two near" if b * b > 0.99 * a * c else "two"
                yield kind, name, k, PAIRS, lambda r, n=name, k=k: two_smooth(n, k, r)  # type: ignore[misc]
        for sigmas, rhos in CHAINS:
            if local or max(sigmas) < 5:
                roots, links = list(map(arb, sigmas)), list(map(arb, rhos))
                kind = "chain near" if max(rhos) > 0.99 else "chain"
                yield (
                    kind,
                    name,
                    chained(sigmas, rhos),
                    THREE if len(sigmas) == 3 else FOUR,
                    lambda r, n=name, s=roots, t=links: chain(n, s, t, r),  # type: ignore[misc]
                )
        for plane_loads in PLANES:
            k = [[a * c + b * d for c, d in plane_loads] for a, b in plane_loads]
            yield "plane", name, k, FOUR[:3], lambda r, n=name, p=plane_loads: plane(n, p, r)  # type: ignore[misc]
    yield from closed_jobs()


def closed_jobs() -> Iterator[Job]:
    """Averages of sin, cos, exp and monomials at covariances of every shape, many nearly singular."""
    draw = random.Random(5)
    for seed in range(24):
        size = 2 + seed % 3
        spread = [(1, 1e-1, 1e-2, 1e-3), (1, 1e-3, 1e-8, 1e-13), (1, 0.5, 1e-12, 0), (1, 1e-6, 1e-7, 1e-10)][
            seed // 3 % 4
        ]
        root = [[draw.gauss(0, 1) * value**0.5 for value in spread[:size]] for _ in range(size)]
        for scale in (1e-12, 1e-3, 1.0, 8.0, 100.0):
            k = [[scale * sum(a * b for a, b in zip(x, y, strict=True)) for y in root] for x in root]
            requests = {2: PAIRS[:5], 3: THREE, 4: FOUR}[size]
            for name in ("sin", "cos", "exp"):
                if name != "exp" or scale < 10:
                    yield "closed", name, k, requests, lambda r, n=name, k=k: closed(n, k, r)  # type: ignore[misc]
            for power in (2, 3):
                yield "closed", f"x{power}", k, requests, lambda r, p=power, k=k: polynomial(p, k, r)  # type: ignore[misc]


def kinked_jobs() -> Iterator[Job]:
    """Averages of kinked functions."""
    for name in KINKED:
        function = Kinked(name)
        bounded = function.bounded

        def possible(request: str, function: Kinked = function, bounded: int = bounded) -> bool:
            factors = read(request)
            moved = all(
                max(orders) <= bounded or (legs == 0 and (len(orders) == 1 or has_site(function, (0, orders))))
                for legs, orders in factors
            )
            raised = sum(max(orders) > bounded for _, orders in factors)
            return moved and (raised < 2 or len(factors) == 2)

        for variance in VARIANCES:
            sigma = arb(variance).sqrt()
            yield (
                "one",
                name,
                [[variance]],
                [r for r in ONE_KINKED if possible(r)],
                lambda r, n=name, s=sigma: one_direction(n, s, [1], r),  # type: ignore[misc]
            )
        for loads in RAYS:
            for variance in (TINY, 1.0, 4096.0):
                requests = several(len(loads), kinked=True)
                requests = [
                    r
                    for r in requests
                    if all(has_site(function, f) for f in read(r))
                    and all(max(o) < bounded or c for c, (_, o) in zip(loads, read(r), strict=True))
                    # a delta meets a jump
                    and (
                        max(o for _, os in read(r) for o in os) <= bounded or max(os for os in read(r)[0][1]) < bounded
                    )
                ]
                k = [[a * b * variance for b in loads] for a in loads]
                sigma = arb(variance).sqrt()
                yield (
                    "collinear",
                    name,
                    k,
                    requests,
                    lambda r, n=name, s=sigma, c=loads: one_direction(n, s, c, r),  # type: ignore[misc]
                )
        for a, b, c in TWO:
            k = [[a, b], [b, c]]
            kind = "two near" if b * b > 0.99 * a * c else "two"
            requests = [r for r in PAIRS_KINKED if possible(r)]
            yield kind, name, k, requests, lambda r, n=name, k=k: two_kinked(n, k, r)  # type: ignore[misc]
        for sigmas, rhos in CHAINS:
            if max(rhos) < 0.99 and name in CHAINED:
                roots, links = list(map(arb, sigmas)), list(map(arb, rhos))
                requests = THREE_KINKED if len(sigmas) == 3 else FOUR_KINKED
                yield (
                    "chain",
                    name,
                    chained(sigmas, rhos),
                    [r for r in requests if all(has_site(function, f) for f in read(r))],
                    lambda r, n=name, s=roots, t=links: chain(n, s, t, r),  # type: ignore[misc]
                )


def save(groups: list[dict[str, object]], path: str) -> None:
    lines = ",\n".join(json.dumps(group) for group in groups)
    with open(path, "w") as file:
        file.write(f'{{"schema": "pertheory.gaussian-averages/1", "groups": [\n{lines}\n]}}\n')


def write(which: str, path: str, *names: str) -> None:
    """Evaluate the cases (of some functions) and write the file; what does not converge is named and left out."""
    groups: list[dict[str, object]] = []
    spent: dict[str, float] = {}
    for kind, name, covariance, requests, evaluate in smooth_jobs() if which == "smooth" else kinked_jobs():
        started = time.time()
        if not requests or (names and name not in names):
            continue
        try:
            found = evaluate([read(request) for request in requests])
        except Unconverged:
            print(f"left out: {kind} {name} {covariance}", file=sys.stderr, flush=True)
            continue
        averages = {
            request: [value.mid().str(25, radius=False), scale.mid().str(6, radius=False)]
            for request, (value, scale) in zip(requests, found, strict=True)
            if scale > 0
        }
        groups.append({"class": kind, "function": name, "covariance": covariance, "averages": averages})
        spent[kind] = spent.get(kind, 0) + time.time() - started
        if len(groups) % 100 == 0:
            save(groups, path)
    print(f"{len(groups)} groups; seconds: { {kind: round(t) for kind, t in spent.items()} }", file=sys.stderr)
    save(groups, path)


if __name__ == "__main__":
    write(*sys.argv[1:])
