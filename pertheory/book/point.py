"""Random points at which statements are evaluated: kernel, tensors, couplings and a polynomial activation, all exact.

With a polynomial activation every Gaussian average is a finite sum over pairings, all numbers are rational, and two
sides are equal or not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from copy import copy
from fractions import Fraction
from functools import cached_property
from itertools import product

from pertheory.algebra.dual import Dual, dual
from pertheory.algebra.linear import identity, is_regular, solve_rational
from pertheory.algebra.sums import Exponents, add_exponents, multiply
from pertheory.book.canonical import KERNEL
from pertheory.graphs.tensor import TensorType, canonical_slots

#: derivatives up to the fourth of the activation occur, so a polynomial needs at least this degree to tell them apart
DEGREE = 5

#: a polynomial in the preactivations
Polynomial = dict[Exponents, Dual]


class Point:
    """A random point: kernel, tensors, couplings and activation.

    Args:
        samples: how many different samples there are.
        seed: fixes everything.
        variable: the tensor type with respect to which slopes are taken, or None.
    """

    def __init__(self, samples: int, seed: str, variable: TensorType | None = None) -> None:
        self.seed, self.variable = seed, variable
        self.shift: dict[TensorType, int] = {}
        draw = random.Random(seed)
        self.samples = samples
        self.activation = [draw.choice([-1, 1]) * draw.randint(2, 40) for _ in range(DEGREE + 1)]
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
        self.kernel = [[Dual(entry, own) for entry in row] for row in whole]  # type: ignore[arg-type]
        self.moments: dict[Exponents, Dual] = {(0,) * samples: dual(1)}
        self.raised: dict[tuple[TensorType, int], dict[Exponents, Dual]] = {}

    @cached_property
    def inverse(self) -> list[list[Fraction]]:
        """The inverse of the kernel, which raises indices."""
        found = solve_rational(self.whole, identity(self.samples))
        assert found is not None, "a regular matrix has its inverse"
        return found

    def symbol(self, name: str) -> Dual:
        """The value of a scalar."""
        return dual(Fraction(random.Random(f"{self.seed} {name}").randint(100, 100_000), 7))

    def tensor(self, kind: TensorType, order: int, labels: Sequence[int]) -> Dual:
        """A component, in the order of the vertices of the type."""
        if kind == KERNEL and order == 0:
            return self.kernel[labels[0]][labels[1]]
        slots = canonical_slots(kind, tuple(labels))
        value = random.Random(f"{self.seed} {kind} {order} {slots}").randint(1_000, 100_000)
        value += self.shift.get(kind, 0) if order == 0 else 0
        return Dual(value, int(kind == self.variable and order == 0))  # type: ignore[arg-type]

    def moved(self, kind: TensorType, step: int) -> Point:
        """The same point with all components of a tensor raised by a number."""
        other = copy(self)
        other.raised = {}
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
        """The Gaussian average of a product of powers of the preactivations."""
        known = self.moments.get(exponents)
        if known is not None:
            return known
        head = next(i for i, power in enumerate(exponents) if power)
        rest = [*exponents[:head], exponents[head] - 1, *exponents[head + 1 :]]
        total = dual(0)
        if sum(rest) % 2:
            for other, power in enumerate(rest):
                if power:
                    lower = rest.copy()
                    lower[other] -= 1
                    total = total + dual(power) * self.kernel[head][other] * self.moment(tuple(lower))
        self.moments[exponents] = total
        return total

    def function(self, order: int, sample: int) -> Polynomial:
        """A derivative of the activation at a sample."""
        coefficients = self.activation
        for _ in range(order):
            coefficients = [power * c for power, c in enumerate(coefficients)][1:]
        return {self.power(sample, power): dual(c) for power, c in enumerate(coefficients) if c}

    def power(self, sample: int, exponent: int) -> Exponents:
        """The exponents of a power of one preactivation."""
        return tuple([exponent if i == sample else 0 for i in range(self.samples)])

    @property
    def one(self) -> Exponents:
        """The exponents of a constant."""
        return (0,) * self.samples

    def number(self, value: Dual) -> Polynomial:
        """A number as a polynomial."""
        return {self.one: value} if value else {}

    def mean(self, polynomial: Polynomial) -> Dual:
        """The Gaussian average."""
        return sum((value * self.moment(exponents) for exponents, value in polynomial.items()), dual(0))


def product_of(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product of polynomials in the preactivations."""
    return multiply(a, b, add_exponents)
