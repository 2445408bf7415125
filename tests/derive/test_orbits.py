"""One diagram of each orbit stands for all: nothing is lost and nothing counted twice."""

import itertools
import random

import pytest

import pertheory as pt
from pertheory.algebra.terms import add_terms
from pertheory.derive import layer
from pertheory.forms.expand import expand
from pertheory.graphs.tensor import symmetry_elements, tensor_type
from pertheory.rulebook.tensors import named_tensors, tensor_of

from .relabelling import renamed_terms

MLP = pt.network("mlp")
NAMED = [(t.name, t.kind, order) for t in named_tensors() for order in range(2 if t.pairs < 3 else 1)]
V8 = tensor_type(("z",) * 8, (), ((0, 1), (2, 3), (4, 5), (6, 7)))[0]


def random_kind(size, seed, density=0.6):
    draw = random.Random(seed)
    names = list(range(size))
    draw.shuffle(names)
    edges = [(names[draw.randrange(k)], names[k]) for k in range(1, size) if draw.random() < density]
    draw.shuffle(names)
    pairs = tuple((names[k], names[k + 1]) for k in range(0, size, 2))
    return tensor_type(("z",) * size, tuple(edges), pairs)[0]


RANDOM = [(f"random-{size}-{seed}", random_kind(size, seed), 0) for size in (4, 6) for seed in range(12)]
RANDOM += [(f"random-4-{seed}-order-1", random_kind(4, seed), 1) for seed in range(6)]
PRODUCTS = [  # forests with large symmetry groups, which random ones hardly have
    ("H H H, a ring", tensor_type(("z",) * 6, ((0, 1), (2, 3), (4, 5)), ((1, 2), (3, 4), (0, 5)))[0], 0),
    ("H H H, each by itself", tensor_type(("z",) * 6, ((0, 1), (2, 3), (4, 5)), ((0, 1), (2, 3), (4, 5)))[0], 0),
    ("dH dH", tensor_type(("z",) * 6, ((0, 1), (0, 2), (3, 4), (3, 5)), ((0, 3), (1, 4), (2, 5)))[0], 0),
    ("star of six", tensor_type(("z",) * 6, tuple((0, k) for k in range(1, 6)), ((0, 1), (2, 3), (4, 5)))[0], 0),
]
CASES = NAMED + RANDOM + PRODUCTS
cases = pytest.mark.parametrize(("kind", "order"), [c[1:] for c in CASES], ids=[f"{c[0]}-{c[2]}" for c in CASES])


def terms_of(kind, diagrams):
    samples = tuple(range(kind.size))
    return add_terms(item for diagram in diagrams for item in expand(diagram, samples).items())


@cases
def test_the_same_terms_come_out_without_using_the_symmetry(kind, order, monkeypatch):
    with_symmetry = layer.diagrams.__wrapped__(MLP, 0, kind, order)
    monkeypatch.setattr(layer, "symmetry_elements", lambda kind: (tuple(range(kind.size)),))
    without = layer.diagrams.__wrapped__(MLP, 0, kind, order)
    assert all(diagram.orbit_size == 1 for diagram in without)
    assert len(without) >= len(with_symmetry)
    assert terms_of(kind, with_symmetry) == terms_of(kind, without)


@cases
def test_terms_are_unchanged_by_the_symmetries_of_the_tensor(kind, order):
    terms = terms_of(kind, layer.diagrams(MLP, 0, kind, order))
    assert terms
    for element in kind.symmetries:  # generators: what they leave unchanged, the group leaves unchanged
        assert renamed_terms(terms, element) == terms


@cases
def test_orbit_and_stabilizer_multiply_to_the_order_of_the_group(kind, order):
    group = symmetry_elements(kind)
    seen = set()
    for diagram in layer.diagrams(MLP, 0, kind, order):
        own = diagram.key(group[0])
        stabilizer = sum(diagram.key(element) == own for element in group)
        assert diagram.orbit_size * stabilizer == len(group)
        keys = {diagram.key(image) for image in diagram.images}
        assert len(keys) == diagram.orbit_size
        assert keys == {diagram.key(element) for element in group}
        assert not keys & seen
        seen |= keys


def test_a_permutation_that_is_no_symmetry_changes_the_terms():
    # F_1324 is not F_2314: exchanging the two preactivations alone is another component.
    f = pt.derive("mlp", "F")
    assert renamed_terms(f.terms, (2, 1, 0, 3)) != f.terms
    assert renamed_terms(f.terms, (2, 3, 0, 1)) == f.terms


def test_orbits_of_the_eight_point_vertex():
    # Group order 384; the connected diagrams without insertion: one neuron, every other is made of insertions.
    diagrams = layer.diagrams(MLP, 0, V8, 0)
    group = symmetry_elements(V8)
    for diagram in diagrams:
        assert len(group) % diagram.orbit_size == 0
        assert len(set(diagram.images)) == diagram.orbit_size
    contact = [d for d in diagrams if not d.vertices and len(d.neurons) == 1]
    assert [d.orbit_size for d in contact] == [1]
    assert len(contact[0].neurons[0]) == 4


@pytest.mark.parametrize("seed", range(8))
def test_the_recursion_does_not_depend_on_how_the_observable_was_written(seed):
    # The same forest with its labels given in another order: the same terms after renaming the samples.
    draw = random.Random(seed)
    kind = random_kind(draw.choice((4, 6)), seed)
    tensor = tensor_of(kind)
    first = pt.derive("mlp", tensor)
    letters = draw.sample("abcdefghij", kind.size)
    z_edges = [(letters[u], letters[v]) for u, v in tensor.slot_edges()]
    draw.shuffle(z_edges)
    pairs = [(letters[u], letters[v]) for u, v in tensor.slot_pairs()]
    draw.shuffle(pairs)
    trees: list[list] = []
    for edge in z_edges:  # gather the edges of each tree
        touching = [tree for tree in trees if any(set(edge) & set(e) for e in tree)]
        trees = [tree for tree in trees if tree not in touching] + [[edge, *itertools.chain(*touching)]]
    lone = [a for a in letters if not any(a in edge for edge in z_edges)]
    parts = [pt.tree(*tree) for tree in trees] + [pt.z(a) for a in lone]
    draw.shuffle(parts)
    observable = parts[0]
    for part in parts[1:]:
        observable = observable * part
    second = pt.derive("mlp", observable, pairs=pairs)
    slot = {letter: number for number, letter in enumerate(letters)}
    assert renamed_terms(second.terms, [slot[label] for label in second.tensor.labels]) == first.terms
