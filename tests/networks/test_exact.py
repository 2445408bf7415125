"""Networks with skip connections and branches against exact witnesses, rational number by rational number.

The witness (tests/truth/exact_networks.py) takes plain moments from step to step, with the widths as symbols; it is
itself checked here against networks with every weight written out and against the witness for perceptrons. Polynomial
functions with even and odd parts, two samples that are not collinear, unequal widths (for the residual block that of
u differs from that of z), couplings that differ from layer to layer.
"""

from fractions import Fraction as Q

import pytest

from pertheory.graphs.tensor import tensor_type
from tests.truth import exact_moments
from tests.truth.exact_networks import (
    Architecture,
    Bias,
    ExactNetwork,
    State,
    Weight,
    coefficient,
    exact_cumulant,
    exact_tensor,
    value_at,
)
from tests.truth.explicit_networks import ExplicitNetwork, explicit_cumulant
from tests.truth.forests import BOOK, random_paired_forest
from tests.truth.test_engine import paired_tensor

from .architectures import (
    CUBIC,
    FIRST,
    INPUTS,
    LINEAR,
    OTHER_QUADRATIC,
    QUADRATIC,
    branches,
    first_layer,
    projection,
    residual,
    skip,
)

FOUR = ["V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U"]
ONE = ((Q(3, 4),),)
COLLINEAR = ((Q(1),), (Q(-1, 3),))


def compare(case, witness, engine, forest, steps, order, samples, ratios):
    """Engine and witness are equal; returns the value."""
    exact = exact_tensor(witness, steps, *forest[:3], samples)
    expected = coefficient(exact, order + len(forest.pairing) - 1, ratios, case.below[steps - 1])
    assert engine.tensor(paired_tensor(forest), order, steps, samples) == expected
    return expected


# -- the witness itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["G", "H", *FOUR])
def test_the_witness_agrees_with_the_one_for_perceptrons(name):
    forest, samples = BOOK[name], (0, 1, 1, 0)[: BOOK[name].vertices]
    couplings = {
        "C_b": (FIRST[0], Q(1, 2)),
        "lambda_b": (FIRST[1], Q(1, 5)),
        "C_W": (FIRST[2], Q(2, 3)),
        "lambda_W": (FIRST[3], Q(7, 6)),
    }
    channels = (Bias(Q(1, 2), Q(1, 5)), Weight(CUBIC, "z", Q(2, 3), Q(7, 6)))
    network = ExactNetwork(Architecture(*first_layer(), ({"z": channels},), ({"z": 0},), 1))
    gram = [[sum(a * b for a, b in zip(x, y, strict=True)) / 2 for y in INPUTS] for x in INPUTS]
    other = exact_moments.exact_tensor(*forest[:3], samples, layer=2, gram=gram, activation=CUBIC, **couplings)
    mine = exact_tensor(network, 1, *forest[:3], samples)
    for n in (1, 3, 7):
        assert value_at(mine, (n,)) * n ** (len(forest.pairing) - 1) == exact_moments.evaluate(other, (n,))


@pytest.mark.parametrize("name", ["G", "H", *FOUR])
@pytest.mark.parametrize(
    ("architecture", "widths"),
    [
        (residual((QUADRATIC,), COLLINEAR).architecture, (2, 1)),
        (projection((QUADRATIC,), COLLINEAR).architecture, (2,)),
        (skip(QUADRATIC, inputs=COLLINEAR), (2,)),
    ],
    ids=["residual", "projection", "skip"],
)
def test_the_witness_agrees_with_every_weight_written_out(name, architecture, widths):
    forest, samples = BOOK[name], (0, 1, 1, 0)[: BOOK[name].vertices]
    neurons = [next(k for k, pair in enumerate(forest.pairing) if u in pair) for u in range(forest.vertices)]
    explicit = ExplicitNetwork(architecture, COLLINEAR, FIRST, widths, 2)
    brute = explicit_cumulant(explicit, forest.vertices, forest.edges, neurons, samples)
    steps = len(architecture.steps)
    witness = exact_tensor(ExactNetwork(architecture), steps, *forest[:3], samples)
    assert brute != 0
    assert value_at(witness, widths) == brute


# -- the second layer ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rules")


@pytest.fixture(scope="module")
def residual_block():
    case = residual((QUADRATIC,))
    return case, case.witness(), case.engine((2, 3))


@pytest.mark.parametrize(
    ("name", "order"),
    [("G", 0), ("G", 1), ("H", 0), ("H", 1), ("V", 1), ("F", 1), *((name, 0) for name in FOUR)],
)
def test_residual_block(residual_block, name, order):
    """One block on a Gaussian first layer: G{1} and H{1} appear here, because u is not Gaussian."""
    case, witness, engine = residual_block
    for samples in [(0, 1, 1, 0), (1, 1, 0, 1)]:
        own = samples[: BOOK[name].vertices]
        assert compare(case, witness, engine, BOOK[name], 2, order, own, (2, 3)) != 0


@pytest.mark.parametrize("name", ["V", "F", "D"])
def test_residual_block_with_a_cubic_function(name):
    case = residual((CUBIC,))
    assert compare(case, case.witness(), case.engine((5, 2)), BOOK[name], 2, 0, (0, 1, 1, 0), (5, 2)) != 0


@pytest.mark.parametrize("seed", range(6))
def test_residual_block_on_random_forests(residual_block, seed):
    case, witness, engine = residual_block
    compare(case, witness, engine, random_paired_forest(4, seed), 2, 0, (0, 1, 1, 0), (2, 3))


def test_residual_block_s_inner_fields(residual_block):
    """After the first step: z passed on beside u = b1 + W1 z, and their mixed correlators, by a moment of both."""
    _, witness, engine = residual_block
    kind, place = tensor_type(("u", "u", "z", "z"), (), ((0, 1), (2, 3)))
    samples = (0, 1, 1, 0)
    slots = [0] * 4
    for vertex, slot in enumerate(place):
        slots[slot] = samples[vertex]

    def moment(u, z):
        return witness.moment(1, State((("u", u), ("z", z)), (), ()))

    joint, left, right = moment((1, 1), (1, 1)), moment((1, 1), (0, 0)), moment((0, 0), (1, 1))
    cumulant = value_at(joint, (7, 1)) - value_at(left, (7, 1)) * value_at(right, (7, 1))
    assert cumulant != 0
    assert engine.component(kind, 0, 1, tuple(slots)) == 7 * cumulant


@pytest.mark.parametrize("name", ["G", "H", *FOUR])
@pytest.mark.parametrize("build", ["projection", "branches"])
def test_projection_and_branches_at_the_second_layer(folder, build, name):
    """All functions cubic or quadratic; there is no correction to T{0} here, so order 1 must vanish."""
    case = projection((CUBIC,)) if build == "projection" else branches(folder, ((CUBIC, QUADRATIC),))
    witness, engine = case.witness(), case.engine((3,))
    samples = (0, 1, 1, 0)[: BOOK[name].vertices]
    assert compare(case, witness, engine, BOOK[name], 1, 0, samples, (3,)) != 0
    assert compare(case, witness, engine, BOOK[name], 1, 1, samples, (3,)) == 0


def test_six_point_vertices_at_the_second_layer(folder):
    for case in (projection((QUADRATIC,)), branches(folder, ((QUADRATIC, OTHER_QUADRATIC),))):
        assert compare(case, case.witness(), case.engine((3,)), BOOK["V6"], 1, 0, (0, 1, 1, 0, 0, 1), (3,)) != 0


# -- the third layer ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deep(folder):
    """Networks of three layers with two inputs, and with one."""
    lower, upper = OTHER_QUADRATIC, QUADRATIC
    built = {}
    for inputs in (INPUTS, ONE):
        built["projection", len(inputs)] = projection((lower, upper), inputs)
        built["branches", len(inputs)] = branches(folder, ((lower, LINEAR), (upper, lower)), inputs)
    return {key: (case, case.witness(), case.engine((2, 3))) for key, case in built.items()}


@pytest.mark.parametrize(("name", "order"), [("G", 1), ("H", 1), ("V", 0)])
@pytest.mark.parametrize("build", ["projection", "branches"])
def test_projection_and_branches_at_the_third_layer(deep, build, name, order):
    """Networks with passed neurons through two layers, every weight written out: up to five seconds."""
    case, witness, engine = deep[build, 2]
    samples = (0, 1, 1, 0)[: BOOK[name].vertices]
    assert compare(case, witness, engine, BOOK[name], 2, order, samples, (2, 3)) != 0


@pytest.mark.parametrize(
    ("build", "name", "order"),
    [
        *(("projection", name, order) for name, order in [("D", 0), ("B", 0), ("P", 0), ("F", 1)]),
        *(("branches", name, order) for name, order in [("F", 0), ("Q", 0), ("V", 1)]),
    ],
)
def test_projection_and_branches_at_the_third_layer_on_one_input(deep, build, name, order):
    """The same with trees of derivatives, whose moments have more lines: on one input, else they take minutes."""
    case, witness, engine = deep[build, 1]
    assert compare(case, witness, engine, BOOK[name], 2, order, (0, 0, 0, 0), (2, 3)) != 0


@pytest.mark.parametrize(("name", "order"), [("G", 1), ("H", 1), ("V", 0), ("F", 0), ("B", 0), ("P", 0)])
def test_two_residual_blocks_on_one_input(name, order):
    """Correlators of the first block enter the second; the inner widths of the two blocks differ."""
    case = residual((QUADRATIC, LINEAR), ONE)
    ratios = (2, 3, 5)
    samples = (0,) * BOOK[name].vertices
    assert compare(case, case.witness(), case.engine(ratios), BOOK[name], 4, order, samples, ratios) != 0


def test_the_comparison_sees_a_wrong_function(residual_block):
    _, witness, _ = residual_block
    case = residual((OTHER_QUADRATIC,))
    expected = coefficient(exact_tensor(witness, 2, *BOOK["V"][:3], (0, 1, 1, 0)), 1, (2, 3), 1)
    assert case.engine((2, 3)).tensor(paired_tensor(BOOK["V"]), 0, 2, (0, 1, 1, 0)) != expected


# -- why the plain skip connection is not sound -------------------------------------------------------------


@pytest.mark.parametrize(("k", "function"), [(1, QUADRATIC), (1, CUBIC), (3, QUADRATIC), (3, CUBIC)])
def test_skip_connection_has_correlators_outside_the_pairs(k, function):
    """n kappa(z_i^k, z_j z_j) = gamma^k C_W <d^k s^2> K^k + O(1/n) at layer 2, for i != j and odd k.

    This is a joint cumulant of k + 2 preactivations, k of them on neuron i. Given layer 1, z_j z_j has
    the mean C_W/n sum_k s(z_k)^2, of which the term k = i is on the neuron that is passed on: one Gaussian,
    for which kappa(z^k, f(z)) = K^k <d^k f>. For k = 1 the rest vanishes.
    """
    gamma = Q(2, 3)
    network = ExactNetwork(skip(function, gamma))
    kernel = first_layer()[0]["z"][0][0]
    square = [Q(0)] * (2 * len(function))
    for i, a in enumerate(function):
        for j, b in enumerate(function):
            square[i + j] += a * b
    for _ in range(k):
        square = [power * c for power, c in enumerate(square)][1:]
    mean = sum(c * kernel ** (p // 2) * double_factorial(p - 1) for p, c in enumerate(square) if p % 2 == 0)
    exact = exact_cumulant(network, 1, k + 2, (), (0,) * k + (1, 1), (0,) * (k + 2))
    expected = gamma**k * Q(2, 3) * mean * kernel**k
    assert expected != 0
    assert exact[1,] == expected
    assert k > 1 or len(exact) == 1


@pytest.mark.parametrize("k", [1, 3])
def test_sound_networks_have_no_correlator_of_an_odd_number_of_preactivations_of_a_neuron(k):
    for case in (residual((QUADRATIC,)), projection((QUADRATIC,))):
        steps = len(case.architecture.steps)
        assert not exact_cumulant(case.witness(), steps, k + 2, (), (0,) * k + (1, 1), (0,) * (k + 2))
        assert exact_cumulant(case.witness(), steps, 4, (), (0, 0, 1, 1), (0,) * 4)


def double_factorial(number: int) -> int:
    return number * double_factorial(number - 2) if number > 1 else 1
