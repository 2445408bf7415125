"""First exact witness: every weight and every bias an explicit Gaussian variable.

A multilayer perceptron with polynomial activations is a polynomial in its parameters, and so is every
derivative of it. This program writes these polynomials down, contracts the derivatives along the edges of
a forest by summing over all parameters one by one, and integrates the Gaussian variables by their moments
(0, v, 0, 3 v^2, 0, 15 v^3, ...). No identity of any field theory is used: not Wick's theorem across
neurons, not the chain rule along layers, no expansion in the width. Only two savings are made, both
plain: the product ``(b + sum_j W_j s_j)(b + sum_k W_k s_k)`` of the topmost layer is not multiplied out in
one polynomial but kept as a sum of terms, and a variable that occurs in some factors of a product only is
integrated before the other factors are multiplied in.

The price is that it takes small widths only: hidden layers of 1 to 3 neurons.

    network   z(1) = b(1) + W(1) x,   z(l+1) = b(l+1) + W(l+1) s_l(z(l))
    variance  Var b(l) = C_b(l),      Var W(l) = C_W(l) / n_{l-1}
    rates     lambda_b(l) for b(l),   lambda_W(l) / n_{l-1} for W(l)
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache, cached_property, lru_cache, reduce
from typing import NamedTuple

Rational = Fraction | int
Edge = tuple[int, int]

_BITS = 8  # of an exponent in a packed monomial; no exponent here comes near 256


class Polynomial(NamedTuple):
    """A polynomial with rational coefficients in numbered variables: ``sum of terms / denominator``.

    ``terms`` maps a packed monomial to an integer; variable number v has the exponent
    ``(monomial >> 8 v) & 255``, so that monomials are multiplied by adding their keys.
    """

    terms: dict[int, int]
    denominator: int = 1

    @staticmethod
    def constant(value: Rational) -> "Polynomial":
        value = Fraction(value)
        return Polynomial({0: value.numerator} if value else {}, value.denominator)

    @staticmethod
    def variable(number: int) -> "Polynomial":
        return Polynomial({1 << (_BITS * number): 1})

    def plus(self, other: "Polynomial") -> "Polynomial":
        denominator = math.lcm(self.denominator, other.denominator)
        terms: dict[int, int] = defaultdict(int)
        for part in (self, other):
            factor = denominator // part.denominator
            for monomial, coefficient in part.terms.items():
                terms[monomial] += factor * coefficient
        return _reduced(terms, denominator)

    def times(self, other: "Polynomial") -> "Polynomial":
        terms: dict[int, int] = defaultdict(int)
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                terms[left + right] += a * b
        return _reduced(terms, self.denominator * other.denominator)

    def derivative(self, number: int) -> "Polynomial":
        shift = _BITS * number
        terms = {}
        for monomial, coefficient in self.terms.items():
            exponent = (monomial >> shift) & 255
            if exponent:
                terms[monomial - (1 << shift)] = exponent * coefficient
        return _reduced(terms, self.denominator)

    def integrated(self, number: int, variance: Fraction) -> "Polynomial":
        """The expectation over one centred Gaussian variable."""
        shift = _BITS * number
        halves = max((((m >> shift) & 255) // 2 for m in self.terms), default=0)
        p, q = variance.numerator, variance.denominator
        moments = [math.prod(range(1, 2 * h, 2)) * p**h * q ** (halves - h) for h in range(halves + 1)]
        terms: dict[int, int] = defaultdict(int)
        for monomial, coefficient in self.terms.items():
            exponent = (monomial >> shift) & 255
            if exponent % 2 == 0:
                terms[monomial - (exponent << shift)] += coefficient * moments[exponent // 2]
        return _reduced(terms, self.denominator * q**halves)

    def value(self) -> Fraction:
        assert not any(self.terms), "a variable has not been integrated"
        return Fraction(self.terms.get(0, 0), self.denominator)


def _reduced(terms: dict[int, int], denominator: int) -> Polynomial:
    terms = {monomial: coefficient for monomial, coefficient in terms.items() if coefficient}
    common = math.gcd(denominator, *terms.values())
    if common > 1:
        terms = {monomial: coefficient // common for monomial, coefficient in terms.items()}
    return Polynomial(terms, denominator // common)


class Parameter(NamedTuple):
    """One weight ``W(layer)_{row, column}``, or the bias ``b(layer)_row`` when the column is None."""

    layer: int
    row: int
    column: int | None
    variance: Fraction
    rate: Fraction


class Feature(NamedTuple):
    """``s(z_neuron)`` of the last hidden layer at a sample, differentiated by some of the parameters."""

    neuron: int
    sample: int
    derivatives: tuple[int, ...]


class Network:
    """One perceptron with all its parameters listed; see ``explicit_tensor`` for the arguments."""

    def __init__(self, widths, inputs, outputs, activation, C_b, C_W, lambda_b, lambda_W):
        self.widths, self.inputs, self.outputs = widths, inputs, outputs
        self.layers = len(widths)
        self.activation = activation
        self.parameters: list[Parameter] = []
        for layer in range(1, self.layers + 1):
            below, rows = widths[layer - 1], [*widths[1:], outputs][layer - 1]
            k = layer - 1
            for row in range(rows):
                self.parameters.append(Parameter(layer, row, None, C_b[k], lambda_b[k]))
                for column in range(below):
                    self.parameters.append(Parameter(layer, row, column, C_W[k] / below, lambda_W[k] / below))
        self._top = {(p.row, p.column): k for k, p in enumerate(self.parameters) if p.layer == self.layers}
        self._features: dict[Feature, Polynomial] = {}
        self._averages: dict[tuple, Polynomial] = {}
        self._moments: dict[tuple, Fraction] = {}
        self._vertices: dict[tuple, list[tuple[int | None, Feature | None]]] = {}

    # -- the network as a polynomial ------------------------------------------------------------------------

    @cached_property
    def _hidden(self) -> list[list[list[Polynomial]]]:
        """``[layer][sample][neuron]``: the signal that leaves a hidden layer; layer 0 is the input."""
        signals = [[[Polynomial.constant(x) for x in vector] for vector in self.inputs]]
        for layer in range(1, self.layers):
            own = {(p.row, p.column): k for k, p in enumerate(self.parameters) if p.layer == layer}
            outgoing = []
            for below in signals[-1]:
                neurons = []
                for row in range(self.widths[layer]):
                    z = Polynomial.variable(own[row, None])
                    for column, signal in enumerate(below):
                        z = z.plus(Polynomial.variable(own[row, column]).times(signal))
                    neurons.append(_compose(self.activation[layer - 1], z))
                outgoing.append(neurons)
            signals.append(outgoing)
        return signals

    def feature(self, key: Feature) -> Polynomial:
        if key not in self._features:
            if key.derivatives:
                *others, last = key.derivatives
                value = self.feature(key._replace(derivatives=tuple(others))).derivative(last)
            else:
                value = self._hidden[-1][key.sample][key.neuron]
            self._features[key] = value
        return self._features[key]

    def vertex(self, row: int, sample: int, derivatives: tuple[int, ...]):
        """Output ``row`` differentiated by parameters: a list of terms (top parameter, feature).

        ``z = b + sum_j W_j s_j``; None stands for the factor 1, and terms that vanish are left out.
        """
        key = (row, sample, derivatives)
        if key not in self._vertices:
            self._vertices[key] = self._vertex(row, sample, derivatives)
        return self._vertices[key]

    def _vertex(self, row, sample, derivatives):
        lower = tuple(d for d in derivatives if self.parameters[d].layer < self.layers)
        upper = [self.parameters[d] for d in derivatives if self.parameters[d].layer == self.layers]
        terms: list[tuple[int | None, Feature | None]] = []
        if not upper:
            if not lower:
                terms.append((self._top[row, None], None))
            for j in range(self.widths[-1]):
                terms.append((self._top[row, j], Feature(j, sample, lower)))
        elif len(upper) == 1 and upper[0].row == row:
            if upper[0].column is not None:
                terms.append((None, Feature(upper[0].column, sample, lower)))
            elif not lower:
                terms.append((None, None))
        return [(top, f) for top, f in terms if f is None or self.feature(f).terms]

    # -- expectation values ---------------------------------------------------------------------------------

    def _neuron_average(self, features: tuple[Feature, ...]) -> Polynomial:
        """Average a product of features of one neuron over the parameters that only this neuron sees."""
        if features not in self._averages:
            own = {
                number: p.variance
                for number, p in enumerate(self.parameters)
                if p.layer == self.layers - 1 and p.row == features[0].neuron
            }
            self._averages[features] = _averaged_product([self.feature(f) for f in features], own)
        return self._averages[features]

    def _feature_moment(self, features: tuple[Feature, ...]) -> Fraction:
        """The expectation of a product of features (sorted)."""
        if features not in self._moments:
            groups = [tuple(g) for _, g in itertools.groupby(features, key=lambda f: f.neuron)]
            if len(groups) == 1:  # all variables at once, because nothing is multiplied in later
                factors, end = [self.feature(f) for f in features], self.layers
            else:
                factors, end = [self._neuron_average(g) for g in groups], self.layers - 1
            left = {k: p.variance for k, p in enumerate(self.parameters) if p.layer < end}
            self._moments[features] = _averaged_product(factors, left).value()
        return self._moments[features]

    def _top_moment(self, tops: Sequence[int]) -> Fraction:
        value = Fraction(1)
        for number, power in Counter(tops).items():
            if power % 2:
                return Fraction(0)
            value *= self.parameters[number].variance ** (power // 2) * math.prod(range(1, power, 2))
        return value

    def moment(self, vertices: Sequence[int], edges: Sequence[Edge], rows, samples) -> Fraction:
        """The expectation of a forest: vertex u is output neuron ``rows[u]`` at sample ``samples[u]``."""
        by_row = defaultdict(list)
        for u in vertices:
            by_row[rows[u]].append(u)
        total: dict[tuple[Feature, ...], Fraction] = defaultdict(Fraction)
        for rate, derivatives in self._contractions(list(edges), dict.fromkeys(vertices, ()), rows, samples):
            choices = []
            for group in by_row.values():
                combined = []
                terms = (self.vertex(rows[u], samples[u], derivatives[u]) for u in group)
                for combination in itertools.product(*terms):
                    weight = self._top_moment([top for top, _ in combination if top is not None])
                    if weight:
                        combined.append((weight, [f for _, f in combination if f is not None]))
                choices.append(combined)
            for selection in itertools.product(*choices):
                features = tuple(sorted(f for _, fs in selection for f in fs))
                total[features] += rate * math.prod(weight for weight, _ in selection)
        return sum((c * self._feature_moment(f) for f, c in total.items()), Fraction(0))

    def _contractions(self, edges, derivatives, rows, samples) -> Iterator[tuple[Fraction, dict]]:
        """All ways to give every edge a parameter, with the product of the learning rates."""
        if not edges:
            yield Fraction(1), derivatives
            return
        (u, v), *rest = edges
        for number, p in enumerate(self.parameters):
            chosen = dict(derivatives)
            for w in (u, v):
                chosen[w] = tuple(sorted((*chosen[w], number)))
            if p.rate and all(self.vertex(rows[w], samples[w], chosen[w]) for w in (u, v)):
                for rate, full in self._contractions(rest, chosen, rows, samples):
                    yield p.rate * rate, full


def _averaged_product(factors: Sequence[Polynomial], variances: dict[int, Fraction]) -> Polynomial:
    """The expectation of a product over some of its variables.

    Odd powers have no expectation. So the last multiplication is done only between terms whose product is
    even in each of these variables.
    """
    half = (len(factors) + 1) // 2
    left = reduce(Polynomial.times, factors[:half], Polynomial.constant(1))
    right = reduce(Polynomial.times, factors[half:], Polynomial.constant(1))
    parity = sum(1 << (_BITS * number) for number in variances)
    classes = []
    for polynomial in (left, right):
        split: dict[int, dict[int, int]] = defaultdict(dict)
        for monomial, coefficient in polynomial.terms.items():
            split[monomial & parity][monomial] = coefficient
        classes.append(split)
    product = Polynomial.constant(0)
    for pattern in classes[0].keys() & classes[1].keys():
        evens = Polynomial(classes[0][pattern]).times(Polynomial(classes[1][pattern]))
        product = product.plus(evens)
    product = _reduced(dict(product.terms), product.denominator * left.denominator * right.denominator)
    for number, variance in variances.items():
        product = product.integrated(number, variance)
    return product


def _compose(coefficients: Sequence[Fraction], z: Polynomial) -> Polynomial:
    value = Polynomial.constant(0)
    for c in reversed(coefficients):
        value = value.times(z).plus(Polynomial.constant(c))
    return value


def _trees(vertices: int, edges: Sequence[Edge]) -> list[frozenset[int]]:
    """The connected components of a forest."""
    trees = [frozenset([u]) for u in range(vertices)]
    for u, v in edges:
        (left,) = (t for t in trees if u in t)
        (right,) = (t for t in trees if v in t)
        assert left is not right, "the graph has a cycle"
        trees = [t for t in trees if t is not left and t is not right] + [left | right]
    return trees


def _set_partitions(items: Sequence) -> Iterator[list[list]]:
    if not items:
        yield []
        return
    first, *rest = items
    for partition in _set_partitions(rest):
        yield [[first], *partition]
        for k, block in enumerate(partition):
            yield [*partition[:k], [first, *block], *partition[k + 1 :]]


def _per_layer(value, layers: int) -> tuple:
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * layers
    assert len(values) >= layers, "one value a layer is needed"
    return tuple(Fraction(v) for v in values)


@lru_cache(maxsize=16)
def _network(*arguments) -> Network:
    return Network(*arguments)


def explicit_cumulant(
    vertices: int, edges, neurons, samples, *, widths, inputs, activation, C_b, C_W, lambda_b, lambda_W
) -> Fraction:
    """The exact joint cumulant of the trees of a forest, vertex u being output neuron ``neurons[u]``.

    The arguments are those of ``explicit_tensor``; neurons are numbered from 0 and may coincide at will.
    """
    layers = len(widths)
    if layers > 1 and not isinstance(activation[0], tuple | list):
        activation = (activation,) * (layers - 1)
    network = _network(
        tuple(widths),
        tuple(tuple(Fraction(x) for x in vector) for vector in inputs),
        max(neurons) + 1,
        tuple(tuple(Fraction(c) for c in s) for s in activation[: layers - 1]),
        *(_per_layer(value, layers) for value in (C_b, C_W, lambda_b, lambda_W)),
    )
    assert all(len(vector) == widths[0] for vector in inputs), "inputs have n_0 components"

    @cache
    def moment(chosen: frozenset[int]) -> Fraction:
        inside = [(u, v) for u, v in edges if u in chosen]
        return network.moment(sorted(chosen), inside, neurons, samples)

    cumulant = Fraction(0)
    for partition in _set_partitions(_trees(vertices, edges)):
        blocks = len(partition)
        sign = (-1) ** (blocks - 1) * math.factorial(blocks - 1)
        cumulant += sign * math.prod(moment(frozenset().union(*block)) for block in partition)
    return cumulant


def explicit_tensor(
    vertices: int, edges, pairing, samples, *, widths, inputs, activation, C_b, C_W, lambda_b, lambda_W
) -> Fraction:
    """The exact cumulant coefficient T_M of a forest with a pairing, at small widths.

    Every pair of the pairing gets an output neuron of its own; then the joint cumulant of the trees is
    ``n_{L-1}^{-(p-1)} T_M`` with p the number of pairs.

    Args:
        vertices: number of vertices, which are called ``0 .. vertices-1``.
        edges: pairs of vertices, a forest.
        pairing: pairs of vertices, a perfect matching.
        samples: for every vertex the number of its sample in ``inputs``.
        widths: ``(n_0, ..., n_{L-1})``, input dimension first; the outputs are layer L.
        inputs: one vector of n_0 rationals a sample.
        activation: coefficients of s, constant first; or a sequence of such, one a hidden layer.
        C_b: variance of the biases; like the next three one rational, or a tuple with one a layer.
        C_W: variance of the weights times the width below.
        lambda_b: learning rate of the biases.
        lambda_W: learning rate of the weights times the width below.

    Returns:
        T_M, not expanded in anything.
    """
    neurons = {u: k for k, pair in enumerate(pairing) for u in pair}
    cumulant = explicit_cumulant(
        vertices,
        edges,
        tuple(neurons[u] for u in range(vertices)),
        samples,
        widths=widths,
        inputs=inputs,
        activation=activation,
        C_b=C_b,
        C_W=C_W,
        lambda_b=lambda_b,
        lambda_W=lambda_W,
    )
    return widths[-1] ** (len(pairing) - 1) * cumulant
