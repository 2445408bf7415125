"""What the averages of many inputs are put together from: nothing is evaluated twice, everything is at its place."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pertheory as pt
from pertheory.averages.atoms import atoms
from pertheory.averages.choose import Chooser
from pertheory.averages.gaussian import GaussianAverages
from pertheory.averages.request import Request
from pertheory.averages.sets import set_plans
from pertheory.errors import InputError
from pertheory.functions.activation import activation
from pertheory.kernels.lower import lower


def f(*orders: int, legs: int = 0, name: str = "s") -> tuple[int, tuple[tuple[str, int], ...]]:
    return legs, tuple((name, order) for order in orders)


def covariance(size: int, seed: int = 1) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(size, size + 1))
    return root @ root.T / (size + 1)


def book_requests(order: int = 1, kinked: bool = False) -> list[Request]:
    (level,) = lower(pt.theory("mlp", order=order), "many", kinked).levels
    return [average.request for average in level.averages]


def different_averages(requests: list[Request], inputs: int) -> set:  # type: ignore[type-arg]
    """What has to be known, entry by entry: a product for each of the distinct inputs, whatever the order."""
    found = set()
    for request in requests:
        for entry in itertools.product(range(inputs), repeat=len(request)):
            distinct = list(dict.fromkeys(entry))
            for _, products in atoms(request, tuple(distinct.index(i) for i in entry)):
                found.add(frozenset(zip(distinct, products, strict=True)))
    return found


def isserlis(request: Request, entry: tuple[int, ...], k: np.ndarray) -> float:
    """<z^a z^b ...> for s = z^3 by summing over all pairings; the axes are products of derivatives of it."""
    weight, points = 1.0, []
    for (legs, lines), i in zip(request, entry, strict=True):
        assert legs == 0
        for name, order in lines:
            degree = 1 if name == "id" else 3
            if order > degree:
                return 0.0
            weight *= math.perm(degree, order)
            points += [i] * (degree - order)

    def pairings(rest: tuple[int, ...]) -> float:
        if not rest:
            return 1.0
        return sum(k[rest[0], rest[n]] * pairings(rest[1:n] + rest[n + 1 :]) for n in range(1, len(rest)))

    return weight * pairings(tuple(points)) if len(points) % 2 == 0 else 0.0


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_every_average_of_the_book_is_evaluated_exactly_once(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Chooser, "at_once", lambda *a: ()
    )  # what has a closed form, or many pairs, is not done set by set
    seen = []
    k = covariance(size)
    original = Chooser.plain

    def watched(self, sub, members, some):  # type: ignore[no-untyped-def]
        for own in members.tolist():
            seen.extend(frozenset(zip(own, atom, strict=True)) for atom in some)
        return original(self, sub, members, some)

    monkeypatch.setattr(Chooser, "plain", watched)
    average = GaussianAverages({"s": activation("x2")})
    requests = book_requests()
    average(k, requests)
    assert len(seen) == len(set(seen))
    assert set(seen) == different_averages(requests, size)
    assert average.evaluated == len(seen)


def test_the_number_of_averages_grows_with_the_sets_of_inputs_and_not_with_the_entries() -> None:
    counts = [len(different_averages(book_requests(), size)) for size in range(1, 6)]
    plans = set_plans(tuple(book_requests()), (("s", activation("tanh")),), False)
    for size, count in enumerate(counts, start=1):
        assert sum(math.comb(size, q) * plans.plan(q).evaluated for q in range(1, min(size, 4) + 1)) == count
    # of four inputs: 6 four-point and 9 two-point requests have 6 * 4^4 + 9 * 4^2 entries
    assert counts[3] < (6 * 4**4 + 9 * 4**2) / 2


@given(
    st.lists(
        st.lists(
            st.sampled_from([f(0), f(1), f(2, 3), f(0, name="id"), f(1, name="id"), f(3)]), min_size=1, max_size=3
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 3),
)
@settings(max_examples=25)
def test_every_entry_is_the_sum_over_pairings(requests: list, size: int) -> None:  # type: ignore[type-arg]
    k = covariance(size, 4)
    functions = {"s": activation("x^3")}
    found = GaussianAverages(functions)(k, [tuple(request) for request in requests])
    for request, array in zip(requests, found, strict=True):
        assert array.shape == (size,) * len(request)
        for entry in itertools.product(range(size), repeat=len(request)):
            expected = isserlis(tuple(request), entry, k)
            assert array[entry] == pytest.approx(expected, rel=1e-11, abs=1e-11), (request, entry)


def test_entries_of_four_and_five_inputs_are_the_sum_over_pairings() -> None:
    k = covariance(5, 7)
    requests: list[Request] = [(f(1), f(2), f(2), f(1)), (f(2), f(3), f(2), f(1, name="id")), (f(1), f(2), f(2))]
    found = GaussianAverages({"s": activation("x^3")})(k, requests)
    for request, array in zip(requests, found, strict=True):
        for entry in itertools.product(range(5), repeat=len(request)):
            assert array[entry] == pytest.approx(isserlis(request, entry, k), rel=1e-11, abs=1e-11)


def test_inputs_with_the_same_covariances_are_evaluated_once() -> None:
    """Orthogonal inputs of equal length: every set of three is like every other."""
    average = GaussianAverages({"s": activation("x^3")})
    k = 0.3 * np.ones((8, 8)) + 0.5 * np.eye(8)
    request: Request = (f(1), f(0), f(2))
    (array,) = average(k, [request])
    # as many averages as one set of one, two and three inputs has
    plans = set_plans((request,), (("s", activation("x^3")),), False)
    assert average.evaluated == sum(plans.plan(q).evaluated for q in (1, 2, 3))
    for entry in [(0, 1, 2), (7, 3, 5), (2, 2, 6), (4, 1, 4), (3, 3, 3)]:
        assert array[entry] == pytest.approx(isserlis(request, entry, k), rel=1e-12)


def test_only_distinct_entries_on_demand() -> None:
    k = covariance(4, 2)
    requests = book_requests(kinked=True)[::7]
    complete = GaussianAverages({"s": activation("relu")})
    full = complete(k, requests)
    average = GaussianAverages({"s": activation("relu")}, distinct=True)
    for request, array, every in zip(requests, average(k, requests), full, strict=True):
        for entry in itertools.product(range(4), repeat=len(request)):
            if len(set(entry)) == len(entry):
                np.testing.assert_array_equal(array[entry], every[entry], f"{request} {entry}")
            else:
                assert math.isnan(array[entry])
    apart = [record for record in complete.divergences if len(set(record.inputs)) == len(record.inputs)]
    assert sorted(map(repr, average.divergences)) == sorted(map(repr, apart))
    assert len(apart) < len(complete.divergences)


def test_inputs_that_are_one_variable_meet_even_if_only_distinct_entries_are_wanted() -> None:
    k = np.array([[1.0, 1.0, 0.4], [1.0, 1.0, 0.4], [0.4, 0.4, 2.0]])
    (array,) = GaussianAverages({"s": activation("relu")}, distinct=True)(k, [(f(0), f(0))])
    assert array[0, 1] == pytest.approx(0.5, rel=1e-12)
    assert array[0, 2] == array[1, 2]
    assert np.isfinite(array).all()


def test_one_warning_names_the_worst_average_and_counts_the_others() -> None:
    average = GaussianAverages({"s": activation("sin(1000000*x)*tanh(x)")})
    with pytest.warns(UserWarning, match=r"above 1\.0e-09, the worst of 3 such") as caught:
        average(np.diag([1.0, 2.0, 3.0]), [(f(0, 0),)])
    assert len(caught) == 1
    assert "<s s> at inputs (" in str(caught[0].message)


@pytest.mark.parametrize("name", ["tanh", "relu", "sin", "x^3"])
def test_variances_alone_give_the_averages_of_single_inputs(name: str) -> None:
    variances = np.concatenate([np.linspace(0.01, 40, 150) ** 0.5, [0.0, 0.3, 0.3]])
    requests: list[Request] = [(f(0, 0),), (f(1),), (f(0, 1, name="s"),), (f(0, 0, 0, 0),)]
    if name == "relu":
        variances = np.sort(variances)[1:]  # its slope has no value at zero variance
    average = GaussianAverages({"s": activation(name)})
    together = average.alone(variances, requests)
    for place in (0, 7, 64, 149, 151):
        single = GaussianAverages({"s": activation(name)})(variances[place].reshape(1, 1), requests)
        for array, (value,) in zip(together, single, strict=True):
            assert array.shape == variances.shape
            assert array[place] == pytest.approx(value, rel=1e-11, abs=1e-13)
    assert average.worst_error <= 1e-9


def test_variances_alone_are_not_enough_for_pairs() -> None:
    with pytest.raises(InputError, match="one factor"):
        GaussianAverages({"s": activation("tanh")}).alone(np.ones(2), [(f(0), f(0))])
    with pytest.raises(InputError, match="negative"):
        GaussianAverages({"s": activation("tanh")}).alone(np.array([-1.0]), [(f(0),)])
