"""Orders that are published nowhere, exactly: T{1}, T{2} and three-pair types of a cubic network at the third layer.

The numbers come from exact_moments.py, which knows no perturbation theory; equality is of rational numbers.
"""

import pytest

from pertheory.graphs.tensor import all_types
from pertheory.rulebook.tensors import tensor_of

from .forests import BOOK, PairedForest
from .test_engine import RATIOS, compare


@pytest.mark.parametrize("name", ["V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U"])
def test_first_corrections_of_every_vertex_are_exact_and_not_zero(name):
    assert compare(BOOK[name], 1, 3, (0, 1, 1, 0) if name not in "RU" else (0, 0, 0, 0), RATIOS)


@pytest.mark.parametrize("name", ["F", "U"])
def test_second_corrections_are_exact_and_not_zero(name):
    """T{2} with two trees and with one; the witness takes moments of twelve lines, which costs seconds each."""
    assert compare(BOOK[name], 2, 3, (0, 0, 0, 0), RATIOS)


def forest_of(kind):
    return PairedForest(kind.size, kind.edges, kind.pairs, tuple(range(kind.size)))


#: a tree of five vertices with a preactivation, and of six: third and fourth differentials of the NTK
THIRD = [kind for kind in all_types(3) if sorted(map(len, kind.trees)) == [1, 5]]
FOURTH = [kind for kind in all_types(3) if len(kind.trees) == 1]
#: three-pair types with at least three trees
OTHERS = [kind for kind in all_types(3) if len(kind.trees) >= 3]


@pytest.mark.parametrize("kind", OTHERS[::3], ids=lambda kind: tensor_of(kind).name)
def test_three_pair_types_with_several_trees_are_exact(kind):
    compare(forest_of(kind), 0, 3, (0,) * 6, RATIOS)


@pytest.mark.parametrize("kind", [*THIRD[::9], FOURTH[22]], ids=lambda kind: tensor_of(kind).name)
def test_third_and_fourth_differentials_are_exact(kind):
    """Trees that no book has, exact as fractions; the witness writes out every moment, which takes seconds: of six
    vertices one of the cheaper ones proves the same."""
    compare(forest_of(kind), 0, 3, (0,) * 6, RATIOS)


@pytest.mark.parametrize("kind", all_types(3), ids=lambda kind: tensor_of(kind).name)
def test_every_three_pair_type_is_exact_at_the_second_layer(kind):
    compare(forest_of(kind), 0, 2, (0, 1, 1, 0, 0, 1), ())
