"""The two exact witnesses agree with each other, with closed results, and with a bare sympy calculation.

Every comparison is of rational numbers and exact.
"""

import itertools
import math
import random
from fractions import Fraction as Q

import pytest
import sympy

from .exact_moments import evaluate, exact_cumulant, exact_tensor, expand
from .explicit_weights import explicit_cumulant, explicit_tensor
from .forests import BOOK, PairedForest, random_paired_forest

COUPLINGS = {
    "C_b": (Q(1, 3), Q(1, 2), Q(2, 3), Q(1, 5)),
    "C_W": (Q(3, 2), Q(2, 3), Q(5, 4), Q(1, 2)),
    "lambda_b": (Q(1, 4), Q(1, 5), Q(3, 4), Q(2)),
    "lambda_W": (Q(5, 6), Q(7, 6), Q(2, 5), Q(3, 4)),
}
QUADRATIC = (Q(1, 3), Q(2, 5), Q(-1, 2))
CUBIC = (Q(1, 7), Q(1, 2), Q(1, 3), Q(1, 5))
OTHER_CUBIC = (Q(1, 3), Q(2, 5), Q(-1, 2), Q(1, 4))

TWO_VECTORS = ((Q(1), Q(1, 2)), (Q(-1, 3), Q(2)))
COLLINEAR = ((Q(1),), (Q(-1, 3),))
ONE = ((Q(3, 4),),)

FOUR = [name for name, forest in BOOK.items() if forest.vertices <= 4]


def gram_matrix(inputs):
    return [[sum(a * b for a, b in zip(x, y, strict=True)) / len(x) for y in inputs] for x in inputs]


def assert_agreement(forest: PairedForest, widths, inputs, activation, shift: int = 0):
    samples = tuple((shift + s) % len(inputs) for s in (0, 1, 1, 0, 0, 1, 1, 0)[: forest.vertices])
    explicit = explicit_tensor(*forest[:3], samples, widths=widths, inputs=inputs, activation=activation, **COUPLINGS)
    symbolic = exact_tensor(
        *forest[:3],
        samples,
        layer=len(widths),
        gram=gram_matrix(inputs),
        activation=activation,
        **COUPLINGS,
    )
    assert evaluate(symbolic, widths[1:]) == explicit


NETWORKS = [
    ((2, 3), TWO_VECTORS, CUBIC),
    ((1, 2), COLLINEAR, OTHER_CUBIC),
    ((2, 1, 2), TWO_VECTORS, (QUADRATIC, QUADRATIC)),
    ((1, 1, 2), COLLINEAR, (CUBIC, OTHER_CUBIC)),
    ((1, 2, 1), ONE, (CUBIC, QUADRATIC)),
    ((1, 2, 3), ONE, (QUADRATIC, QUADRATIC)),
]
#: second differentials of the NTK: every weight written out takes seconds in the last three networks, and the third has
#: the same layers and more inputs
SECOND_DIFFERENTIALS = {"R", "S", "T", "U"}


@pytest.mark.parametrize(
    ("name", "widths", "inputs", "activation"),
    [(name, *own) for name in FOUR for own in (NETWORKS[:3] if name in SECOND_DIFFERENTIALS else NETWORKS[:5])],
)
def test_the_witnesses_agree_on_the_tensors_of_the_book(name, widths, inputs, activation):
    assert_agreement(BOOK[name], widths, inputs, activation)


@pytest.mark.parametrize("seed", range(8))
def test_the_witnesses_agree_on_random_forests_of_six_at_two_layers(seed):
    assert_agreement(random_paired_forest(6, seed), (1, 2), COLLINEAR, CUBIC)
    assert_agreement(random_paired_forest(6, seed, density=0.4), (2, 3), TWO_VECTORS, CUBIC)
    assert_agreement(random_paired_forest(6, seed, density=1), (1, 2), ONE, CUBIC)


@pytest.mark.parametrize("seed", range(4))
def test_the_witnesses_agree_on_random_forests_at_three_layers(seed):
    quadratics = (QUADRATIC, (Q(-1, 4), Q(1), Q(1, 3)))
    assert_agreement(random_paired_forest(4, seed), (1, 1, 2), COLLINEAR, quadratics, shift=1)
    assert_agreement(random_paired_forest(6, seed, density=0.4), (1, 1, 2), ONE, quadratics)


@pytest.mark.parametrize(("name", "widths"), [("V6", (2, 3)), ("V8", (1, 2)), ("V6", (1, 1, 2)), ("V6", (1, 2, 3))])
def test_the_witnesses_agree_on_higher_cumulants_of_preactivations(name, widths):
    inputs = TWO_VECTORS if widths[0] == 2 else COLLINEAR
    assert_agreement(BOOK[name], widths, inputs, ((Q(1), Q(2)), QUADRATIC) if len(widths) == 3 else CUBIC)


@pytest.mark.parametrize("name", ["G", "H", "V", "D"])
def test_the_witnesses_agree_at_four_layers(name):
    assert_agreement(BOOK[name], (1, 1, 1, 1), COLLINEAR, ((Q(0), Q(1, 2), Q(1, 3)),) * 3)


@pytest.mark.parametrize("widths", [(2,), (2, 3), (1, 1, 2)])
@pytest.mark.parametrize("neurons", [(0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 0, 1), (0, 1, 1, 0)])
def test_cumulants_on_coinciding_neurons_agree_and_are_sums_over_pairings(widths, neurons):
    inputs = TWO_VECTORS if widths[0] == 2 else COLLINEAR
    shared = {"activation": QUADRATIC, **COUPLINGS}
    symbolic = {"layer": len(widths), "gram": gram_matrix(inputs), **shared}
    samples = (0, 1, 1, 0)
    for edges in [(), ((2, 3),), ((0, 1), (2, 3)), ((0, 1), (0, 2)), ((2, 0), (0, 1), (1, 3))]:
        exact = evaluate(exact_cumulant(4, edges, neurons, samples, **symbolic), widths[1:])
        assert exact == explicit_cumulant(4, edges, neurons, samples, widths=widths, inputs=inputs, **shared)
        total = Q(0)
        for pairing in [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]:
            if all(neurons[u] == neurons[v] for u, v in pairing):
                total += evaluate(exact_tensor(4, edges, pairing, samples, **symbolic), widths[1:])
        assert exact == total / widths[-1]


def sympy_moment(vertices, edges, neurons, width, x, s):
    """The moment of a forest of a network 1 - width - outputs, by sympy alone, for one input and C = 1."""
    outputs = max(neurons) + 1
    w, b = sympy.symbols(f"w:{width}"), sympy.symbols(f"b:{width}")
    v, c = sympy.symbols(f"v:{width * outputs}"), sympy.symbols(f"c:{outputs}")
    variables = [*w, *b, *v, *c]
    variance = dict.fromkeys(variables, sympy.Integer(1)) | dict.fromkeys(v, sympy.Rational(1, width))
    hidden = [s(b[j] + w[j] * x) for j in range(width)]
    z = [c[i] + sum(v[i * width + j] * hidden[j] for j in range(width)) for i in range(outputs)]
    integrand = sympy.Integer(0)
    for chosen in itertools.product(variables, repeat=len(edges)):
        term = math.prod((variance[mu] for mu in chosen), start=sympy.Integer(1))
        for u in range(vertices):
            factor = z[neurons[u]]
            for mu, e in zip(chosen, edges, strict=True):
                factor = sympy.diff(factor, mu) if u in e else factor
            term *= factor
        integrand += term
    moment = sympy.Integer(0)
    for powers, coefficient in sympy.Poly(integrand, *variables).terms():
        if all(k % 2 == 0 for k in powers):
            moment += coefficient * math.prod(
                sympy.factorial2(k - 1) * variance[mu] ** (k // 2) for mu, k in zip(variables, powers, strict=True) if k
            )
    return Q(int(moment.p), int(moment.q))


@pytest.mark.parametrize(
    ("name", "width"),
    [("H", 2), ("F", 1), ("B", 1), ("P", 1), ("Q", 1), ("R", 1), ("S", 1), ("T", 1), ("U", 1)],
)
def test_both_witnesses_equal_a_bare_sympy_calculation(name, width):
    """A third way that shares no line with them; sympy takes seconds for trees at a width of two."""
    vertices, edges, pairing, _ = BOOK[name]
    neurons = {u: k for k, pair in enumerate(pairing) for u in pair}
    neurons = tuple(neurons[u] for u in range(vertices))
    coefficients = (Q(1), Q(-1, 2), Q(1, 3), Q(1, 4))

    def s(z):
        return sum(sympy.Rational(c.numerator, c.denominator) * z**k for k, c in enumerate(coefficients))

    # in every case all products of moments of single trees vanish, so the moment is the cumulant
    bare = sympy_moment(vertices, edges, neurons, width, sympy.Rational(2, 3), s)
    couplings = {"activation": coefficients, "C_b": 1, "C_W": 1, "lambda_b": 1, "lambda_W": 1}
    expected = Q(width) ** (len(pairing) - 1) * bare
    common = (vertices, edges, pairing, (0,) * vertices)
    assert explicit_tensor(*common, widths=(1, width), inputs=((Q(2, 3),),), **couplings) == expected
    symbolic = exact_tensor(*common, layer=2, gram=((Q(4, 9),),), **couplings)
    assert evaluate(symbolic, (width,)) == expected


def test_the_first_layer_is_gaussian_with_a_deterministic_kernel():
    gram = gram_matrix(TWO_VECTORS)
    for name, forest in BOOK.items():
        if forest.vertices > 4:
            continue
        samples = (0, 1, 1, 0)[: forest.vertices]
        exact = exact_tensor(*forest[:3], samples, layer=1, gram=gram, activation=(), **COUPLINGS)
        explicit = explicit_tensor(*forest[:3], samples, widths=(2,), inputs=TWO_VECTORS, activation=(), **COUPLINGS)
        bias, weight = {"G": ("C_b", "C_W"), "H": ("lambda_b", "lambda_W")}.get(name, (None, None))
        expected = COUPLINGS[bias][0] + COUPLINGS[weight][0] * gram[0][1] if bias else 0
        assert evaluate(exact, ()) == explicit == expected


@pytest.mark.parametrize("layer", [2, 3, 4, 5])
def test_linear_networks_have_the_known_products(layer):
    """E[z_1^2 z_2^2 ..] at C_W = 1 has factors (1+2/n), (1+6/n+8/n^2), (1+12/n+44/n^2+48/n^3) a layer."""
    kernel, n = Q(5, 3), tuple(range(2, 2 + layer - 1))
    couplings = {"C_b": 0, "C_W": 1, "lambda_b": 0, "lambda_W": 1}

    def tensor(name):
        forest = BOOK[name]
        samples = (0,) * forest.vertices
        poly = exact_tensor(*forest[:3], samples, layer=layer, gram=((kernel,),), activation=(Q(0), Q(1)), **couplings)
        return evaluate(poly, n) / Q(n[-1]) ** (len(forest.pairing) - 1)

    m1 = kernel
    m2 = kernel**2 * math.prod(1 + Q(2, k) for k in n)
    m3 = kernel**3 * math.prod(1 + Q(6, k) + Q(8, k**2) for k in n)
    m4 = kernel**4 * math.prod(1 + Q(12, k) + Q(44, k**2) + Q(48, k**3) for k in n)
    assert tensor("G") == m1
    assert tensor("V") == m2 - m1**2
    assert tensor("V6") == m3 - 3 * m2 * m1 + 2 * m1**3
    assert tensor("V8") == m4 - 4 * m3 * m1 - 3 * m2**2 + 12 * m2 * m1**2 - 6 * m1**4


def variance_chain(layer, widths, gram, activation, powers):
    """E[S^k] of the conditional variance S of a single input, k = 1..powers, from layer to layer.

    ``S_{l+1} = C_b + C_W (1/n) sum_j s(sqrt(S_l) xi_j)^2``: the conditional moments are polynomials in S_l.
    """

    def times(p, q):
        result = [Q(0)] * (len(p) + len(q) - 1)
        for (i, a), (j, b) in itertools.product(enumerate(p), enumerate(q)):
            result[i + j] += a * b
        return result

    variance = COUPLINGS["C_b"][0] + COUPLINGS["C_W"][0] * gram
    degree = powers * 3 ** (layer - 1)
    moments = [variance**k for k in range(degree + 1)]  # E[S_l^k]
    for l in range(1, layer):  # noqa: E741
        n, square = widths[l - 1], times(activation[l - 1], activation[l - 1])
        keep = powers * 3 ** (layer - 1 - l)
        single = [[Q(1)]]  # E[(s^2)^k | S] as polynomials in S
        power = [Q(1)]
        for _ in range(keep):
            power = times(power, square)
            single.append([c * math.prod(range(1, 2 * k, 2)) for k, c in enumerate(power[::2])])
        sums = [[Q(1)]] + [[Q(0)]] * keep  # E[(sum of the first j neurons)^k | S]
        for _ in range(n):
            sums = [
                [
                    sum(column)
                    for column in itertools.zip_longest(
                        *([math.comb(k, i) * c for c in times(single[i], sums[k - i])] for i in range(k + 1)),
                        fillvalue=Q(0),
                    )
                ]
                for k in range(keep + 1)
            ]
        means = [sum(c * moments[i] for i, c in enumerate(p)) for p in sums]
        C_b, C_W = COUPLINGS["C_b"][l], COUPLINGS["C_W"][l] / n
        moments = [
            sum(math.comb(k, i) * C_b ** (k - i) * C_W**i * means[i] for i in range(k + 1)) for k in range(keep + 1)
        ]
    return moments[1:]


@pytest.mark.parametrize(
    ("widths", "activation"),
    [
        ((3,), (CUBIC,)),
        ((2, 3), (CUBIC, OTHER_CUBIC)),
        ((3, 1), (OTHER_CUBIC, CUBIC)),
        ((2, 1, 3), (QUADRATIC,) * 3),
    ],
)
def test_the_chain_of_conditional_variances_gives_g_v_and_v6(widths, activation):
    layer, gram = len(widths) + 1, Q(4, 5)

    def tensor(name):
        forest = BOOK[name]
        poly = exact_tensor(
            *forest[:3],
            (0,) * forest.vertices,
            layer=layer,
            gram=((gram,),),
            activation=activation,
            **COUPLINGS,
        )
        return evaluate(poly, widths) / Q(widths[-1]) ** (len(forest.pairing) - 1)

    m1, m2, m3 = variance_chain(layer, widths, gram, activation, 3)
    assert tensor("G") == m1
    assert tensor("V") == m2 - m1**2
    assert tensor("V6") == m3 - 3 * m2 * m1 + 2 * m1**3


@pytest.mark.parametrize("seed", range(8))
def test_a_tensor_does_not_depend_on_the_names_of_vertices_pairs_and_samples(seed):
    draw = random.Random(seed)
    forest = random_paired_forest(4, seed, density=0.8)
    samples = [draw.randrange(2) for _ in range(4)]
    gram = [[2, 1], [1, 3]]  # whole numbers, which are quick, tell as much
    couplings = {"C_b": (1, 3, 2), "C_W": (3, 2, 5), "lambda_b": (2, 1, 3), "lambda_W": (5, 3, 2)}
    shared = {"layer": 3, "activation": ((1, 2, -1), (1, 2, -1, 3)), **couplings}
    expected = exact_tensor(*forest[:3], samples, gram=gram, **shared)
    name = draw.sample(range(4), 4)
    edges = [draw.sample((name[u], name[v]), 2) for u, v in forest.edges]
    pairing = [draw.sample((name[u], name[v]), 2) for u, v in forest.pairing]
    draw.shuffle(edges)
    draw.shuffle(pairing)
    renamed = [1 - samples[name.index(u)] for u in range(4)]
    swapped = [row[::-1] for row in gram[::-1]]
    assert exact_tensor(4, edges, pairing, renamed, gram=swapped, **shared) == expected


def test_a_tensor_is_the_sum_of_its_expansion():
    forest, ratios, n = BOOK["D"], (Q(2), Q(3)), 5
    poly = exact_tensor(
        *forest[:3],
        (0, 0, 1, 1),
        layer=3,
        gram=gram_matrix(TWO_VECTORS),
        activation=(CUBIC, OTHER_CUBIC),
        **COUPLINGS,
    )
    series = sum(expand(poly, 3, k, ratios) / (ratios[-1] * n) ** k for k in range(12))
    assert series == evaluate(poly, [r * n for r in ratios])
    assert expand(poly, 3, 0) == expand(poly, 3, 0, (7, 7))
