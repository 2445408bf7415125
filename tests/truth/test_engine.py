"""The recursions that the engine derives are exact: rational values equal those of networks computed without any
perturbation theory (exact_moments.py, itself checked against explicit weights), for cubic activations with even and
odd parts, unequal widths, couplings that differ from layer to layer, and two different samples."""

import itertools
from fractions import Fraction as Q

import pytest

from pertheory.rulebook.observable import Observable
from pertheory.rulebook.tensors import find_tensor, from_observable

from .engine import ExactEngine
from .exact_moments import exact_tensor, expand
from .explicit_weights import explicit_tensor
from .forests import BOOK, random_paired_forest
from .test_witnesses_agree import COUPLINGS, CUBIC, TWO_VECTORS, gram_matrix

RATIOS = (2, 3)
# Both sides are polynomials in all of these: whole numbers tell two of them apart as well as fractions do, ten times as
# fast.
GRAM = ((2, 1), (1, 3))
ACTIVATIONS = ((1, 2, -1, 3), (-1, 3, 2, 1))
WHOLE = {"C_b": (1, 3, 2), "C_W": (3, 2, 5), "lambda_b": (2, 1, 3), "lambda_W": (5, 3, 2)}


def paired_tensor(forest):
    """The engine's tensor of a witness's forest: labels are vertices, slots in the order of the vertices."""
    labels = "123456789"[: forest.vertices]
    observable = Observable(tuple(labels), tuple((min(e), max(e)) for e in forest.edges), ("z",) * forest.vertices)
    return from_observable(observable, [(labels[u], labels[v]) for u, v in forest.pairing])


def compare(forest, order, layer, samples, ratios, activations=ACTIVATIONS):
    exact = expand(
        exact_tensor(*forest[:3], samples, layer=layer, gram=GRAM, activation=activations[: layer - 1], **WHOLE),
        layer,
        order,
        ratios,
    )
    engine = ExactEngine(GRAM, activations, WHOLE, ratios)
    tensor = paired_tensor(forest)
    assert engine.tensor(tensor, order, layer, samples) == exact
    return exact


SAMPLES = {2: [(0, 1), (1, 1)], 4: [(0, 1, 1, 0), (0, 0, 1, 0), (1, 1, 1, 1)]}


@pytest.mark.parametrize("name", ["V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U"])
def test_leading_order_at_the_third_layer_is_exact_and_not_zero(name):
    for samples in SAMPLES[4]:
        assert compare(BOOK[name], 0, 3, samples, RATIOS)


@pytest.mark.parametrize("name", ["G", "H"])
@pytest.mark.parametrize("order", [1, 2])
def test_corrections_to_the_means_at_the_third_layer_are_exact_and_not_zero(name, order):
    for samples in SAMPLES[2]:
        assert compare(BOOK[name], order, 3, samples, RATIOS)


@pytest.mark.parametrize("name", ["V", "D", "F", "B", "P"])
def test_corrections_to_vertices_at_the_third_layer_are_exact_and_not_zero(name):
    assert compare(BOOK[name], 1, 3, (0, 1, 1, 0), RATIOS)


def test_six_point_vertex_at_the_third_layer_is_exact_and_not_zero():
    assert compare(BOOK["V6"], 0, 3, (0, 1, 1, 0, 0, 1), RATIOS)


@pytest.mark.parametrize("name", [name for name in BOOK if name not in ("G", "H")])
def test_second_layer_equals_a_network_with_every_weight_written_out(name):
    """The honest brute force: n_0 = 2, n_1 = 3 explicit neurons. Layer 2 has no correction to T{0}."""
    forest = BOOK[name]
    samples = (0, 1, 1, 0, 0, 1, 1, 0)[: forest.vertices]
    exact = explicit_tensor(*forest[:3], samples, widths=(2, 3), inputs=TWO_VECTORS, activation=CUBIC, **COUPLINGS)
    engine = ExactEngine(gram_matrix(TWO_VECTORS), (CUBIC,), COUPLINGS)
    tensor = paired_tensor(forest)
    mine = engine.tensor(tensor, 0, 2, samples)
    assert exact != 0
    assert mine == exact
    if forest.vertices <= 4:
        assert engine.tensor(tensor, 1, 2, samples) == 0


@pytest.mark.parametrize(("vertices", "seed"), [*itertools.product([2, 4, 6], range(8))])
def test_random_forests_with_random_pairings_at_the_second_layer(vertices, seed):
    forest = random_paired_forest(vertices, seed)
    compare(forest, 0, 2, (0, 1, 1, 0, 0, 1)[:vertices], ())


@pytest.mark.parametrize("seed", range(8))
def test_random_forests_of_four_at_the_third_layer(seed):
    compare(random_paired_forest(4, seed), 0, 3, (0, 1, 1, 0), RATIOS)


@pytest.mark.parametrize("seed", [0, 1, 3, 4])
def test_random_forests_of_six_at_the_third_layer(seed):
    """Three pairs through two layers; the witness takes up to four seconds for a forest."""
    forest = random_paired_forest(6, seed)
    samples = (0, 0, 0, 0, 0, 0) if seed not in (2, 3) else (0, 1, 1, 0, 0, 1)
    compare(forest, 0, 3, samples, RATIOS)


def test_the_names_of_the_book_are_the_same_tensors_as_the_forests_here():
    for name, forest in BOOK.items():
        if name == "V8":
            continue
        tensor, _ = find_tensor(name)
        assert tensor.kind == paired_tensor(forest).kind
        assert len(tensor.slots) == len(forest.slots)


def test_couplings_cannot_hide_a_mistake():
    """The comparison sees a wrong value: another activation gives another number."""
    exact = compare(BOOK["V"], 0, 3, (0, 1, 1, 0), RATIOS)
    engine = ExactEngine(GRAM, (CUBIC, (Q(1), Q(1), Q(1), Q(1))), COUPLINGS, RATIOS)
    tensor = paired_tensor(BOOK["V"])
    assert engine.tensor(tensor, 0, 3, (0, 1, 1, 0)) != exact
