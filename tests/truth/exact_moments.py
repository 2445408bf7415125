"""Second exact witness: plain moments from layer to layer, with the widths as symbols.

The expectation of a forest whose vertices sit on given neurons (any neurons, not only pairs) is reduced to
expectations one layer below. Nothing is a cumulant on the way, nothing is connected and nothing expanded:

1. *Fresh parameters.* In ``z_i = b_i + sum_j W_ij s(z_j)`` the W and b of the layer are independent of
   all that is below. On every neuron i each vertex takes part exactly once: either it is differentiated by
   a fresh parameter, together with the vertex at the other end of one of its edges (factor lambda_W/n and a
   sum over j, or lambda_b), or it contributes the b_i or the W_ij itself, and these are averaged in pairs
   (factor C_b, or C_W/n and a sum over j). So the vertices of a neuron are paired in all ways.
2. *Sums over neurons.* A pair with a sum over j carries a product of two features of neuron j: a site.
   Sites whose features are not differentiated any more are sums ``Q_ab = (1/n) sum_j s_ja s_jb``. The sites
   are distributed over distinct neurons in all ways; c distinct neurons count n(n-1)...(n-c+1) times.
3. *Chain rule.* A feature with the set S of edges left is ``d^S s(z) = sum over partitions of S of
   s^(blocks)(z) times the product over the blocks of d^block z``; with ``s^(k)(z)`` expanded in powers of
   z all is again a sum of forests on given neurons, one layer down.
4. *First layer.* Neurons are independent, z Gaussian, ``d z d z = lambda_b + lambda_W x.x/n_0`` on equal
   neurons, and all further derivatives vanish.

A result is a Laurent polynomial in the widths, a dict from the exponents ``(a_1, ..., a_{L-1})`` to the
coefficient of ``n_1^-a_1 ... n_{L-1}^-a_{L-1}``.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from typing import NamedTuple

Laurent = dict[tuple[int, ...], Fraction | int]
Counts = tuple[int, ...]
Member = tuple[int, tuple[int, ...]]  # a feature: its sample, and the names of the edges still on it
Site = tuple[Member, Member]  # two features of the same neuron, which is summed over


class State(NamedTuple):
    """A forest on given neurons of a layer.

    Attributes:
        bare: for every neuron, how many vertices without edges it carries at each sample.
        trees: neuron and sample of every vertex that has edges.
        edges: pairs of positions in ``trees``.
    """

    bare: tuple[Counts, ...]
    trees: tuple[tuple[int, int], ...]
    edges: tuple[tuple[int, int], ...]


class Ensemble:
    """All networks of given couplings, activations and inputs; the widths are free.

    The methods are pure and remember their results.
    """

    def __init__(self, gram, activation, C_b, C_W, lambda_b, lambda_W):
        self.gram, self.activation = gram, activation
        self.C_b, self.C_W, self.lambda_b, self.lambda_W = C_b, C_W, lambda_b, lambda_W
        self.samples = len(gram)
        self.pairs = [(a, b) for a in range(self.samples) for b in range(a, self.samples)]
        self.pair_number = {(a, b): k for k, (a, b) in enumerate(self.pairs)}
        self.pair_number.update({(b, a): k for k, (a, b) in enumerate(self.pairs)})
        self._none = (0,) * self.samples
        self._no_sums = (0,) * len(self.pairs)
        self._memo: dict[tuple, object] = {}

    def _remember(self, function, *arguments):
        key = (function.__name__, *arguments)
        if key not in self._memo:
            self._memo[key] = function(*arguments)
        return self._memo[key]

    # -- one layer ------------------------------------------------------------------------------------------

    def moment(self, layer: int, state: State) -> Laurent:
        """The expectation of a forest of preactivations of a layer; exponents of n_1..n_{layer-1}."""
        if any((sum(counts) + extra) % 2 for counts, extra in zip(state.bare, _loads(state), strict=True)):
            return {}
        return self._remember(self._moment, layer, _canonical(state))

    def _moment(self, layer: int, state: State) -> Laurent:
        incident = [tuple(e for e, ends in enumerate(state.edges) if u in ends) for u in range(len(state.trees))]
        total: dict = {((), self._no_sums): 1}
        for neuron, bare in enumerate(state.bare):
            here = tuple((sample, incident[u]) for u, (place, sample) in enumerate(state.trees) if place == neuron)
            contracted = self._remember(self._contract, layer, bare, here)
            product: dict = defaultdict(int)
            for (sites, sums), c in total.items():
                for (more, further), d in contracted.items():
                    product[sites + more, _add(sums, further)] += c * d
            total = product
        result: Laurent = defaultdict(int)
        for (sites, sums), c in total.items():
            for exponents, d in self.average(layer - 1, _renamed(sites), sums).items():
                result[exponents] += c * d
        return _clean(result)

    def _contract(self, layer: int, bare: Counts, trees: tuple[Member, ...]) -> dict:
        """Average one neuron over its fresh parameters.

        Returns:
            ``{(sites, powers of Q_ab): coefficient}``; a site stands for ``(1/n) sum_j`` of its two features.
        """
        if not trees:
            return {((), sums): c for sums, c in self._remember(self._wick, layer, bare).items()}
        k = layer - 1
        (sample, edges), *others = trees
        result: dict = defaultdict(int)

        def add(coefficient, site, bare_left, trees_left):
            sums, sites = self._no_sums, ()
            if site is not None and any(edges for _, edges in site):
                sites = (tuple(sorted(site)),)
            elif site is not None:
                sums = self._one_sum(site[0][0], site[1][0])
            for (more, further), c in self._remember(self._contract, layer, bare_left, trees_left).items():
                result[tuple(sorted(sites + more)), _add(sums, further)] += coefficient * c

        for b in range(self.samples):  # W with the W of a vertex without edges
            if bare[b]:
                site = ((sample, edges), (b, ()))
                add(bare[b] * self.C_W[k], site, _lowered(bare, b), tuple(others))
        for place, (b, their_edges) in enumerate(others):
            left = tuple(others[:place] + others[place + 1 :])
            add(self.C_W[k], ((sample, edges), (b, their_edges)), bare, left)  # W with W
            shared = set(edges) & set(their_edges)
            assert len(shared) <= 1, "the graph has a cycle"
            if shared:  # both differentiated by the same W, or by the same b
                mine = tuple(e for e in edges if e not in shared)
                theirs = tuple(e for e in their_edges if e not in shared)
                add(self.lambda_W[k], ((sample, mine), (b, theirs)), bare, left)
                if not mine and not theirs:
                    add(self.lambda_b[k], None, bare, left)
        return _clean(result)

    def _wick(self, layer: int, bare: Counts) -> dict:
        """E of a monomial in the z_a of one neuron, given the layer below: {powers of Q_ab: coefficient}.

        Given what is below, the z_a are Gaussian with covariance C_b + C_W Q_ab.
        """
        first = next((a for a in range(self.samples) if bare[a]), None)
        if first is None:
            return {self._no_sums: 1}
        result: dict = defaultdict(int)
        without = _lowered(bare, first)
        for b in range(self.samples):
            if without[b]:
                pair = self._one_sum(first, b)
                for sums, c in self._remember(self._wick, layer, _lowered(without, b)).items():
                    result[sums] += without[b] * self.C_b[layer - 1] * c
                    result[_add(sums, pair)] += without[b] * self.C_W[layer - 1] * c
        return _clean(result)

    # -- sums over the neurons of the layer below -----------------------------------------------------------

    def average(self, layer: int, sites: tuple[Site, ...], sums: Counts) -> Laurent:
        """E of ``prod over sites of (1/n) sum_j (two features)`` times ``prod Q_ab^sums`` at a layer."""
        below = self._average_first if layer == 1 else self._average
        return self._remember(below, layer, sites, sums)

    def _average(self, layer: int, sites: tuple[Site, ...], sums: Counts) -> Laurent:
        total: Laurent = defaultdict(int)
        power = len(sites) + sum(sums)
        for blocks in _set_partitions(sites):
            for weight, on_blocks, on_new in _distributions(sums, len(blocks)):
                neurons = [
                    ([m for site in block for m in site], powers)
                    for block, powers in itertools.zip_longest(blocks, on_blocks + on_new, fillvalue=())
                ]
                value = self._neurons_moment(layer, neurons)
                for c, stirling in _falling(len(neurons)).items():
                    for exponents, d in value.items():
                        total[(*exponents, power - c)] += weight * stirling * d
        return _clean(total)

    def _neurons_moment(self, layer: int, neurons: list[tuple[list[Member], Counts]]) -> Laurent:
        """E of a product of features on distinct neurons: chain rule, then powers of z."""
        neurons = sorted(neurons, key=lambda neuron: not any(edges for _, edges in neuron[0]))
        occupied = sum(any(edges for _, edges in ms) for ms, _ in neurons)
        members = [(place, *m) for place, (ms, _) in enumerate(neurons) for m in ms]
        total: Laurent = defaultdict(int)
        for choice in itertools.product(*(list(_set_partitions(edges)) for _, _, edges in members)):
            lines: list[list[tuple[int, int]]] = [[] for _ in neurons]
            trees: list[tuple[int, int]] = []
            ends = defaultdict(list)
            for (place, sample, _), blocks in zip(members, choice, strict=True):
                lines[place].append((sample, len(blocks)))
                for block in blocks:
                    for e in block:
                        ends[e].append(len(trees))
                    trees.append((place, sample))
            for place, (_, powers) in enumerate(neurons):
                for (a, b), power in zip(self.pairs, powers, strict=True):
                    lines[place] += [(a, 0), (b, 0)] * power
            edges = tuple((u, v) for u, v in ends.values())
            loads = [sum(at == place for at, _ in trees) for place in range(len(neurons))]
            for bare, weight in self._powers(layer, lines, loads, occupied).items():
                for exponents, d in self.moment(layer, State(bare, tuple(trees), edges)).items():
                    total[exponents] += weight * d
        return total

    def _powers(self, layer: int, lines, loads: list[int], occupied: int) -> dict[tuple[Counts, ...], Fraction | int]:
        """The product over neurons of their lines: {powers of the z_a of every neuron: coefficient}.

        Neurons from number ``occupied`` on carry no trees; their order is made standard.
        """
        partial: dict[tuple[Counts, ...], Fraction | int] = {(): 1}
        for place, (factors, load) in enumerate(zip(lines, loads, strict=True)):
            grown: dict[tuple[Counts, ...], Fraction | int] = defaultdict(int)
            for counts, c in self._remember(self._monomials, layer, tuple(sorted(factors))).items():
                if (sum(counts) + load) % 2 == 0:  # the fresh parameters have no odd moments
                    for others, d in partial.items():
                        key = (*others, counts)
                        grown[key if place < occupied else _tail_sorted(key, occupied)] += c * d
            partial = grown
        return partial

    def _monomials(self, layer: int, lines: tuple[tuple[int, int], ...]) -> dict[Counts, Fraction | int]:
        """A product of lines ``s^(k)(z_a)`` as a polynomial: {powers of the z_a: coefficient}."""
        factors = [_derived(self.activation[layer - 1], k) for _, k in lines]
        by_sample = [[1] for _ in range(self.samples)]
        for (sample, _), factor in zip(lines, factors, strict=True):
            by_sample[sample] = _product(by_sample[sample], factor)
        result = {}
        for combination in itertools.product(*(list(enumerate(p)) for p in by_sample)):
            c = math.prod(c for _, c in combination)
            if c:
                result[tuple(k for k, _ in combination)] = c
        return result

    # -- the first layer, where the neurons are independent -------------------------------------------------

    def _average_first(self, layer: int, sites: tuple[Site, ...], sums: Counts) -> Laurent:
        ends = defaultdict(list)
        for site in sites:
            for sample, edges in site:
                for e in edges:
                    ends[e].append(sample)
        # d z d z = H vanishes between different neurons, and there are no second derivatives
        kernel = math.prod(self.lambda_b[0] + self.lambda_W[0] * self.gram[a][b] for a, b in ends.values())
        clusters: list[tuple[set[int], tuple]] = []
        for site in sites:
            edges = {e for _, es in site for e in es}
            lines = tuple((sample, len(es)) for sample, es in site)
            touching = [c for c in clusters if c[0] & edges]
            clusters = [c for c in clusters if not c[0] & edges]
            clusters.append((edges.union(*(c[0] for c in touching)), sum((c[1] for c in touching), lines)))
        power = len(sites) + sum(sums)
        total: Laurent = defaultdict(int)
        for blocks in _set_partitions([lines for _, lines in clusters]):
            contents = tuple(sorted(tuple(sorted(line for lines in block for line in lines)) for block in blocks))
            for new, value in self._remember(self._independent, contents, sums).items():
                for c, stirling in _falling(len(blocks) + new).items():
                    total[(power - c,)] += kernel * stirling * value
        return _clean(total)

    def _independent(self, contents: tuple, sums: Counts) -> dict[int, Fraction | int]:
        """Features on independent neurons, times powers of ``sum_j s_ja s_jb`` over these and new neurons.

        Returns:
            ``{number of new neurons: value}``, without the factor for the choice of the neurons.
        """
        result: dict[int, Fraction | int] = defaultdict(int)
        if contents:
            for here in itertools.product(*(range(k + 1) for k in sums)):
                weight = math.prod(map(math.comb, sums, here)) * self._one_neuron(contents[0], here)
                if weight:
                    rest = tuple(k - h for k, h in zip(sums, here, strict=True))
                    for new, value in self._remember(self._independent, contents[1:], rest).items():
                        result[new] += weight * value
            return result
        first = next((t for t, k in enumerate(sums) if k), None)
        if first is None:
            return {0: 1}
        without = _lowered(sums, first)  # a new neuron is named by the first of the factors on it
        for more in itertools.product(*(range(k + 1) for k in without)):
            here = tuple(h + (t == first) for t, h in enumerate(more))
            weight = math.prod(map(math.comb, without, more)) * self._one_neuron((), here)
            rest = tuple(k - h for k, h in zip(sums, here, strict=True))
            for new, value in self._remember(self._independent, (), rest).items():
                result[new + 1] += weight * value
        return result

    def _one_neuron(self, lines: tuple[tuple[int, int], ...], sums: Counts) -> Fraction | int:
        extra = []
        for (a, b), power in zip(self.pairs, sums, strict=True):
            extra += [(a, 0), (b, 0)] * power
        return self._remember(self._lines_average, tuple(sorted((*lines, *extra))))

    def _lines_average(self, lines: tuple[tuple[int, int], ...]) -> Fraction | int:
        monomials = self._monomials(1, lines)
        return sum((c * self._remember(self._gaussian, m) for m, c in monomials.items()), 0)

    def _gaussian(self, bare: Counts) -> Fraction | int:
        """A Gaussian moment of one neuron of the first layer."""
        first = next((a for a in range(self.samples) if bare[a]), None)
        if first is None:
            return 1
        without, value = _lowered(bare, first), 0
        for b in range(self.samples):
            if without[b]:
                covariance = self.C_b[0] + self.C_W[0] * self.gram[first][b]
                value += without[b] * covariance * self._remember(self._gaussian, _lowered(without, b))
        return value

    def first_layer(self, state: State) -> Laurent:
        """The expectation of a forest of the first layer itself."""
        value = 1
        for u, v in state.edges:
            (i, a), (j, b) = state.trees[u], state.trees[v]
            value *= (self.lambda_b[0] + self.lambda_W[0] * self.gram[a][b]) if i == j else 0
        value *= 2 * len(state.edges) == len(state.trees)
        return _clean({(): value * math.prod((self._gaussian(counts) for counts in state.bare), start=1)})

    def _one_sum(self, a: int, b: int) -> Counts:
        number = self.pair_number[a, b]
        return tuple(int(k == number) for k in range(len(self.pairs)))


# -- small combinatorics ------------------------------------------------------------------------------------


def _add(a: Counts, b: Counts) -> Counts:
    return tuple(map(int.__add__, a, b))


def _lowered(counts: Counts, place: int) -> Counts:
    return (*counts[:place], counts[place] - 1, *counts[place + 1 :])


def _tail_sorted(items: tuple, start: int) -> tuple:
    return (*items[:start], *sorted(items[start:]))


def _clean(terms: Mapping) -> dict:
    return {key: value for key, value in terms.items() if value}


def _product(p: Sequence[Fraction], q: Sequence[Fraction]) -> list[Fraction]:
    result = [0] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            result[i + j] += a * b
    return result


def _derived(polynomial: Sequence[Fraction], times: int) -> list[Fraction]:
    result = list(polynomial)
    for _ in range(times):
        result = [k * c for k, c in enumerate(result)][1:]
    return result or [0]


def _set_partitions(items: Sequence) -> Iterator[list[list]]:
    if not items:
        yield []
        return
    first, *rest = items
    for partition in _set_partitions(rest):
        yield [[first], *partition]
        for k, block in enumerate(partition):
            yield [*partition[:k], [first, *block], *partition[k + 1 :]]


def _distributions(sums: Counts, old: int) -> Iterator[tuple[int, list[Counts], list[Counts]]]:
    """All ways to put labelled factors, ``sums[t]`` of type t, on ``old`` neurons and on unnamed new ones."""
    labelled = [t for t, k in enumerate(sums) for _ in range(k)]
    found: Counter = Counter()
    for places in itertools.product(range(old + 1), repeat=len(labelled)):
        on_old = [[0] * len(sums) for _ in range(old)]
        free = []
        for t, place in zip(labelled, places, strict=True):
            if place < old:
                on_old[place][t] += 1
            else:
                free.append(t)
        for blocks in _set_partitions(free):
            on_new = sorted(tuple(block.count(t) for t in range(len(sums))) for block in blocks)
            found[tuple(map(tuple, on_old)), tuple(on_new)] += 1
    for (on_blocks, on_new), weight in found.items():
        yield weight, list(on_blocks), list(on_new)


@cache
def _falling(count: int) -> dict[int, int]:
    """``n (n-1) ... (n-count+1)`` as {power of n: coefficient}."""
    result = {0: 1}
    for k in range(count):
        step: dict[int, int] = defaultdict(int)
        for power, c in result.items():
            step[power + 1] += c
            step[power] -= k * c
        result = {power: c for power, c in step.items() if c}
    return result


def _loads(state: State) -> list[int]:
    return [sum(place == neuron for place, _ in state.trees) for neuron in range(len(state.bare))]


def _canonical(state: State) -> State:
    """The same forest with neurons, vertices and edges in a standard order.

    Two equal forests may come out different when the colours below do not tell their vertices apart; that
    costs time and nothing else, because what comes out is always the same forest as what goes in.
    """
    bare, trees, edges = state
    used = [k for k, (counts, load) in enumerate(zip(bare, _loads(state), strict=True)) if any(counts) or load]
    neighbours = [[(set(e) - {u}).pop() for e in edges if u in e] for u in range(len(trees))]
    on_neuron: list[list] = [[u for u, (place, _) in enumerate(trees) if place == k] for k in range(len(bare))]
    colours = _ranks([(sample, bare[place]) for place, sample in trees])
    for _ in range(3):
        company = [sorted(colours[u] for u in on_neuron[k]) for k in range(len(bare))]
        colours = _ranks(
            [
                (colours[u], company[place], sorted(colours[v] for v in neighbours[u]))
                for u, (place, _) in enumerate(trees)
            ]
        )
    neurons = sorted(used, key=lambda k: (bare[k], sorted(colours[u] for u in on_neuron[k])))
    place = {k: number for number, k in enumerate(neurons)}
    vertices = sorted(range(len(trees)), key=lambda u: (place[trees[u][0]], colours[u]))
    number = {u: k for k, u in enumerate(vertices)}
    return State(
        tuple(bare[k] for k in neurons),
        tuple((place[trees[u][0]], trees[u][1]) for u in vertices),
        tuple(sorted(tuple(sorted((number[u], number[v]))) for u, v in edges)),
    )


def _ranks(keys: list) -> list[int]:
    order = [key for key, _ in itertools.groupby(sorted(keys))]
    return [order.index(key) for key in keys]


@cache
def _renamed(sites: tuple[Site, ...]) -> tuple[Site, ...]:
    """The same sites with the edges renamed in order of appearance."""
    sites = tuple(sorted(sites, key=lambda site: [(sample, len(edges)) for sample, edges in site]))
    names: dict[int, int] = {}
    for site in sites:
        for _, edges in site:
            for e in edges:
                names.setdefault(e, len(names))
    return tuple(tuple((a, tuple(sorted(names[e] for e in edges))) for a, edges in site) for site in sites)


# -- cumulants ----------------------------------------------------------------------------------------------


def _exact(value) -> Fraction | int:
    """A rational number, as Python's own integer where it is one: sums and products of these cost a tenth."""
    value = Fraction(value)
    return value.numerator if value.denominator == 1 else value


def _per_layer(value, layers: int) -> tuple[Fraction | int, ...]:
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * layers
    assert len(values) >= layers, "one value a layer is needed"
    return tuple(_exact(v) for v in values[:layers])


@lru_cache(maxsize=8)
def _ensemble(*arguments) -> Ensemble:
    return Ensemble(*arguments)


def _trees(vertices: int, edges) -> list[frozenset[int]]:
    root = list(range(vertices))
    for u, v in edges:
        assert root[u] != root[v], "the graph has a cycle"
        root = [root[u] if r == root[v] else r for r in root]
    return [frozenset(u for u in range(vertices) if root[u] == r) for r in sorted(set(root))]


def _times(p: Laurent, q: Laurent) -> Laurent:
    result: Laurent = defaultdict(int)
    for left, c in p.items():
        for right, d in q.items():
            result[_add(left, right)] += c * d
    return result


def exact_cumulant(
    vertices: int, edges, neurons, samples, *, layer: int, gram, activation, C_b, C_W, lambda_b, lambda_W
) -> Laurent:
    """The exact joint cumulant of the trees of a forest, vertex u being neuron ``neurons[u]`` of the layer.

    The arguments are those of ``exact_tensor``; neurons are numbered from 0 and may coincide at will.
    """
    if layer > 1 and not isinstance(activation[0], tuple | list):
        activation = (activation,) * (layer - 1)
    ensemble = _ensemble(
        tuple(tuple(map(_exact, row)) for row in gram),
        tuple(tuple(map(_exact, s)) for s in activation[: layer - 1]),
        *(_per_layer(value, layer) for value in (C_b, C_W, lambda_b, lambda_W)),
    )
    moments: dict[frozenset[int], Laurent] = {}
    cumulants: dict[frozenset[frozenset[int]], Laurent] = {}

    def moment(chosen: frozenset[int]) -> Laurent:
        if chosen not in moments:
            joined = sorted(u for u in chosen if any(u in e for e in edges))
            number = {u: k for k, u in enumerate(joined)}
            bare = [[0] * len(gram) for _ in range(max(neurons) + 1)]
            for u in chosen.difference(joined):
                bare[neurons[u]][samples[u]] += 1
            state = State(
                tuple(map(tuple, bare)),
                tuple((neurons[u], samples[u]) for u in joined),
                tuple((number[u], number[v]) for u, v in edges if u in number),
            )
            moments[chosen] = ensemble.moment(layer, state) if layer > 1 else ensemble.first_layer(state)
        return moments[chosen]

    def cumulant(trees: frozenset[frozenset[int]]) -> Laurent:
        """``E[all] = sum over the groups that contain the first tree of kappa(group) E[the others]``."""
        if trees not in cumulants:
            first, *others = sorted(trees, key=sorted)
            result = defaultdict(int, moment(frozenset().union(*trees)))
            for size in range(len(others)):
                for group in itertools.combinations(others, size):
                    rest = trees.difference(group, [first])
                    product = _times(cumulant(frozenset([first, *group])), moment(frozenset().union(*rest)))
                    for exponents, c in product.items():
                        result[exponents] -= c
            cumulants[trees] = _clean(result)
        return cumulants[trees]

    return cumulant(frozenset(_trees(vertices, edges)))


def exact_tensor(
    vertices: int, edges, pairing, samples, *, layer: int, gram, activation, C_b, C_W, lambda_b, lambda_W
) -> Laurent:
    """The exact cumulant coefficient T_M of a forest with a pairing, as a function of all widths.

    Every pair of the pairing gets a neuron of its own; then the joint cumulant of the trees is
    ``n_{layer-1}^{-(p-1)} T_M`` with p the number of pairs.

    Args:
        vertices: number of vertices, which are called ``0 .. vertices-1``.
        edges: pairs of vertices, a forest.
        pairing: pairs of vertices, a perfect matching.
        samples: for every vertex the number of its sample, a row of ``gram``.
        layer: the layer whose preactivations the vertices are; 1 is the first.
        gram: the matrix of x.x'/n_0, rational; it may be singular.
        activation: coefficients of s, constant first; or a sequence of such, one a hidden layer.
        C_b: variance of the biases; like the next three one rational, or a tuple with one a layer.
        C_W: variance of the weights times the width below.
        lambda_b: learning rate of the biases.
        lambda_W: learning rate of the weights times the width below.

    Returns:
        ``{(a_1, ..., a_{layer-1}): coefficient of n_1^-a_1 ... n_{layer-1}^-a_{layer-1}}``, zeros left out.
        At layer 1, which is Gaussian, all but G and H are empty and the exponents are ``()``.
    """
    neurons = {u: k for k, pair in enumerate(pairing) for u in pair}
    cumulant = exact_cumulant(
        vertices,
        tuple(edges),
        tuple(neurons[u] for u in range(vertices)),
        samples,
        layer=layer,
        gram=gram,
        activation=activation,
        C_b=C_b,
        C_W=C_W,
        lambda_b=lambda_b,
        lambda_W=lambda_W,
    )
    if layer == 1:
        assert not cumulant or len(pairing) == 1
        return cumulant
    shift = len(pairing) - 1
    return {(*lower, last - shift): c for (*lower, last), c in cumulant.items()}


def evaluate(poly: Laurent, widths: Sequence[int]) -> Fraction:
    """The value of a tensor at hidden widths ``(n_1, ..., n_{layer-1})``."""
    total = Fraction(0)
    for exponents, c in poly.items():
        total += c * math.prod((Fraction(n) ** -a for n, a in zip(widths, exponents, strict=True)), start=Fraction(1))
    return total


def expand(poly: Laurent, layer: int, k: int, ratios: Sequence = ()) -> Fraction:
    """``T{k}``: the coefficient of ``1/n_{layer-1}^k`` at fixed ratios of the widths.

    Args:
        poly: a result of ``exact_tensor``.
        layer: its layer.
        k: the order.
        ratios: ``(r_1, ..., r_{layer-1})`` with ``n_l = r_l n``; only their quotients matter.
            Empty for equal widths.
    """
    ratios = tuple(Fraction(r) for r in ratios) or (Fraction(1),) * (layer - 1)
    assert len(ratios) == layer - 1, "one ratio a hidden layer"
    assert all(sum(exponents) >= 0 for exponents in poly), "a tensor grows with the width"
    total = Fraction(0)
    for exponents, c in poly.items():
        if sum(exponents) == k:
            total += c * math.prod((ratios[-1] / r) ** a for r, a in zip(ratios, exponents, strict=True))
    return total
