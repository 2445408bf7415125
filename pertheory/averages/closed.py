"""Closed forms of Gaussian averages, for the families that a rule file names with ``closed_form``.

Derivatives of sin, cos, exp, gaussian and erf are sums of terms ``z^n exp(alpha z - m z^2) erf(z)^e``. The
exponent turns a Gaussian into another Gaussian, Stein's lemma lowers the powers, and error functions are signs
of variables with a little noise of their own, whose averages are probabilities of orthants.

The families ``polynomial`` and ``relu`` need nothing here: Gauss-Hermite rules are exact for the first, and
`methods/orthants.py` holds the moments of the second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from itertools import product as cartesian
from typing import TypeAlias

import numpy as np

from pertheory.averages.atoms import IDENTITY, Product
from pertheory.averages.methods.orthants import orthant4
from pertheory.averages.quadrature import Array, factor
from pertheory.rulebook.activation import Activation

#: ``(n, alpha, m, e)`` of a term, and its coefficient.
Term: TypeAlias = tuple[tuple[int, complex, int, int], complex]

#: A closed form is used where rounding costs no more than this fraction of the value.
CANCELLED = 1e-11
ROUNDING = 2e-15
#: Most terms of one average; beyond it quadrature is faster.
MAX_TERMS = 600


def _wave(phase: complex) -> Callable[[int], list[Term]]:
    """Derivatives of the real part of ``phase * exp(i z)``."""

    def terms(order: int) -> list[Term]:
        c = phase * (1, 1j, -1, -1j)[order % 4] / 2
        return [((0, 1j, 0, 0), c), ((0, -1j, 0, 0), c.conjugate())]

    return terms


def _bell(order: int) -> list[Term]:
    """Derivatives of exp(-z^2): Hermite polynomials times it."""
    coefficients = np.polynomial.hermite.herm2poly([0.0] * order + [1.0])
    return [((n, 0, 1, 0), (-1) ** order * float(c)) for n, c in enumerate(coefficients) if c]


def _erf(order: int) -> list[Term]:
    if order == 0:
        return [((0, 0, 0, 1), 1.0)]
    return [(kind, 2 / math.sqrt(math.pi) * c) for kind, c in _bell(order - 1)]


FAMILIES: Mapping[str, Callable[[int], list[Term]]] = {
    "sin": _wave(-1j),
    "cos": _wave(1),
    "exp": lambda order: [((0, 1, 0, 0), 1.0)],
    "gaussian": _bell,
    "erf": _erf,
}


class _OpenForm(Exception):
    """The average has no closed form here."""


class ClosedAverages:
    """Averages of atoms with closed forms over one covariance.

    Args:
        functions: activations by name.
        covariance: over all inputs.

    Attributes:
        worst_error: largest rounding error so far of an average that was returned, relative to its value.

    Example:
        >>> import numpy as np
        >>> from pertheory.rulebook.activation import activation
        >>> closed = ClosedAverages({"s": activation("cos")}, np.array([[2.0]]))
        >>> closed.average(((0, (("s", 0),)),)) == np.exp(-1.0)
        True
    """

    def __init__(self, functions: Mapping[str, Activation], covariance: Array) -> None:
        self._families = {name: FAMILIES.get(function.closed_form) for name, function in functions.items()}
        self._covariance = covariance
        self._tilted: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[Array, float]] = {}
        self._lost: dict[tuple[int, ...], float] = {}
        self._known: dict[tuple[object, ...], tuple[complex, float]] = {}
        self.worst_error = 0.0

    def average(self, atom: Sequence[tuple[int, Product]]) -> float | None:
        """Average an atom ``((input, product), ...)``; None where no closed form is known or digits would be lost."""
        inputs = tuple(i for i, _ in atom)
        slots = []
        for _, product in atom:
            terms = self._terms(product)
            if terms is None:
                return None
            slots.append(terms)
        if math.prod(map(len, slots)) > MAX_TERMS:
            return None
        value, size = 0j, 0.0
        try:
            for choice in cartesian(*slots):
                weight = math.prod((c for _, c in choice), start=1 + 0j)
                n, alpha, m, e = zip(*(kind for kind, _ in choice), strict=True)
                part, part_size = self._moment(inputs, n, alpha, m, e)
                value += weight * part
                size += abs(weight) * part_size
        except (_OpenForm, OverflowError):
            return None
        result = float(value.real)
        if any(m or e for terms in slots for (_, _, m, e), _ in terms):
            size *= self._loss(inputs)
        if not math.isfinite(size) or ROUNDING * size > CANCELLED * abs(result):
            return None
        self.worst_error = max(self.worst_error, ROUNDING * size / abs(result) if result else 0.0)
        return result

    def _terms(self, product: Product) -> list[Term] | None:
        """Multiply out what stands at one input."""
        total: dict[tuple[int, complex, int, int], complex] = {(0, 0, 0, 0): 1.0}
        for name, order in product:
            family = self._families.get(name)
            if name != IDENTITY and family is None:
                return None
            factor: list[Term] = [((1, 0, 0, 0), 1.0)] if family is None else family(order)
            following: dict[tuple[int, complex, int, int], complex] = {}
            for (n, a, m, e), c in total.items():
                for (n2, a2, m2, e2), c2 in factor:
                    key = (n + n2, a + a2, m + m2, e + e2)
                    following[key] = following.get(key, 0) + c * c2
            total = following
        return [(key, c) for key, c in total.items() if c]

    def _tilt(self, inputs: tuple[int, ...], m: tuple[int, ...]) -> tuple[Array, float]:
        """Covariance of the Gaussian times exp(-sum m z^2), and the average of that exponential."""
        if (inputs, m) not in self._tilted:
            k = self._covariance[np.ix_(inputs, inputs)]
            # in factors of K, so that neither large nor small directions lose digits
            root, _ = factor(k)
            middle = np.eye(root.shape[1]) + root.T @ (2.0 * np.array(m)[:, None] * root)
            lower = np.linalg.cholesky(middle)
            half = np.linalg.solve(lower, root.T)
            tilted = half.T @ half
            self._tilted[inputs, m] = tilted, 1 / float(np.prod(lower.diagonal()))
        return self._tilted[inputs, m]

    def _loss(self, inputs: tuple[int, ...]) -> float:
        """Units of rounding by which a normalisation is off when every entry of the covariance is off by one.

        Nearly collinear inputs of large variance differ by little, which their covariance holds with few digits.
        """
        if inputs not in self._lost:
            k = self._covariance[np.ix_(inputs, inputs)]
            changed = np.abs(k * np.linalg.inv(np.eye(len(k)) + 2 * k).T) * 2
            self._lost[inputs] = max(1.0, float(changed.sum()) / len(k))
        return self._lost[inputs]

    def _moment(
        self,
        inputs: tuple[int, ...],
        n: tuple[int, ...],
        alpha: tuple[complex, ...],
        m: tuple[int, ...],
        e: tuple[int, ...],
    ) -> tuple[complex, float]:
        """Average of one term, and the size of what it was summed from."""
        key = (inputs, n, alpha, m, e)
        if key not in self._known:
            self._known[key] = self._evaluate(inputs, n, alpha, m, e)
        return self._known[key]

    def _evaluate(
        self,
        inputs: tuple[int, ...],
        n: tuple[int, ...],
        alpha: tuple[complex, ...],
        m: tuple[int, ...],
        e: tuple[int, ...],
    ) -> tuple[complex, float]:
        if any(e) and any(alpha):
            raise _OpenForm
        k, factor = self._tilt(inputs, m)
        pushed = k @ np.array(alpha, dtype=complex)
        if not any(n):
            if any(e):
                signs, size = self._signs(k, [i for i, count in enumerate(e) for _ in range(count)])
                return factor * signs, factor * size
            exponent = complex(np.array(alpha) @ pushed) / 2
            if exponent.real > 700:
                raise _OpenForm
            value = factor * np.exp(exponent)
            terms = float(np.abs(alpha) @ np.abs(k) @ np.abs(alpha)) / 2
            return value, abs(value) * (1 + terms)
        lifted = next(i for i, power in enumerate(n) if power)
        lower = _less(n, lifted)
        value, size = 0j, 0.0

        def add(weight: complex, *state: tuple[int, ...]) -> None:
            nonlocal value, size
            if weight:
                part, part_size = self._moment(inputs, state[0], alpha, state[1], state[2])
                value += weight * part
                size += abs(weight) * part_size

        add(complex(pushed[lifted]), lower, m, e)
        for j, strength in enumerate(k[lifted].tolist()):
            if lower[j]:
                add(strength * lower[j], _less(lower, j), m, e)
            if e[j]:
                more = tuple(x + (i == j) for i, x in enumerate(m))
                add(strength * e[j] * 2 / math.sqrt(math.pi), lower, more, _less(e, j))
        return value, size

    @staticmethod
    def _signs(k: Array, which: list[int]) -> tuple[float, float]:
        """Average of a product of error functions: signs of z + noise of variance 1/2.

        Equation:
            Williams, Computing with infinite networks, NIPS 9 (1996), for two of them.
        """
        if len(which) % 2:
            return 0.0, 0.0
        if len(which) > 4:
            raise _OpenForm
        shared = [[float(k[i, j]) + (0.5 if a == b else 0.0) for b, j in enumerate(which)] for a, i in enumerate(which)]
        angles = []
        for a, b in combinations(range(len(which)), 2):
            c = shared[a][b] / math.sqrt(shared[a][a] * shared[b][b])
            angles.append(math.asin(min(1.0, max(-1.0, c))) * 2 / math.pi)
        if len(which) == 2:
            return angles[0], abs(angles[0])
        orthant = orthant4([[Fraction(x) for x in row] for row in shared])
        return 16 * orthant - 1 - sum(angles), 16 * orthant + 1 + sum(map(abs, angles))


def _less(values: tuple[int, ...], place: int) -> tuple[int, ...]:
    return tuple(x - (i == place) for i, x in enumerate(values))
