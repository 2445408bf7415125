"""Packed storage: what is kept, how many entries, and how rows of operands are found."""

import math
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pertheory as pt
from pertheory.kernels.lower import symmetry_of
from pertheory.kernels.packing import _orders, aligned, bounds, counts, kept, largest, needed_orders, packing_of


def closure(generators, rank):
    group = {tuple(range(rank))}
    while True:
        more = {tuple(a[i] for i in b) for a in group for b in (*group, *generators)} - group
        if not more:
            return tuple(sorted(group))
        group |= more


groups = st.integers(2, 4).flatmap(
    lambda rank: st.lists(st.permutations(range(rank)).map(tuple), max_size=3).map(lambda gens: closure(gens, rank))
)


@settings(max_examples=60)
@given(groups, st.integers(1, 4))
def test_one_entry_of_each_orbit_is_kept_and_counted(group, inputs):
    packing = packing_of(group)
    entries = list(kept(packing, inputs))
    orbits = {
        max(tuple(i[g] for g in element) for element in group) for i in product(range(inputs), repeat=len(group[0]))
    }
    assert entries == sorted(orbits)
    for length, row in enumerate(counts(packing), start=1):
        found = sum(c * math.comb(inputs - 1, j) for j, c in enumerate(row))
        assert found == len(list(kept(packing, inputs, length))) == len({entry[:length] for entry in entries})


@settings(max_examples=60)
@given(groups, st.integers(2, 4))
def test_the_last_index_runs_from_zero_without_gaps(group, inputs):
    rows = {}
    for *leading, last in kept(packing_of(group), inputs):
        rows.setdefault(tuple(leading), []).append(last)
    for found in rows.values():
        assert found == list(range(len(found)))


@settings(max_examples=40)
@given(groups, st.data())
def test_needed_orders_reach_the_kept_entry_of_every_entry_of_a_result(group, data):
    array = packing_of(group)
    rank = len(group[0])
    axes = tuple(data.draw(st.permutations([*range(rank)])))
    result = packing_of(data.draw(groups.filter(lambda other: len(other[0]) == rank)))
    found = needed_orders(array, axes, result)
    for index in kept(result, 4):
        entry = largest(array, tuple(index[a] for a in axes))
        assert entry in {tuple(index[a] for a in order) for order in found}


@settings(max_examples=40)
@given(groups)
def test_bounds_hold_for_all_kept_entries(group):
    packing = packing_of(group)
    for index in kept(packing, 4):
        for axis, others in enumerate(bounds(packing)):
            assert all(index[axis] <= index[other] for other in others)


def test_groups_of_interchangeable_axes_are_recognised():
    assert packing_of(closure([(1, 0, 2, 3), (0, 1, 3, 2)], 4)).classes == (2, 2)
    assert packing_of(closure([(1, 0, 2, 3), (0, 1, 3, 2), (2, 3, 0, 1)], 4)).classes == ()
    assert len(list(_orders(packing_of(tuple(permutations(range(3))))))) == 6


@pytest.mark.parametrize("order", [1, 2])
def test_aligned_rows_are_kept_rows(order):
    packings = {packing_of(symmetry_of(node.tensor, False)) for node in pt.theory("mlp", "all", order).nodes}
    four = [packing for packing in packings if packing.rank == 4]
    for result in four:
        for array in four:
            for axes in permutations(range(4)):
                moved = aligned(result, array, axes)
                if moved is not None:
                    assert moved[-1] == 3
                    for index in kept(result, 4):
                        assert tuple(index[a] for a in moved) == largest(array, tuple(index[a] for a in axes))
