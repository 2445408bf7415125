"""Move 1, pair: how the fresh parameters of the layer join the two vertices of each pair.

The outside neurons of different pairs are different, and fresh parameters of different neurons are independent, so
each pair is joined by itself:

* *bias*: factor C_b, no site; only if neither vertex has an edge (a bias carries no function that could be derived);
* *weight*: factor C_W/n, opens a site, the sum over a neuron below on which both vertices put a function;
* *bias step*: uses up the only edge of both vertices, factor lambda_b, no site;
* *weight step*: uses up an edge between the two, factor lambda_W/n, opens a site;
* *identity*: the neuron is passed on, factor gamma^2, opens a site pinned to the outside neuron (no sum).

A preactivation is linear in the fresh parameters, so a vertex is derived by them at most once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from pertheory.algebra.monomial import Monomial
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network


class Join(NamedTuple):
    """One way to join the two vertices of a pair.

    Attributes:
        name: for people: "weight W", "weight W step", "bias b", "identity z", ...
        factor: the coupling that it brings, without powers of the width.
        site: "sum" (a neuron sum with a factor 1/n), "pinned" (the outside neuron) or "" (no site).
        step: whether the edge between the two vertices is used up.
        functions: the function that each of the two carries, if there is a site.
        of: the field of the layer below that they act on.
    """

    name: str
    factor: Monomial
    site: str
    step: bool
    functions: tuple[str, str]
    of: str


@lru_cache(maxsize=1_000)
def joins(rule: Network, sublayer: int, field: str) -> tuple[Join, ...]:
    """All joins that the rule allows between two vertices of one field, edges left aside."""
    found: list[Join] = []
    channels = rule.sublayers[sublayer].channels(field)
    for first, second in product(channels, repeat=2):
        if first.kind == "identity" and first is second:
            factor = first.factor * first.factor
            found.append(Join(f"identity {first.of}", factor, "pinned", False, (first.function,) * 2, first.of))
        if not first.parameter or first.parameter != second.parameter or first.of != second.of:
            continue
        parameter = rule.parameter(first.parameter)
        site = "sum" if parameter.kind == "weight" else ""
        functions = (first.function, second.function)
        name = f"{parameter.kind} {parameter.name}"
        found.append(Join(name, parameter.variance, site, False, functions, first.of))
        if parameter.learning_rate is not None:
            found.append(Join(f"{name} step", parameter.learning_rate, site, True, functions, first.of))
    return tuple(found)


def pair(rule: Network, sublayer: int, kind: TensorType) -> Iterator[tuple[Join, ...]]:
    """All choices of one join for each pair of a tensor type, in the order of ``kind.pairs``."""
    degree = [0] * kind.size
    for u, v in kind.edges:
        degree[u] += 1
        degree[v] += 1
    choices = []
    for u, v in kind.pairs:
        linked = (u, v) in kind.edges
        allowed = []
        if kind.fields[u] == kind.fields[v]:
            for join in joins(rule, sublayer, kind.fields[u]):
                if join.step and not linked:
                    continue
                edges_left = degree[u] + degree[v] - 2 * join.step
                if not join.site and edges_left:
                    continue
                allowed.append(join)
        choices.append(allowed)
    yield from product(*choices)
