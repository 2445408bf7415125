"""Statements on several neurons, on weights, on the stochastic metric and on symmetries; the witnesses behind them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pertheory.algebra.dual import dual
from pertheory.book import engine
from pertheory.book.canonical import KERNEL
from pertheory.book.chapters import chapters
from pertheory.book.check import select
from pertheory.book.cumulants import FieldMoments, PlacedTree
from pertheory.book.deciders import DECIDERS
from pertheory.book.explicit import Explicit
from pertheory.book.forward import forward, shaped
from pertheory.book.neuron_sums import NeuronSums
from pertheory.book.point import Point
from pertheory.book.verdict import BOTH, ERRATUM, MISMATCH, NUMERIC, SYMBOLIC, VERIFIED
from pertheory.errors import RuleError, UnsupportedError
from pertheory.graphs.tensor import pure_type
from pertheory.rulebook.network import network
from tests.book.test_check import verdict

RULE = network("mlp")
VERTEX = pure_type(2)[0]
GENERAL = "1/n_prev 1/4 V^(a,b,c,d) <f(1) (z(1;a) z(1;b) - K(a,b))> <f(2) (z(2;c) z(2;d) - K(c,d))>"


def fields(neurons=2, samples=2):
    return Point(samples, "several neurons", neurons=neurons)


# witnesses


def test_a_moment_of_four_is_pairs_and_one_vertex():
    point = fields()
    kernel = [[entry.value for entry in row] for row in point.kernel]
    correction = [[point.tensor(KERNEL, 1, [a, b]).value for b in range(2)] for a in range(2)]
    exponents = [0] * 4
    exponents[point.field(0, 0)] = exponents[point.field(1, 1)] = 2
    found = FieldMoments(RULE, point).moment(tuple(exponents), ())
    assert found.value == kernel[0][0] * kernel[1][1]
    vertex = point.tensor(VERTEX, 0, [slot for a in (0, 1) for slot in (a, a)]).value
    assert found.slope == correction[0][0] * kernel[1][1] + kernel[0][0] * correction[1][1] + vertex


def test_a_moment_with_the_tangent_kernel():
    point = fields()
    tangent, d_tensor, f_tensor = (engine.tensor_named(name) for name in "HDF")
    place = PlacedTree("H", ((0, 0), (1, 1)))
    exponents = [0] * 4
    exponents[point.field(0, 0)] = exponents[point.field(1, 1)] = 1
    found = FieldMoments(RULE, point).moment(tuple(exponents), (place,))
    assert found.value == 0  # neither has two vertices on one neuron
    assert found.slope == point.tensor(f_tensor.kind, 0, engine.by_vertex(f_tensor, (0, 0, 1, 1))).value
    same = FieldMoments(RULE, point).cumulant((PlacedTree("H", ((1, 0), (1, 1))),), ())
    assert same.value == point.tensor(tangent.kind, 0, (0, 1)).value
    squares = [0] * 4
    squares[point.field(0, 1)] = 2
    fields_of_another = (point.field(0, 1), point.field(0, 1))
    connected = FieldMoments(RULE, point).cumulant((PlacedTree("H", ((1, 0), (1, 0))),), fields_of_another)
    assert connected.slope == point.tensor(d_tensor.kind, 0, engine.by_vertex(d_tensor, (1, 1, 0, 0))).value


def test_explicit_parameters_by_hand():
    symbols = {"lambda_b": Fraction(2), "lambda_W": Fraction(3), "C_b": Fraction(5), "C_W": Fraction(7)}
    net = Explicit(2, 2, 1, symbols, "by hand")
    a, b = 0, 1
    rate = Fraction(3, 2)

    def first(sample):
        return 2 + rate * sum(x * y for x, y in zip(net.inputs[a], net.inputs[sample], strict=True))

    s = [[net.line(1, 0, j, sample) for sample in (a, b)] for j in range(2)]
    ds = [[net.line(1, 1, j, sample) for sample in (a, b)] for j in range(2)]
    w = [net.weight(2, 0, j) for j in range(2)]
    by_hand = 2 + rate * sum(s[j][a] * s[j][b] for j in range(2))
    by_hand += sum(w[j] ** 2 * ds[j][a] * ds[j][b] * first(b) for j in range(2))
    assert net.tree(2, "H", ((0, a), (0, b))) == by_hand
    covariance = 5 + Fraction(7, 2) * sum(s[j][a] * s[j][b] for j in range(2))
    assert net.cumulant(2, [(0, a), (0, b)]) == covariance
    # one second derivative: by the weight above and the bias of the hidden neuron below it
    pair = tuple(sorted((net.weights[2, 0, 0], net.biases[1, 0])))
    assert net.derivatives(2, 0, a, 2)[pair] == ds[0][a]
    twice = (net.biases[1, 0],) * 2
    assert net.derivatives(2, 0, a, 2)[twice] == w[0] * net.line(1, 2, 0, a)
    thrice = (net.biases[1, 0],) * 3
    assert net.derivatives(2, 0, a, 3)[thrice] == w[0] * net.line(1, 3, 0, a)


def test_trees_by_hand_where_one_parameter_is_all_there_is():
    # d/dtheta along one bias only: every tree is a product of derivatives of s
    symbols = {"lambda_b": Fraction(1), "lambda_W": Fraction(0), "C_b": Fraction(1), "C_W": Fraction(1)}
    net = Explicit(2, 1, 1, symbols, "one parameter")
    net.rates = [Fraction(int(p == net.biases[1, 0])) for p in range(len(net.rates))]
    w = net.weight(2, 0, 0)
    d1, d2, d3 = (w * net.line(1, order, 0, 0) for order in (1, 2, 3))
    at = ((0, 0),) * 4
    assert net.tree(2, "H", at[:2]) == d1**2
    assert net.tree(2, "dH", at[:3]) == d2 * d1**2
    assert net.tree(2, "ddH_I", at) == d3 * d1**3
    assert net.tree(2, "ddH_II", at) == d2**2 * d1**2


def test_edges_name_their_tree():
    assert shaped((0, 1)) == ("H", (0, 1))
    assert shaped((0, 2, 1, 2)) == ("dH", (2, 0, 1))
    assert shaped((0, 3, 1, 3, 2, 3)) == ("ddH_I", (3, 0, 1, 2))
    shape, (a, b, c, d) = shaped((0, 1, 0, 2, 1, 3))
    assert (shape, {(a, c), (b, d)}) == ("ddH_II", {(0, 2), (1, 3)})


def test_the_stochastic_metric_has_a_bias_and_a_site():
    assert {(mono.scalars, mono.lines): c for mono, c in forward(RULE, "hatG", (0, 1)).items()} == {
        ((("C_b", 1),), ()): 1,
        ((("C_W", 1), ("n", -1)), ((0, 0), (1, 0))): 1,
    }


def test_sums_over_neurons_are_for_a_plain_layer():
    with pytest.raises(UnsupportedError, match="one layer of weights and biases"):
        NeuronSums(network("residual"), fields(), [0, 1])


def test_sums_over_neurons_by_hand():
    point = fields(1, 1)
    sums = NeuronSums(RULE, point, [0, 0])
    value = sums.cumulant([[("z", (0,))], [("z", (1,))]], {0: 0, 1: 0})
    square = [0] * 7
    for i, a in enumerate(point.activation):
        for j, b in enumerate(point.activation):
            square[i + j] += a * b
    mean = sum(c * point.moment((power,)).value for power, c in enumerate(square))
    assert value.value == point.symbol("C_b").value + point.symbol("C_W").value * mean
    assert sums.cumulant([[("z", (0,))], [("z", (1,))]], {0: 0, 1: 1}) == dual(0)


def test_a_value_is_not_taken_from_another_node_that_had_its_place_in_memory():
    square = "E[z(2;1) z(2;1)]"
    rest = "1/3 E[z(2;1) z(2;1) z(2;1) z(2;1)]"
    ((_, equation),) = select(chapters(), number="3.30")
    for right in (f"{rest} - {square} {square}", f"- {square} {square} + {rest}", f"{rest} - {square}^2"):
        form = f"E[z(1;1) z(1;1) ; z(2;1) z(2;1)] = {right}"
        assert DECIDERS["insertion"].decide(equation, form).status == VERIFIED


@pytest.mark.parametrize(
    ("rule", "right", "status"),
    [
        ("mlp", "b(1) + W(1) s_1", VERIFIED),
        ("mlp", "2 b(1) + W(1) s_1", MISMATCH),
        ("mlp", "b(1) + W(1) s'_1", MISMATCH),
        ("mlp", "W(1) s_1", MISMATCH),
        ("deep_linear", "b(1) + W(1) z_1", VERIFIED),
        ("deep_linear", "b(1) + z_1", MISMATCH),
        ("skip", "gamma z_1 + b(1) + W(1) s_1", VERIFIED),
        ("skip", "gamma^2 z_1 + b(1) + W(1) s_1", MISMATCH),
    ],
)
def test_the_equation_of_the_network_itself(tmp_path, rule, right, status):
    found = verdict(tmp_path, kind="forward", network=rule, statement=f"z'(1) = {right}")
    assert found.status == status
    assert found.method == (BOTH if rule == "mlp" else SYMBOLIC)
    assert "disagree" not in found.note


# statements that hold, and the same with a slip


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ({"statement": "E_1[Obs] = <Obs>"}, VERIFIED),
        ({"statement": "E[Obs] = <Obs>"}, MISMATCH),
        ({"statement": "E[f(1) ; f(2)] = " + GENERAL, "setting": "distinct neurons"}, VERIFIED),
        ({"statement": "E[f(1) ; f(2)] = " + GENERAL}, MISMATCH),
        ({"statement": "E[f(1) ; f(2)] = 2 " + GENERAL, "setting": "distinct neurons"}, MISMATCH),
        ({"statement": "E[f(1) f(2)] = <f(1)> <f(2)> + " + GENERAL, "setting": "distinct neurons"}, MISMATCH),
        (
            {
                "statement": "E[f(1) f(2)] = <f(1)> <f(2)> + " + GENERAL,
                "setting": "neurons 1,2; metric G",
            },
            MISMATCH,  # each mean has corrections of its own
        ),
        ({"statement": "E[z_1 z_2] = <z_1 z_2>", "setting": "metric G"}, VERIFIED),
        ({"statement": "E[z_1 z_2] = <z_1 z_2>"}, MISMATCH),
        ({"statement": "E[H(1,2)] = delta(1,2) (Theta(1,2) + 1/n_prev H{1}(1,2))"}, VERIFIED),
        ({"statement": "E[H(1,2)] = delta(1,2) Theta(1,2)"}, MISMATCH),
        ({"statement": "E[H(1,2) ; H(3,4)] = 1/n_prev A(1,2,3,4)", "setting": "neurons 12,34"}, VERIFIED),
        ({"statement": "E[H(1,2) ; H(3,4)] = 1/n_prev B(1,3,2,4)", "setting": "neurons 13,24"}, VERIFIED),
        ({"statement": "E[H(1,2) ; H(3,4)] = 1/n_prev B(1,3,2,4)", "setting": "neurons 14,23"}, MISMATCH),
    ],
)
def test_expectations(tmp_path, keys, status):
    found = verdict(tmp_path, kind="insertion", **keys)
    assert (found.status, found.method) == (status, NUMERIC)
    assert bool(found.residual) == bool(found.difference) == (status == MISMATCH)


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("E[b(1) W(2)] = 0", VERIFIED),
        ("E[W(3) Obs] = C_W/n s(3;a) <d_(3;a) Obs>", VERIFIED),
        ("E[W(3) Obs] = C_W s(3;a) <d_(3;a) Obs>", MISMATCH),
        ("E[b(3) z_1] = delta(1,3) C_b", VERIFIED),
        ("E[b(3) z_1] = delta(1,3) C_b + 0 s(3;1)", VERIFIED),
        ("E[b(3) z_1] = C_b", MISMATCH),
        ("E[W(1) ; W(2)] = delta(1,2) C_W/n", MISMATCH),  # neurons below may differ
        ("E[z_1 z_2] = delta(1,2) (C_b + C_W hatG(1,2))", MISMATCH),
    ],
)
def test_weights(tmp_path, statement, status):
    found = verdict(tmp_path, kind="weights", statement=statement)
    assert (found.status, found.method) == (status, NUMERIC)


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("E[hatG(1,2)] = K'(1,2) + 1/n G{1}'(1,2)", VERIFIED),
        ("E[hatG(1,2)] = K'(1,2)", MISMATCH),
        ("E[hatG(1,2) ; hatG(3,4)] = 1/n V'(1,2,3,4)", VERIFIED),
        ("E[hatG(1,2) ; hatG(3,4)] = 1/n V'(1,3,2,4)", MISMATCH),
        ("E[hatG(1,2) ; hatG(3,4)] = 2/n V'(1,2,3,4)", MISMATCH),
    ],
)
def test_the_metric(tmp_path, statement, status):
    found = verdict(tmp_path, kind="metric", statement=statement)
    assert (found.status, found.method) == (status, NUMERIC)


@pytest.mark.parametrize(
    ("statement", "status", "method", "word"),
    [
        ("V(1,2,3,4) = V(2,1,3,4) = V(3,4,1,2)", VERIFIED, BOTH, "group of order 8"),
        ("V(1,2,3,4) = V(2,1,3,4)", MISMATCH, SYMBOLIC, "equal, but not stated"),
        ("V(1,2,3,4) = V(1,3,2,4) = V(2,1,3,4)", MISMATCH, SYMBOLIC, "stated equal, but is not"),
        ("F(1,3,2,4) = F(2,4,1,3)", VERIFIED, BOTH, "group of order 2"),
        ("F(1,3,2,4) = F(3,1,4,2)", MISMATCH, SYMBOLIC, "stated equal, but is not: F(3,1,4,2)"),
        ("ddH_II(1,2;3,4) = ddH_II(2,1;4,3)", VERIFIED, SYMBOLIC, "group of order 2"),
        ("ddH_II(1,2;3,4) = ddH_II(2,1;3,4)", MISMATCH, SYMBOLIC, "stated equal, but is not"),
    ],
)
def test_symmetries(tmp_path, statement, status, method, word):
    found = verdict(tmp_path, kind="symmetry", statement=statement)
    assert (found.status, found.method) == (status, method)
    assert word in "\n".join((found.note, *found.difference))


def test_a_symmetry_that_the_recursion_lacks_is_seen(tmp_path, monkeypatch):
    from pertheory.book.kinds import derived

    real = derived.equal_values
    monkeypatch.setattr(derived, "equal_values", lambda rule, node: frozenset(list(real(rule, node))[:1]))
    assert verdict(tmp_path, kind="symmetry", statement="F(1,3,2,4) = F(2,4,1,3)").status == MISMATCH


def test_a_printed_index_fails_where_the_corrected_one_holds(tmp_path):
    head = "E[W(3) W(4) Obs] = C_W/n delta(3,4) delta_j(3,4) <Obs> + (C_W/n)^2"
    found = verdict(
        tmp_path,
        kind="weights",
        statement=f"{head} s(3;a) s(4;b) <d_(3;a) d_(4;b) Obs>",
        printed=f"{head} s(3;b) s(4;a) <d_(3;a) d_(4;b) Obs>",
    )
    assert found.status == ERRATUM


@pytest.mark.parametrize(
    ("kind", "statement", "status"),
    [
        ("forward", "H'(1,2) = delta(1,2) [lambda_b + lambda_W/n s_1 s_2] + W(1) W(2) s'_1 s'_2 H(1,2)", VERIFIED),
        ("forward", "H'(1,2) = delta(1,2) [lambda_b + lambda_W/n s_1 s_2] + 2 W(1) W(2) s'_1 s'_2 H(1,2)", MISMATCH),
        ("forward", "hatG'(1,2) = C_b + C_W/n s_1 s'_2", MISMATCH),
        ("first layer", "H[1](1,2) = lambda_b + lambda_W xx(1,2)", VERIFIED),
        ("first layer", "H[1](1,2) = lambda_b + lambda_W xx(1,1) + 0 xx(1,2)", MISMATCH),
        ("first layer", "V[1](1,2,3,4) = xx(1,2) xx(3,4)", MISMATCH),
        ("definition", "E[z(1) z(2) H(3,4)] = 1/n_prev [delta(1,2) delta(3,4) D(1,2,3,4)]", MISMATCH),
    ],
)
def test_both_routes_see_the_same(tmp_path, kind, statement, status):
    found = verdict(tmp_path, kind=kind, statement=statement)
    assert (found.status, found.method) == (status, BOTH)
    assert "disagree" not in found.note
    assert bool(found.residual) == (status == MISMATCH)


def test_nested_slopes_go_both_routes(tmp_path):
    right = "1/2 d/dK[d/dTheta[Theta']] = C_W/(2 K) <z s'' s'>"
    assert verdict(tmp_path, kind="identity", inputs="one", statement=right).method == BOTH
    wrong = verdict(tmp_path, kind="identity", inputs="one", statement=right.replace("s''", "s'''"))
    assert (wrong.status, wrong.method) == (MISMATCH, BOTH)
    assert "disagree" not in wrong.note
    mixed = "d/dTheta[d/dK[K' + Theta']] = C_W <s''' s' + s'' s''>"
    assert verdict(tmp_path, kind="identity", inputs="one", statement=mixed).status == VERIFIED


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "insertion", "statement": "V'(1,2,3,4) = V(1,2,3,4)"}, "needs an expectation"),
        ({"kind": "insertion", "statement": "E[Obs] = <z_b1 z(1;b1) Obs> K(1,1)"}, "neuron at b1 is missing"),
        (
            {"kind": "insertion", "statement": "E[Obs] = <z(m;b) z(b;m) Obs>"},
            "stands for a neuron here and for a sample",
        ),
        (
            {"kind": "insertion", "statement": "E[Obs z_1 z_2] = 0", "setting": "neurons 1"},
            "name each of the samples 1, 2",
        ),
        (
            {"kind": "insertion", "statement": "E[Obs z_1] = 0", "setting": "far apart"},
            "setting 'far apart' is not known",
        ),
        ({"kind": "insertion", "statement": "E[z_1 (H(1,2) + 1)] = 0"}, "may only be factors of an expectation"),
        (
            {"kind": "insertion", "statement": "E[z_1 z_2] = n_prev K(1,2)"},
            "n_prev may only stand as a factor 1/n_prev",
        ),
        ({"kind": "insertion", "statement": "E[Obs] = <Obs> + Obs"}, "Obs or f stands outside an average"),
        ({"kind": "insertion", "statement": "E[z_1 z_2] = z_1 z_2"}, "s, z, Obs or f stands outside an average"),
        ({"kind": "insertion", "statement": "E[Obs G(1,2)] = 0"}, "G does not fluctuate"),
        ({"kind": "insertion", "statement": "E[Obs <z_1 z_2>] = 0"}, "stands inside an expectation"),
        ({"kind": "weights", "statement": "E[Obs E[z_1 z_2]] = 0"}, "stands inside an expectation"),
        ({"kind": "weights", "statement": "V'(1,2,3,4) = V(1,2,3,4)"}, "needs an expectation"),
        ({"kind": "weights", "statement": "E[z_1 z_2] = <s'_1 z_2>"}, "only activations of the layer below"),
        ({"kind": "weights", "statement": "E[z_1 z_2] = W(1) s_1 s_2"}, "W may only be a factor inside"),
        ({"kind": "metric", "statement": "V'(1,2,3,4) = 0"}, "needs E[hatG(1,2)]"),
        ({"kind": "metric", "statement": "E[hatG(1,2)] = 0"}, "a tensor of the layer above"),
        ({"kind": "metric", "statement": "E[hatG(1,2) z_1] = K'(1,2)"}, "products of hatG(1,2) only"),
        ({"kind": "symmetry", "statement": "V(1,2,3,4) = A(2,1,3,4)"}, "one tensor or tree with its labels"),
        ({"kind": "symmetry", "statement": "V(1,1,3,4) = V(1,1,4,3)"}, "labels of a symmetry must differ"),
        ({"statement": "G'(1,2) = C_b + C_W <s(1;1) s(1;2)>"}, "a neuron, as in z(1;2), has no meaning"),
        ({"statement": "G'(1,2) = E[s_1 s_2]"}, "E[...] has no meaning"),
        ({"statement": "G'(1,2) = <z(1,2)>"}, "';' between the neuron and the sample"),
        ({"kind": "insertion", "statement": "E[Obs z_1 = 0"}, "']' that closes the expectation"),
        ({"kind": "forward", "statement": "H'(1,2) = dH(1;2,2)"}, "different samples at its vertices"),
    ],
)
def test_what_means_nothing_is_refused_with_place_and_reason(tmp_path, keys, message):
    with pytest.raises(RuleError) as error:
        verdict(tmp_path, **keys)
    assert message in str(error.value)
    assert str(error.value).startswith("ch01.toml: line 5: equation 1.1: ")
