"""Set partitions, pairings and compositions against counts of combinatorics and against brute force."""

import itertools
import math

import pytest

from pertheory.graphs.partitions import compositions, index_partitions, pairings, set_partitions

BELL = (1, 1, 2, 5, 15, 52, 203, 877)  # Bell numbers, OEIS A000110


@pytest.mark.parametrize("size", range(8))
def test_there_are_bell_many_set_partitions_each_once(size):
    found = index_partitions(size)
    assert len(found) == BELL[size]
    assert len({frozenset(map(frozenset, partition)) for partition in found}) == BELL[size]
    for partition in found:
        assert sorted(itertools.chain(*partition)) == list(range(size))
        assert all(partition)
        assert [block[0] for block in partition] == sorted(block[0] for block in partition)
        assert all(list(block) == sorted(block) for block in partition)


@pytest.mark.parametrize("size", range(1, 6))
def test_set_partitions_are_those_that_maps_to_labels_induce(size):
    items = "abcdef"[:size]
    brute = set()
    for labels in itertools.product(range(size), repeat=size):
        blocks = {k: frozenset(i for i, lb in zip(items, labels, strict=True) if lb == k) for k in labels}
        brute.add(frozenset(blocks.values()))
    assert {frozenset(map(frozenset, p)) for p in set_partitions(items)} == brute


def test_blocks_of_given_sizes_are_counted_by_stirling_numbers():
    # Stirling numbers of the second kind for 6 elements, OEIS A008277.
    sizes = [len(partition) for partition in index_partitions(6)]
    assert [sizes.count(k) for k in range(1, 7)] == [1, 31, 90, 65, 15, 1]


@pytest.mark.parametrize("count", range(6))
def test_there_are_double_factorial_many_pairings_each_once(count):
    found = list(pairings(range(2 * count)))
    assert len(found) == math.prod(range(1, 2 * count, 2))
    assert len({frozenset(map(frozenset, pairing)) for pairing in found}) == len(found)
    for pairing in found:
        assert sorted(itertools.chain(*pairing)) == list(range(2 * count))


def test_pairings_of_six_are_those_found_among_all_permutations():
    brute = {frozenset(frozenset(p[i : i + 2]) for i in (0, 2, 4)) for p in itertools.permutations(range(6))}
    assert {frozenset(map(frozenset, pairing)) for pairing in pairings(range(6))} == brute


def test_an_odd_number_of_items_has_no_pairing():
    assert list(pairings("abc")) == []


@pytest.mark.parametrize("total", range(5))
@pytest.mark.parametrize("parts", range(4))
def test_compositions_are_all_tuples_of_that_sum(total, parts):
    brute = [c for c in itertools.product(range(total + 1), repeat=parts) if sum(c) == total]
    assert list(compositions(total, parts)) == brute
