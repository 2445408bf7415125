"""Random points at which statements are evaluated: kernel, tensors, couplings and a polynomial activation, all exact.

With a polynomial activation every Gaussian average is a finite sum over pairings, all numbers are rational, and two
sides are equal or not.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Sequence
from copy import copy
from fractions import Fraction
from functools import cached_property
from itertools import combinations_with_replacement, product
from math import comb, perm, prod

from pertheory.algebra.dual import Dual, dual, lean, sum_of_products
from pertheory.algebra.gaussian import GaussianMoments
from pertheory.algebra.linear import identity, is_regular, solve_rational
from pertheory.algebra.monomial import Powers
from pertheory.algebra.polynomial import multiply_sums
from pertheory.book.canonical import KERNEL
from pertheory.graphs.tensor import TensorType, canonical_slots
from pertheory.memo import kept

#: derivatives up to the fourth of the activation occur, so a polynomial needs at least this degree to tell them apart
DEGREE = 5
#: with several neurons products of four have to stay small
LOW_DEGREE = 3
#: a function that a statement leaves open is tried with all its monomials at once: up to this degree and this many
TOP_DEGREE = 6
MONOMIALS = 300
#: every scalar is a multiple of it, so that few fractions occur, which calculate slowly
COMMON = 24

Exponents = tuple[int, ...]
#: a polynomial in the fields
Polynomial = dict[Exponents, Dual]


class Point:
    """A random point: kernel, tensors, couplings and activation.

    A field is a preactivation: that of a neuron at a sample. Fields of different neurons are independent.

    Args:
        samples: how many different samples there are.
        seed: fixes everything.
        variable: the tensor type with respect to which slopes are taken, or None.
        neurons: how many there are, or None for one neuron and an activation of high degree.
    """

    def __init__(self, samples: int, seed: str, variable: TensorType | None = None, neurons: int | None = None) -> None:
        self.seed, self.variable, self.neurons = seed, variable, neurons or 1
        self.shift: dict[TensorType, int] = {}
        draw = random.Random(seed)
        self.samples = samples
        self.activation = [draw.choice([-1, 1]) * draw.randint(2, 40) for _ in range(DEGREE + 1)]
        self.activation = self.activation[: (LOW_DEGREE if neurons else DEGREE) + 1]
        while True:
            off = [[draw.choice([-1, 1]) * draw.randint(2, 60) for _ in range(samples)] for _ in range(samples)]
            whole = [
                [off[min(a, b)][max(a, b)] if a != b else draw.randint(20, 200) for b in range(samples)]
                for a in range(samples)
            ]
            if is_regular(whole):
                break
        self.whole = whole
        own = 1 if variable == KERNEL else 0
        self.use([[Dual(entry, own) for entry in row] for row in whole])  # type: ignore[arg-type]
        self.components: dict[tuple[TensorType, int, tuple[int, ...]], Dual] = {}
        self.raised: dict[tuple[TensorType, int], dict[Exponents, Dual]] = {}

    @cached_property
    def inverse(self) -> list[list[Fraction]]:
        """The inverse of the kernel, which raises indices."""
        found = solve_rational(self.whole, identity(self.samples))
        assert found is not None, "a regular matrix has its inverse"
        return found

    @kept
    def symbol(self, name: str) -> Dual:
        """The value of a scalar, a whole number that the denominators of most coefficients divide."""
        return dual(COMMON * random.Random(f"{self.seed} {name}").randint(10, 10_000))

    def scalars(self, powers: Powers) -> Fraction:
        """A product of powers of scalars."""
        factors = (Fraction(self.symbol(name).value) ** exponent for name, exponent in powers)
        return lean(prod(factors, start=Fraction(1)))

    def tensor(self, kind: TensorType, order: int, labels: Sequence[int]) -> Dual:
        """A component, in the order of the vertices of the type."""
        if kind == KERNEL and order == 0:
            return self.kernel[labels[0]][labels[1]]
        key = (kind, order, tuple(labels))
        if key not in self.components:
            drawn = random.Random(f"{self.seed} {kind} {order} {canonical_slots(kind, tuple(labels))}")
            value = drawn.randint(1_000, 100_000) + (self.shift.get(kind, 0) if order == 0 else 0)
            self.components[key] = Dual(value, int(kind == self.variable and order == 0))  # type: ignore[arg-type]
        return self.components[key]

    def use(self, kernel: list[list[Dual]]) -> None:
        """Take another covariance of the averages; what raises indices stays the inverse of its values."""
        self.kernel, self.of_one = kernel, GaussianMoments(kernel, dual, sum_of_products)

    def use_mean_metric(self) -> None:
        """Take K + G{1}/n_prev as covariance."""
        places = range(self.samples)
        of = [[self.tensor(KERNEL, 1, [a, b]).value for b in places] for a in places]
        self.use([[Dual(self.kernel[a][b].value, of[a][b]) for b in places] for a in places])

    def moved(self, kind: TensorType, step: int) -> Point:
        """The same point with all components of a tensor raised by a number."""
        other = copy(self)
        other.raised, other.components = {}, {}
        other.shift = {**self.shift, kind: self.shift.get(kind, 0) + step}
        return other

    def raised_tensor(self, kind: TensorType, order: int) -> dict[Exponents, Dual]:
        """All components with every index raised, one index after the other."""
        key = (kind, order)
        if key not in self.raised:
            everywhere = list(product(range(self.samples), repeat=kind.size))
            values = {at: self.tensor(kind, order, at).value for at in everywhere}
            for slot in range(kind.size):
                values = {
                    at: sum(
                        (
                            self.inverse[at[slot]][c] * values[(*at[:slot], c, *at[slot + 1 :])]
                            for c in range(self.samples)
                        ),
                        Fraction(0),
                    )
                    for at in everywhere
                }
            self.raised[key] = {at: dual(value) for at, value in values.items()}
        return self.raised[key]

    def moment(self, exponents: Exponents) -> Dual:
        """The Gaussian average of a product of powers of the fields."""
        if self.neurons == 1:
            own: Dual = self.of_one.moment(exponents)
            return own
        size = self.samples
        blocks = [exponents[neuron * size : (neuron + 1) * size] for neuron in range(self.neurons)]
        return prod((self.of_one.moment(block) for block in blocks), start=dual(1))

    def field(self, neuron: int, sample: int) -> int:
        """The number of a field."""
        return neuron * self.samples + sample

    def place(self, field: int) -> tuple[int, int]:
        """Neuron and sample of a field."""
        return divmod(field, self.samples)

    def function(self, order: int, field: int) -> Polynomial:
        """A derivative of the activation of a field."""
        powers = list(enumerate(self.activation))[order:]
        return {self.power(field, power - order): dual(c * perm(power, order)) for power, c in powers if c}

    def power(self, field: int, exponent: int) -> Exponents:
        """The exponents of a power of one field."""
        return tuple([exponent if i == field else 0 for i in range(self.neurons * self.samples)])

    @property
    def one(self) -> Exponents:
        """The exponents of a constant."""
        return (0,) * (self.neurons * self.samples)

    def probe(self, name: str, neurons: range) -> Polynomial:
        """A polynomial in the fields of some neurons with a random coefficient at every monomial.

        A statement that is linear in it holds for each of the monomials if it holds for this one, as long as no
        coincidence of random numbers makes errors cancel.
        """
        fields = [self.field(neuron, sample) for neuron in neurons for sample in range(self.samples)]
        count = len(fields)
        degree = max(d for d in range(1, TOP_DEGREE + 1) if d == 1 or comb(count + d, d) <= MONOMIALS)
        draw = random.Random(f"{self.seed} {name} {neurons}")
        found: Polynomial = {}
        for size in range(degree + 1):
            for choice in combinations_with_replacement(fields, size):
                exponents = list(self.one)
                for field in choice:
                    exponents[field] += 1
                found[tuple(exponents)] = dual(draw.choice([-1, 1]) * draw.randint(1, 10_000))
        return found

    def number(self, value: Dual) -> Polynomial:
        """A number as a polynomial."""
        return {self.one: value} if value else {}

    def mean(self, polynomial: Polynomial) -> Dual:
        """The Gaussian average."""
        return sum_of_products((value, self.moment(exponents)) for exponents, value in polynomial.items())


def product_of(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product of polynomials in the preactivations."""
    for one, other in ((a, b), (b, a)):
        if len(one) == 1:
            ((exponents, factor),) = one.items()
            if not any(exponents):  # a number
                return other if factor == dual(1) else {key: factor * value for key, value in other.items()}
    if any(value.slope for poly in (a, b) for value in poly.values()):
        return multiply_sums(a, b, _join)
    plain = multiply_sums({key: value.value for key, value in a.items()}, {k: v.value for k, v in b.items()}, _join)
    return {key: Dual(value, 0) for key, value in plain.items()}  # type: ignore[arg-type]


def _join(a: Exponents, b: Exponents) -> Exponents:
    return tuple(map(operator.add, a, b))
