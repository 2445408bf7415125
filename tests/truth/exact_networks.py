"""Exact witness for networks with several channels: plain moments from sublayer to sublayer, widths as symbols.

A generalisation of exact_moments.py, written anew. A *step* makes fields out of the fields below it, through biases,
weights and identity channels, with a polynomial function on every weight and identity channel. The expectation of a
product of preactivations and their contracted parameter derivatives, on any given neurons, is reduced to expectations
one step below. No cumulant, no pairing of neurons and no expansion in the width is used on the way, so rules that break
the pair structure are treated as exactly as those that keep it.

1. *Fresh parameters.* On every neuron a vertex is either passed on by an identity channel, or takes part in exactly one
   pair: two vertices share a fresh parameter that is averaged (variance), or they are both differentiated by one, along
   an edge between them (learning rate). A pair by a weight opens a sum over the neurons below, divided by their number.
2. *Sums over neurons* are sorted by which of them coincide with each other and with the neurons that were passed on:
   c new neurons beside k given ones count (n-k)(n-k-1)...(n-k-c+1) times.
3. *Chain rule.* A function with edges left is a sum over the partitions of these edges into blocks.
4. *First layer.* Neurons are independent Gaussians, tangents exist between two preactivations of one neuron only.

A result is a Laurent polynomial: a dict from exponents ``(a_0, a_1, ...)`` to the coefficient of
``n_0^-a_0 n_1^-a_1 ...``, one exponent for each width symbol of the architecture.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple

Laurent = dict[tuple[int, ...], Fraction]
Function = tuple[Fraction, ...]  # coefficients, constant first
Feature = tuple[Function, int, frozenset[int]]  # function, sample, names of the edges that are left


class Bias(NamedTuple):
    variance: Fraction
    rate: Fraction = Fraction(0)


class Weight(NamedTuple):
    """``sum_j W_ij f(y_j)``; variance and rate are divided by the number of neurons of y."""

    function: Function
    of: str
    variance: Fraction
    rate: Fraction = Fraction(0)


class Identity(NamedTuple):
    """``factor f(y_i)``, f the identity unless another function is given."""

    of: str
    factor: Fraction = Fraction(1)
    function: Function = (Fraction(0), Fraction(1))


class Architecture(NamedTuple):
    """A network as data.

    Attributes:
        covariance: of the Gaussian fields of the first layer, one matrix over the samples for each field.
        tangent: likewise their first-layer tangent kernels.
        steps: for every step from below to above ``{field: channels}``.
        widths: for every step the number of the width symbol of each field below it.
        symbols: how many width symbols there are.
    """

    covariance: dict[str, tuple[tuple[Fraction, ...], ...]]
    tangent: dict[str, tuple[tuple[Fraction, ...], ...]]
    steps: tuple[dict[str, tuple], ...]
    widths: tuple[dict[str, int], ...]
    symbols: int


class State(NamedTuple):
    """A forest on given neurons: ``neurons`` holds (field, powers of z at each sample without edges)."""

    neurons: tuple[tuple[str, tuple[int, ...]], ...]
    trees: tuple[tuple[int, int], ...]  # (place in neurons, sample)
    edges: tuple[tuple[int, int], ...]  # places in trees


class Site(NamedTuple):
    """What one pair or one passed-on vertex puts on a neuron below; ``neuron`` is None where it is summed over."""

    field: str
    neuron: int | None
    features: tuple[Feature, ...]


class ExactNetwork:
    """Expectations of one architecture; results are remembered."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.samples = len(next(iter(architecture.covariance.values())))
        self.none = (0,) * architecture.symbols
        self._moments: dict[tuple[int, State], Laurent] = {}
        self._alone: dict[tuple[str, tuple[Feature, ...]], Fraction] = {}

    def moment(self, steps: int, state: State) -> Laurent:
        """The expectation of a forest after so many steps."""
        if not steps:
            return self._first(state)
        given = (steps, state)
        if given not in self._moments:  # as it is, and with its equals
            key = (steps, _standard(state))
            if key not in self._moments:
                self._moments[key] = self._moment(*key)
            self._moments[given] = self._moments[key]
        return self._moments[given]

    def _first(self, state: State) -> Laurent:
        value = Fraction(1)
        if 2 * len(state.edges) != len(state.trees):
            return {}
        for u, v in state.edges:
            (i, a), (j, b) = state.trees[u], state.trees[v]
            value *= self.architecture.tangent[state.neurons[i][0]][a][b] if i == j else 0
        for field, bare in state.neurons:
            value *= _gaussian(bare, self.architecture.covariance[field])
        return {self.none: value} if value else {}

    def _moment(self, steps: int, state: State) -> Laurent:
        channels = self.architecture.steps[steps - 1]
        edges_at: list[list[int]] = [[] for _ in state.trees]
        for name, ends in enumerate(state.edges):
            for u in ends:
                edges_at[u].append(name)
        joined: dict[tuple[Site, ...], Fraction] = {(): Fraction(1)}
        for place, (field, bare) in enumerate(state.neurons):
            own = tuple((a, frozenset(edges_at[u])) for u, (at, a) in enumerate(state.trees) if at == place)
            found = _joinings(place, channels[field], own, bare)
            grown: dict[tuple[Site, ...], Fraction] = defaultdict(Fraction)
            for (left, c), (right, d) in itertools.product(joined.items(), found.items()):
                grown[tuple(sorted(left + right, key=_site_key))] += c * d
            joined = grown
        total: Laurent = defaultdict(Fraction)
        for sites, c in joined.items():
            if not c:
                continue
            for placed, weight in self._placings(steps, sites):
                if steps == 1:
                    if value := c * self._independent(placed):
                        for own, count in weight.items():
                            total[own] += count * value
                    continue
                for lower, d in _chain_rule(placed, self.samples):
                    for exponents, value in self.moment(steps - 1, lower).items():
                        for own, count in weight.items():
                            total[tuple(map(int.__add__, exponents, own))] += c * d * count * value
        return {exponents: value for exponents, value in total.items() if value}

    def _independent(self, placed: tuple) -> Fraction:
        """Move 4: the expectation of features on neurons of the first layer is a product, a factor a neuron.

        An edge needs both of its ends on one neuron, and second derivatives of what is linear are zero.
        """
        whole = Fraction(1)
        for field, features in placed:
            if (field, features) not in self._alone:
                total = Fraction(0)
                for bare, blocks, c in _neuron(features, self.samples):
                    ends: dict[int, list[int]] = defaultdict(list)
                    for sample, block in blocks:
                        for name in block:
                            ends[name].append(sample)
                    if all(len(block) == 1 for _, block in blocks) and all(len(own) == 2 for own in ends.values()):
                        tangents = (self.architecture.tangent[field][a][b] for a, b in ends.values())
                        total += c * _gaussian(bare, self.architecture.covariance[field]) * math.prod(tangents)
                self._alone[field, features] = total
            whole *= self._alone[field, features]
            if not whole:
                break
        return whole

    def _placings(self, steps: int, sites: tuple[Site, ...]) -> Iterator[tuple[tuple, Laurent]]:
        """All coincidences of the neurons that are summed over, each with its polynomial in the widths."""
        widths = self.architecture.widths[steps - 1]
        by_field: list[list[tuple[tuple, Laurent]]] = []
        for field in sorted({site.field for site in sites}):
            own = [site for site in sites if site.field == field]
            given: dict[int, list[Feature]] = defaultdict(list)
            for site in own:
                if site.neuron is not None:
                    given[site.neuron] += site.features
            summed = tuple(site.features for site in own if site.neuron is None)
            options = []
            for (on_given, on_new), count in _coincidences(summed, len(given)).items():
                neurons = [
                    (field, tuple(start) + tuple(more)) for start, more in zip(given.values(), on_given, strict=True)
                ]
                neurons += [(field, more) for more in on_new]
                weight: Laurent = {}
                for power, c in _falling(len(given), len(on_new)).items():
                    exponents = list(self.none)
                    exponents[widths[field]] = len(summed) - power
                    weight[tuple(exponents)] = Fraction(c * count)
                options.append((tuple(neurons), weight))
            by_field.append(options)
        for choice in itertools.product(*by_field):
            weight = {self.none: Fraction(1)}
            for _, own in choice:
                weight = _times(weight, own)
            yield tuple(neuron for neurons, _ in choice for neuron in neurons), weight


# -- the moves ----------------------------------------------------------------------------------------------


@cache
def _joinings(place: int, channels: tuple, trees: tuple, bare: tuple[int, ...]) -> dict[tuple[Site, ...], Fraction]:
    """Move 1 on one neuron: all ways to pass its vertices on or to pair them."""
    if not trees and not any(bare):
        return {(): Fraction(1)}
    if trees:
        first, trees = trees[0], trees[1:]
    else:
        sample = next(a for a, power in enumerate(bare) if power)
        first, bare = (sample, frozenset()), _lowered(bare, sample)
    result: dict[tuple[Site, ...], Fraction] = defaultdict(Fraction)

    def add(sites: tuple[Site, ...], factor: Fraction, trees: tuple, bare: tuple[int, ...]) -> None:
        if factor:
            for more, c in _joinings(place, channels, trees, bare).items():
                result[tuple(sorted(sites + more, key=_site_key))] += factor * c

    for channel in channels:
        if isinstance(channel, Identity):
            add((Site(channel.of, place, ((channel.function, *first),)),), channel.factor, trees, bare)
    partners = [(other, (*trees[:k], *trees[k + 1 :]), bare, 1) for k, other in enumerate(trees)]
    partners += [((b, frozenset()), trees, _lowered(bare, b), power) for b, power in enumerate(bare) if power]
    for other, trees_left, bare_left, count in partners:
        for channel in channels:
            if isinstance(channel, Identity):
                continue
            ways = [(channel.variance, first[1], other[1])]
            ways += [(channel.rate, first[1] - {e}, other[1] - {e}) for e in first[1] & other[1]]
            for factor, mine, theirs in ways:
                if isinstance(channel, Weight):
                    pair = ((channel.function, first[0], mine), (channel.function, other[0], theirs))
                    add((Site(channel.of, None, _sorted(pair)),), count * factor, trees_left, bare_left)
                elif not mine and not theirs:
                    add((), count * factor, trees_left, bare_left)
    return dict(result)


@cache
def _coincidences(summed: tuple[tuple[Feature, ...], ...], given: int) -> Counter:
    """Move 2: ``{(features added to each given neuron, features of each new neuron): number of ways}``."""
    found: Counter = Counter()
    for places in itertools.product(range(given + 1), repeat=len(summed)):
        on_given = tuple(
            _sorted(f for site, p in zip(summed, places, strict=True) if p == k for f in site) for k in range(given)
        )
        free = [site for site, p in zip(summed, places, strict=True) if p == given]
        for blocks in _set_partitions(free):
            on_new = sorted((_sorted(f for site in block for f in site) for block in blocks), key=_features_key)
            found[on_given, tuple(on_new)] += 1
    return found


def _chain_rule(placed: tuple, samples: int) -> Iterator[tuple[State, Fraction]]:
    """Move 3: every feature as a polynomial of the preactivation times derivatives of it."""
    options = [_neuron(features, samples) for _, features in placed]
    for choice in itertools.product(*options):
        neurons, trees, ends = [], [], defaultdict(list)
        coefficient = Fraction(1)
        for place, ((field, _), (bare, blocks, c)) in enumerate(zip(placed, choice, strict=True)):
            neurons.append((field, bare))
            coefficient *= c
            for sample, block in blocks:
                for name in block:
                    ends[name].append(len(trees))
                trees.append((place, sample))
        edges = tuple(tuple(sorted(pair)) for _, pair in sorted(ends.items()))
        yield State(tuple(neurons), tuple(trees), edges), coefficient


@cache
def _neuron(features: tuple[Feature, ...], samples: int) -> tuple:
    """All (powers, differentiated vertices, coefficient) of the product of features on one neuron."""
    result: dict[tuple, Fraction] = {((0,) * samples, ()): Fraction(1)}
    for function, sample, edges in features:
        grown: dict[tuple, Fraction] = defaultdict(Fraction)
        for partition in _set_partitions(sorted(edges)):
            derived = list(function)
            for _ in partition:
                derived = [k * c for k, c in enumerate(derived)][1:]
            blocks = tuple((sample, tuple(block)) for block in partition)
            for (bare, before), c in result.items():
                for power, d in enumerate(derived):
                    if d:
                        more = (*bare[:sample], bare[sample] + power, *bare[sample + 1 :])
                        grown[more, before + blocks] += c * d
        result = grown
    return tuple((bare, blocks, c) for (bare, blocks), c in result.items() if c)


@cache
def _gaussian(bare: tuple[int, ...], covariance: tuple[tuple[Fraction, ...], ...]) -> Fraction:
    first = next((a for a, power in enumerate(bare) if power), None)
    if first is None:
        return Fraction(1)
    rest, value = _lowered(bare, first), Fraction(0)
    for b, power in enumerate(rest):
        if power:
            value += power * covariance[first][b] * _gaussian(_lowered(rest, b), covariance)
    return value


# -- small things -------------------------------------------------------------------------------------------


def _features_key(features: Sequence[Feature]) -> tuple:
    return tuple((function, sample, tuple(sorted(edges))) for function, sample, edges in features)


def _sorted(features) -> tuple[Feature, ...]:
    return tuple(sorted(features, key=lambda f: _features_key((f,))))


def _site_key(site: Site) -> tuple:
    return (site.field, -1 if site.neuron is None else site.neuron, _features_key(site.features))


def _lowered(counts: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*counts[:place], counts[place] - 1, *counts[place + 1 :])


def _standard(state: State) -> State:
    """Equal forests in an equal order where that is cheap; what comes out is always the same forest."""
    neighbours: list[list[int]] = [[] for _ in state.trees]
    for u, v in state.edges:
        neighbours[u].append(v)
        neighbours[v].append(u)
    colour: list = [(state.trees[u][1], state.neurons[state.trees[u][0]]) for u in range(len(state.trees))]
    for _ in range(3):
        ranks = {value: k for k, value in enumerate(sorted(set(colour)))}
        number = [ranks[value] for value in colour]
        on_neuron = [
            tuple(sorted(number[u] for u, (place, _) in enumerate(state.trees) if place == k))
            for k in range(len(state.neurons))
        ]
        colour = [
            (number[u], on_neuron[state.trees[u][0]], tuple(sorted(number[v] for v in neighbours[u])))
            for u in range(len(state.trees))
        ]
    load = [
        tuple(sorted(colour[u] for u, (p, _) in enumerate(state.trees) if p == k)) for k in range(len(state.neurons))
    ]
    used = [k for k, (_, bare) in enumerate(state.neurons) if any(bare) or load[k]]
    order = sorted(used, key=lambda k: (state.neurons[k], load[k]))
    place = {k: number for number, k in enumerate(order)}
    vertices = sorted(range(len(state.trees)), key=lambda u: (place[state.trees[u][0]], colour[u]))
    name = {u: number for number, u in enumerate(vertices)}
    return State(
        tuple(state.neurons[k] for k in order),
        tuple((place[state.trees[u][0]], state.trees[u][1]) for u in vertices),
        tuple(sorted(tuple(sorted((name[u], name[v]))) for u, v in state.edges)),
    )


def _set_partitions(items: Sequence) -> Iterator[list[list]]:
    if not items:
        yield []
        return
    first, *rest = items
    for partition in _set_partitions(rest):
        yield [[first], *partition]
        for k, block in enumerate(partition):
            yield [*partition[:k], [first, *block], *partition[k + 1 :]]


@cache
def _falling(given: int, new: int) -> dict[int, int]:
    """``(n-given)(n-given-1)...``, ``new`` factors, as {power of n: coefficient}."""
    result = {0: 1}
    for k in range(new):
        step: dict[int, int] = defaultdict(int)
        for power, c in result.items():
            step[power + 1] += c
            step[power] -= (given + k) * c
        result = {power: c for power, c in step.items() if c}
    return result


def _times(p: Laurent, q: Laurent) -> Laurent:
    result: Laurent = defaultdict(Fraction)
    for (left, c), (right, d) in itertools.product(p.items(), q.items()):
        result[tuple(map(int.__add__, left, right))] += c * d
    return {exponents: value for exponents, value in result.items() if value}


# -- cumulants ----------------------------------------------------------------------------------------------


def exact_cumulant(network: ExactNetwork, steps: int, vertices: int, edges, neurons, samples, field="z") -> Laurent:
    """The exact joint cumulant of the trees of a forest, vertex u being neuron ``neurons[u]`` of a field."""

    @cache
    def moment(chosen: frozenset[int]) -> tuple:
        joined = sorted(u for u in chosen if any(u in e for e in edges))
        number = {u: k for k, u in enumerate(joined)}
        bare = [[0] * network.samples for _ in range(max(neurons) + 1)]
        for u in chosen.difference(joined):
            bare[neurons[u]][samples[u]] += 1
        state = State(
            tuple((field, tuple(counts)) for counts in bare),
            tuple((neurons[u], samples[u]) for u in joined),
            tuple((number[u], number[v]) for u, v in edges if u in number),
        )
        return network.moment(steps, state)

    root = list(range(vertices))
    for u, v in edges:
        assert root[u] != root[v], "the graph has a cycle"
        root = [root[u] if r == root[v] else r for r in root]
    trees = [frozenset(u for u in range(vertices) if root[u] == r) for r in sorted(set(root))]
    total: Laurent = defaultdict(Fraction)
    for partition in _set_partitions(trees):
        value: Laurent = {network.none: Fraction((-1) ** (len(partition) - 1) * math.factorial(len(partition) - 1))}
        for block in partition:
            value = _times(value, moment(frozenset().union(*block)))
        for exponents, c in value.items():
            total[exponents] += c
    return {exponents: c for exponents, c in total.items() if c}


def exact_tensor(network: ExactNetwork, steps: int, vertices: int, edges, pairing, samples, field="z") -> Laurent:
    """The exact cumulant, each pair on a neuron of its own; to be multiplied by (width below)^(pairs - 1)."""
    neurons = {u: k for k, pair in enumerate(pairing) for u in pair}
    return exact_cumulant(network, steps, vertices, edges, [neurons[u] for u in range(vertices)], samples, field)


def coefficient(cumulant: Laurent, power: int, ratios: Sequence, below: int) -> Fraction:
    """The coefficient of (1 / width below)^power at fixed ratios of the widths.

    Args:
        cumulant: a Laurent polynomial in the widths.
        power: of one over the width below.
        ratios: the widths n_k = ratios[k] n.
        below: the number of the width in which it is expanded.
    """
    total = Fraction(0)
    for exponents, c in cumulant.items():
        if sum(exponents) == power:
            total += c * math.prod(
                (Fraction(ratios[below]) / Fraction(r)) ** a for a, r in zip(exponents, ratios, strict=True)
            )
    return total


def value_at(cumulant: Laurent, widths: Sequence[int]) -> Fraction:
    """The cumulant at given widths."""
    terms = (
        c * math.prod(Fraction(n) ** -a for n, a in zip(widths, exponents, strict=True))
        for exponents, c in cumulant.items()
    )
    return sum(terms, Fraction(0))
