"""Many sets of three and four inputs at once against closed forms and Mehler's formula for one set after the other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pertheory.averages.choose import KINKED
from pertheory.averages.estimate import Atom, Task, Wanted
from pertheory.averages.gaussian import GaussianAverages
from pertheory.averages.methods import pairs_of_pairs
from pertheory.averages.methods.exponentials import Exponentials
from pertheory.averages.methods.mehler import Layout, pair_averages
from pertheory.averages.methods.pairs_of_pairs import PairsOfPairs
from pertheory.functions.activation import activation

ALL = {3: 1, 4: 1}
ORDERS = ((0, 0, 0, 0), (2, 0, 1, 1), (1, 3, 1, 1), (2, 2, 1, 1))


def wanted(name: str) -> Wanted:
    return Wanted({"s": activation(name)}, 1e-9, KINKED)


def atoms(size: int) -> list[Atom]:
    return [tuple((("s", order),) for order in orders[:size]) for orders in ORDERS]


def covariances(size: int, alike: float, count: int = 4, scale: float = 0.8) -> np.ndarray:
    """Of inputs that have a part in common."""
    random = np.random.default_rng(size)
    tables = random.normal(size=(count, size, 20)) + alike * random.normal(size=(count, 1, 20))
    return scale / (20 * (1 + alike**2)) * tables @ tables.swapaxes(1, 2)


@pytest.mark.parametrize("alike", [0.0, 0.7, 1.2])
@pytest.mark.parametrize("size", [3, 4])
def test_bells_and_waves_are_within_the_estimate_of_their_closed_forms(size: int, alike: float) -> None:
    """erf' is a bell, whose averages are determinants; the averages of products of sines are exponentials."""
    k = covariances(size, alike)
    bell, sine = (
        PairsOfPairs(wanted(name), ALL).average(Task([((("s", order),),) * size], k, {}))
        for name, order in (("erf", 1), ("sin", 0))
    )
    assert bell is not None
    assert sine is not None
    bells = (2 / math.sqrt(math.pi)) ** size / np.sqrt(np.linalg.det(np.eye(size) + 2 * k))
    signs = np.array(list(itertools.product((1, -1), repeat=size)))
    weights = np.exp(-np.einsum("ci,nij,cj->nc", signs, k, signs) / 2)
    waves = (weights @ signs.prod(axis=1) / (2j) ** size).real
    for (values, errors, scales), exact in ((bell[:, 0], bells), (sine[:, 0], waves)):
        assert (errors <= 1e-9 * scales).all()
        assert (np.abs(values - exact) <= errors).all()


@pytest.mark.parametrize("alike", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("name", ["tanh", "gelu"])
@pytest.mark.parametrize("size", [3, 4])
def test_one_set_after_the_other_is_within_the_estimate(name: str, size: int, alike: float) -> None:
    k, own = covariances(size, alike), wanted(name)
    found = PairsOfPairs(own, ALL).average(Task(atoms(size), k, {}))
    assert found is not None
    assert np.isfinite(found[1]).all()
    for n, each in enumerate(k):
        other = pair_averages(own.frozen, each, Layout.of(atoms(size)), 1.5)
        assert other is not None
        values, errors, scales = other
        assert (np.abs(found[0, :, n] - values) <= found[1, :, n] + errors * scales).all()
    if alike < 2:
        assert (found[1] <= 1e-9 * found[2]).all()


def moment(k: list[list[float]], powers: tuple[int, ...], known: dict[tuple[int, ...], float]) -> float:
    """<z_0^a z_1^b ...>: the first factor is contracted with each of the others."""
    if powers not in known:
        first = next((n for n, power in enumerate(powers) if power), None)
        if first is None:
            return 1.0
        left = [power - (n == first) for n, power in enumerate(powers)]
        rest = ((n, tuple(own - (m == n) for m, own in enumerate(left))) for n, power in enumerate(left) if power)
        known[powers] = sum(left[n] * k[first][n] * moment(k, below, known) for n, below in rest)
    return known[powers]


@pytest.mark.parametrize("alike", [0.0, 1.2])
@pytest.mark.parametrize("scale", [0.02, 9.0])
@pytest.mark.parametrize("polynomial", [(0, 1, 0, 0.1), (-1, 0, 1), (0.5, 1, 0, 0, -0.01), (1, 2)])
@pytest.mark.parametrize("size", [3, 4])
def test_polynomials_are_sums_of_moments(size: int, polynomial: tuple[float, ...], scale: float, alike: float) -> None:
    text = "+".join(f"({own!r})*x**{n}" for n, own in enumerate(polynomial))
    k, own = covariances(size, alike, scale=scale), [*atoms(size)[:2], *([((("s", 0), ("s", 1)),) * size])]
    values, errors, scales = PairsOfPairs(wanted(text), ALL).average(Task(own, k, {}))
    assert (errors <= 1e-9 * scales).all()
    series = np.polynomial.Polynomial(polynomial)
    for n, each in enumerate(k):
        known: dict[tuple[int, ...], float] = {}
        for row, atom in enumerate(own):
            factors = [math.prod((series.deriv(d) if d else series) for _, d in product).coef for product in atom]
            powers = itertools.product(*(range(len(factor)) for factor in factors))
            exact = math.fsum(
                math.prod(factor[p] for factor, p in zip(factors, each_power, strict=True))
                * moment(each.tolist(), each_power, known)
                for each_power in powers
            )
            assert abs(values[row, n] - exact) <= errors[row, n], (n, atom)


def test_tables_that_are_not_kept_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    k = covariances(6, 0.5, 1)[0]
    sets = np.array(list(itertools.combinations(range(6), 4)))
    task = Task(atoms(4), k[sets[:, :, None], sets[:, None, :]], {})
    kept = PairsOfPairs(wanted("tanh"), ALL).average(task)
    monkeypatch.setattr(pairs_of_pairs, "KEPT", 1)
    again = PairsOfPairs(wanted("tanh"), ALL).average(task)
    assert kept is not None
    assert again is not None
    assert np.array_equal(kept, again)


def test_what_has_no_regular_pairs_is_left_to_others() -> None:
    """Zeros; one variable, its opposite, its double and its half; of no use, and what others make of them."""
    loadings = np.array([[1.0, 0], [-1.0, 0], [2.0, 0], [0.5, 0], [0, 0], [0.6, 0.8]])
    k = loadings @ loadings.T
    for members in ([0, 1, 2, 3], [0, 4, 5], [0, 1, 2]):
        found = PairsOfPairs(wanted("tanh"), ALL).average(
            Task(atoms(len(members)), k[np.ix_(members, members)][None], {})
        )
        assert found is not None
        assert (found[1] == np.inf).all()
    (found,) = GaussianAverages({"s": activation("tanh")})(k, [((0, (("s", 0),)),) * 4])
    z = np.linspace(-11, 11, 2001)
    exact = np.exp(-z * z / 2) @ (np.tanh(z) ** 2 * np.tanh(2 * z) * np.tanh(z / 2)) / np.exp(-z * z / 2).sum()
    assert found[0, 1, 2, 3] == pytest.approx(-exact, rel=1e-9)
    assert found[0, 1, 2, 4] == 0


def test_exponentials_of_many_sets_are_those_of_each() -> None:
    k, own = covariances(4, 0.5), [*atoms(4), *([((("s", 0), ("s", 1)),) * 4])]
    method = Exponentials(wanted("exp(x)+sin(x)"))
    found = method.average(Task(own, k, {}))
    assert found is not None
    for n, each in enumerate(k):
        alone = method.average(Task(own, each[None], {}))
        assert alone is not None
        np.testing.assert_allclose(found[:, :, n], alone[:, :, 0], rtol=1e-13)


def test_a_factor_that_vanishes_makes_exact_zeros() -> None:
    """The second derivative of a line has no terms at all."""
    atom: Atom = ((("s", 2),), (("s", 1),), (("s", 1),))
    found = Exponentials(wanted("2*x+1")).average(Task([atom], covariances(3, 0.5), {}))
    assert found is not None
    assert (found == 0).all()
