"""Numeric Gaussian averages of products of derivatives of activation functions.

The one place where the rest of the program asks for numbers: `GaussianAverages` takes the covariance over the
inputs and a list of requests, groups what is the same average, and hands each group to the method that is
exact for it: nested trapezoids for smooth functions, moments on orthants and
piecewise integration for kinked ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product as cartesian

import numpy as np
from numpy.typing import NDArray

from pertheory.errors import InputError, UnsupportedError
from pertheory.numeric.atoms import IDENTITY, Factor, Line, Product, Request, atoms, show_request
from pertheory.numeric.closed import ClosedAverages
from pertheory.numeric.kinked import Divergent, KinkedAverages
from pertheory.numeric.many import MANY, ManyInputs
from pertheory.numeric.quadrature import check_covariance
from pertheory.numeric.smooth import SmoothAverages
from pertheory.rulebook.activation import Activation

__all__ = ["Divergence", "Factor", "GaussianAverages", "Line", "Request"]

#: Distinct inputs that one entry may have.
MOST_INPUTS = 4

#: Sorted ``(input, product)`` pairs: what one average is, whatever request it came from.
Atom = tuple[tuple[int, Product], ...]


@dataclass(frozen=True)
class Divergence:
    """An average that is infinite or undefined: the request, the inputs of the entry and why."""

    request: Request
    inputs: tuple[int, ...]
    reason: str


class GaussianAverages:
    """Averages over Gaussian preactivations.

    A request has one axis per factor; a factor is ``(legs, lines)``: the derivative of order `legs` of the
    product of lines ``(function, derivative order)``, all at one variable. The name ``id`` is the identity.

    Args:
        functions: activations by the names that lines use.
        rtol: relative error, with respect to the scale of the average, above which a warning is given.

    Attributes:
        divergences: what was infinite or undefined so far; the entries are NaN.
        worst_error: largest error estimate so far, relative to the scale of the average.

    Example:
        >>> import numpy as np
        >>> from pertheory.rulebook.activation import activation
        >>> average = GaussianAverages({"s": activation("x2")})
        >>> average(np.array([[2.0]]), [((0, (("s", 0),)),), ((2, (("s", 0), ("s", 0))),)])
        [array([2.]), array([24.])]
    """

    def __init__(self, functions: Mapping[str, Activation], rtol: float = 1e-9) -> None:
        if IDENTITY in functions:
            raise InputError(f"the name {IDENTITY!r} always means the identity function; use another name")
        self._functions = dict(functions)
        self._rtol = rtol
        self._smooth = SmoothAverages(functions, rtol)
        self._bent = {name for name, function in functions.items() if function.jump_order is not None}
        self._pieced = {name for name, function in functions.items() if not function.is_smooth}
        self._kinked_error = 0.0
        self._pair_error = 0.0
        self.divergences: list[Divergence] = []

    @property
    def worst_error(self) -> float:
        """Largest error estimate so far, relative to the scale of the average."""
        return max(self._smooth.worst_error, self._kinked_error, self._pair_error)

    def __call__(self, covariance: NDArray[np.float64], requests: Sequence[Request]) -> list[NDArray[np.float64]]:
        """Evaluate requests.

        Args:
            covariance: D x D over the inputs; singular and zero are allowed.
            requests: what to average.

        Returns:
            One array of shape (D,) * (number of factors) for each request.

        Raises:
            InputError: wrong covariance or unknown function name.
            UnsupportedError: an entry with more than four distinct inputs.
        """
        k = check_covariance(covariance)
        for name in {line[0] for request in requests for _, lines in request for line in lines}:
            if name != IDENTITY and name not in self._functions:
                raise InputError(f"unknown function {name!r} in a request; known: {sorted(self._functions)}")
        same = _representatives(k)
        results = [np.zeros((len(k),) * len(request)) for request in requests]
        left = self._all_pairs(k, same, requests, results)
        entries: dict[tuple[tuple[Atom, int], ...], list[tuple[int, tuple[int, ...]]]] = {}
        for number, request in enumerate(requests):
            for inputs in left.get(number, cartesian(range(len(k)), repeat=len(request))):
                terms = _terms(request, tuple(same[i] for i in inputs))
                entries.setdefault(terms, []).append((number, inputs))
        values = self._smooth_values(k, entries, requests)
        # it looks at the whole covariance, which takes long for many inputs
        kinked = KinkedAverages(self._functions, k if self._pieced else np.zeros((0, 0)))
        for terms, places in entries.items():
            number, inputs = places[0]
            plain = [(atom, c) for atom, c in terms if atom in values]
            total = sum(c * values[atom] for atom, c in plain)
            try:
                total += kinked.average([(atom, c) for atom, c in terms if atom not in values])
            except Divergent as error:
                total = np.nan
                self.divergences += [Divergence(requests[n], where, str(error)) for n, where in places]
            except UnsupportedError as error:
                raise UnsupportedError(f"{show_request(requests[number])} at inputs {inputs}: {error}") from None
            for n, where in places:
                results[n][where] = total
        self._kinked_error = max(self._kinked_error, kinked.worst_error)
        return results

    def _all_pairs(
        self,
        k: NDArray[np.float64],
        same: Sequence[int],
        requests: Sequence[Request],
        results: list[NDArray[np.float64]],
    ) -> dict[int, list[tuple[int, ...]]]:
        """Fill in the two-point averages of smooth functions where inputs are many.

        Returns:
            By the number of the request the entries that are still missing.
        """
        wanted = [
            number
            for number, request in enumerate(requests)
            if len(request) == 2 and not any(line[0] in self._pieced for _, lines in request for line in lines)
        ]
        if len(k) < MANY or not wanted:
            return {}
        pairs = ManyInputs(tuple(sorted(self._functions.items())), k, same, [requests[n] for n in wanted])
        left: dict[int, list[tuple[int, ...]]] = {}
        for number in wanted:
            first, second = requests[number]
            found, error, missing = pairs.average(first, second)
            if error <= self._rtol:
                results[number][...] = found
                left[number] = [(int(i), int(j)) for i, j in np.argwhere(missing)]
                self._pair_error = max(self._pair_error, error)
        return left

    def _smooth_values(
        self,
        k: NDArray[np.float64],
        entries: Mapping[tuple[tuple[Atom, int], ...], list[tuple[int, tuple[int, ...]]]],
        requests: Sequence[Request],
    ) -> dict[Atom, float]:
        """Average every atom without kinks, all atoms at the same inputs together."""
        closed = ClosedAverages(self._functions, k)
        values: dict[Atom, float] = {}
        groups: dict[tuple[int, ...], dict[Atom, tuple[int, tuple[int, ...]]]] = {}
        for terms, places in entries.items():
            for atom, _ in terms:
                if any(name in self._pieced for _, product in atom for name, _ in product):
                    continue
                if atom not in values and (exact := closed.average(atom)) is not None:
                    values[atom] = exact
                if atom in values:
                    continue
                group = tuple(i for i, _ in atom)
                if len(group) > MOST_INPUTS:
                    number, inputs = places[0]
                    raise UnsupportedError(
                        f"{show_request(requests[number])} at inputs {inputs}: {len(group)} distinct "
                        f"inputs in one average; at most {MOST_INPUTS} are supported"
                    )
                groups.setdefault(group, {}).setdefault(atom, places[0])
        self._pair_error = max(self._pair_error, closed.worst_error)
        for group, members in groups.items():
            sub = k[np.ix_(group, group)]
            found, errors = self._smooth.averages(sub, [tuple(p for _, p in atom) for atom in members])
            values.update(zip(members, found.tolist(), strict=True))
            worst = int(np.argmax(errors)) if len(errors) else 0
            if len(errors) and not errors[worst] <= self._rtol:
                number, inputs = list(members.values())[worst]
                warnings.warn(
                    f"{show_request(requests[number])} at inputs {inputs}, K = {sub.tolist()}: estimated "
                    f"relative error {errors[worst]:.1e} is above {self._rtol:.1e}",
                    stacklevel=3,
                )
        return values


def _representatives(k: NDArray[np.float64]) -> list[int]:
    """Map each input to the first one that is the same random variable."""
    variances = k.diagonal()
    apart = np.abs(variances[:, None] - k) + np.abs(variances - k)
    # the diagonal always holds, and the first that holds is the first of all
    same: list[int] = np.argmax(apart <= 4e-16 * variances[:, None], axis=1).tolist()
    return same


def _terms(request: Request, inputs: tuple[int, ...]) -> tuple[tuple[Atom, int], ...]:
    """Expand one entry into atoms at its distinct inputs."""
    slots: dict[int, int] = {}
    pattern = tuple(slots.setdefault(i, len(slots)) for i in inputs)
    return _canonical(request, pattern, tuple(slots))


def _canonical(request: Request, pattern: tuple[int, ...], distinct: tuple[int, ...]) -> tuple[tuple[Atom, int], ...]:
    collected: dict[Atom, int] = {}
    for coefficient, parts in atoms(request, pattern):
        atom = tuple(sorted((i, part) for i, part in zip(distinct, parts, strict=True) if part))
        collected[atom] = collected.get(atom, 0) + coefficient
    return tuple(sorted(collected.items()))
