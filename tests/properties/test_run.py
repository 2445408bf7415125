"""Laws that hold for every run: renaming of inputs, symmetries, first layer, repeated inputs, access by role."""

import itertools
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pertheory as pt
from pertheory.errors import InputError
from pertheory.graphs.tensor import symmetry_elements
from pertheory.rulebook.tensors import find_tensor, named_tensors

HYPER = {"C_b": 0.2, "C_W": 1.3, "lambda_b": 0.4, "lambda_W": 0.9}
DEPTH = 3
NAMES = [t.name for t in named_tensors() if t.pairs <= 2]
TABLE = [[0.8, -0.5, 1.1], [-0.3, 1.2, 0.4], [1.0, 0.2, -0.6]]


@lru_cache
def model():
    return pt.theory("mlp", order=1).compile()


def run(inputs, activation="x/2 + x^2/5 - x^3/20", **more):
    """A cubic by default: its averages are exact whatever the inputs, so that the laws hold to rounding."""
    return model()(inputs, activation=activation, depth=DEPTH, **{**HYPER, **more})


@lru_cache
def three_inputs():
    return run(TABLE)


def assert_close(found, expected, message=""):
    scale = max(float(np.abs(expected).max()), 1e-12)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * scale, err_msg=message)


entries = st.floats(-1.5, 1.5, allow_nan=False).map(lambda x: round(x, 3))
tables = st.integers(1, 3).flatmap(
    lambda rows: st.lists(st.lists(entries, min_size=2, max_size=2), min_size=rows, max_size=rows)
)


@settings(max_examples=12)
@given(tables, st.randoms(use_true_random=False))
def test_renaming_the_inputs_renames_the_components(table, draw):
    order = list(range(len(table)))
    draw.shuffle(order)
    first, second = run(table), run([table[i] for i in order])
    for layer in range(1, DEPTH + 1):
        for name, array in first[layer].items():
            moved = array[np.ix_(*[order] * array.ndim)]
            assert_close(second[layer][name], moved, f"{name} at layer {layer}")


@settings(max_examples=12)
@given(tables)
def test_tensors_have_the_symmetries_of_their_graphs(table):
    state = run(table)[DEPTH]
    for name in NAMES:
        tensor = find_tensor(name)[0]
        for permutation in tensor.symmetries():
            assert_close(state[name].transpose(permutation), state[name], name)


def test_tensors_have_no_other_symmetry_on_generic_inputs():
    # Otherwise the check of symmetries could pass because everything is symmetric.
    state = three_inputs()[DEPTH]
    for name in NAMES:
        tensor = find_tensor(name)[0]
        place = {vertex: slot for slot, vertex in enumerate(tensor.slots)}
        own = {tuple(place[g[v]] for v in tensor.slots) for g in symmetry_elements(tensor.kind)}
        array = state[name]
        found = {
            permutation
            for permutation in itertools.permutations(range(array.ndim))
            if np.allclose(array.transpose(permutation), array, rtol=1e-9, atol=1e-12)
        }
        assert found == own, name


@settings(max_examples=10)
@given(tables)
def test_the_first_layer_is_gaussian_with_a_fixed_kernel(table):
    state = run(table)[1]
    gram = np.array(table) @ np.array(table).T / 2
    assert_close(state["G"], HYPER["C_b"] + HYPER["C_W"] * gram)
    assert_close(state["H"], HYPER["lambda_b"] + HYPER["lambda_W"] * gram)
    for name in state:
        if name not in ("G", "H"):
            assert not np.any(state[name]), name


@settings(max_examples=10)
@given(st.lists(entries, min_size=2, max_size=2), st.lists(entries, min_size=2, max_size=2))
def test_an_input_given_twice_has_equal_components_everywhere(first, second):
    double, single = run([first, second, first]), run([first, second])
    back = [0, 1, 0]
    for layer in range(1, DEPTH + 1):
        for name, array in single[layer].items():
            assert_close(double[layer][name], array[np.ix_(*[back] * array.ndim)], f"{name} at layer {layer}")


@pytest.mark.parametrize("activation", ["tanh", "gelu", "sin"])
def test_repeated_and_collinear_inputs_are_as_good_as_others(activation):
    # A singular Gram matrix: the averages must not invert it. Nearby inputs are the judge (components are smooth).
    table = [[0.8, -0.5], [0.8, -0.5], [-1.6, 1.0]]
    nearby = [[0.8, -0.5], [0.8 + 1e-7, -0.5], [-1.6, 1.0 + 1e-7]]
    exact = model()(table, activation=activation, depth=DEPTH, **HYPER)[DEPTH]
    close = model()(nearby, activation=activation, depth=DEPTH, **HYPER)[DEPTH]
    for name, array in exact.items():
        assert np.all(np.isfinite(array))
        scale = np.abs(array).max()
        np.testing.assert_allclose(array, close[name], rtol=0, atol=3e-5 * scale, err_msg=name)


@settings(max_examples=8)
@given(tables)
def test_components_of_some_inputs_do_not_depend_on_the_others(table):
    together, alone = run(table)[DEPTH], run(table[:1])[DEPTH]
    for name, array in alone.items():
        assert_close(together[name][(0,) * array.ndim], array.ravel()[0], name)


def test_one_input_mode_gives_the_diagonal_of_many_inputs():
    one = pt.theory("mlp", order=1).compile(inputs="one")
    states = one(TABLE, activation="tanh", depth=DEPTH, **HYPER)
    many = model()(TABLE, activation="tanh", depth=DEPTH, **HYPER)
    for layer in range(1, DEPTH + 1):
        for name, array in states[layer].items():
            assert array.shape == (3,)
            full = many[layer][name]
            diagonal = [full[(i,) * full.ndim] for i in range(3)]
            np.testing.assert_allclose(array, diagonal, rtol=1e-8, atol=1e-10, err_msg=name)


def test_the_sign_of_an_odd_activation_s_inputs_is_the_sign_of_the_components():
    # x -> -x for one input changes the sign of z there: a component with an odd number of its slots changes sign.
    no_bias = {"C_b": 0.0, "lambda_b": 0.0}
    flipped = [[-x for x in TABLE[0]], *TABLE[1:]]
    first = run(TABLE, "x - x^3/6", **no_bias)[DEPTH]
    second = run(flipped, "x - x^3/6", **no_bias)[DEPTH]
    for name, array in first.items():
        sign = np.ones(array.shape)
        for axis in range(array.ndim):
            shape = [1] * array.ndim
            shape[axis] = 3
            sign = sign * np.array([-1, 1, 1]).reshape(shape)
        assert_close(second[name], sign * array, name)


def test_learning_rates_scale_each_tensor_by_its_number_of_edges():
    # Every edge of the forest carries one learning rate.
    first, second = three_inputs()[DEPTH], run(TABLE, lambda_b=0.8, lambda_W=1.8)[DEPTH]
    for name in NAMES:
        edges = len(find_tensor(name)[0].kind.edges)
        assert_close(second[name], 2**edges * first[name], name)


def test_hyperparameters_may_differ_between_layers_and_the_first_entries_are_the_first_layer():
    values = [1.3, 0.7, 1.9]
    varied = run(TABLE, C_W=values)
    for layer in range(1, DEPTH):
        later = run(TABLE, C_W=[*values[:layer], *[5.0] * (DEPTH - layer)])
        for name in ("G", "H", "V", "D", "H{1}"):
            np.testing.assert_array_equal(later[layer][name], varied[layer][name])
        assert not np.allclose(later[layer + 1]["G"], varied[layer + 1]["G"])
    assert_close(varied[1]["G"], HYPER["C_b"] + values[0] * np.array(TABLE) @ np.array(TABLE).T / 3)


def test_divergent_components_are_nan_with_a_reason_and_no_others():
    # At layer 2, T holds <s''_1 s''_2 ...>: two deltas of ReLU meet exactly where vertices 1, 2 (slots 1, 4) carry
    # the same input. Everything up to the NTK's fluctuations has at most one delta at an input.
    result = model()(TABLE[:2], activation="relu", depth=2, C_W=2.0)
    state = result[2]
    for slots in itertools.product(range(2), repeat=4):
        assert np.isnan(state["T"][slots]) == (slots[0] == slots[3]), slots
    for name in ("G", "H", "G{1}", "H{1}", "V", "D", "F", "A", "B"):
        assert np.all(np.isfinite(state[name])), name
    assert result.divergences
    assert all("infinite" in reason for reason in result.divergences)


def test_a_component_by_role_is_the_component_by_slot():
    state = three_inputs()[DEPTH]
    # F_1324: slots 1, 3 are preactivations and 2, 4 the legs of the NTK; first z with first leg, second with second.
    assert state.at("F", z=(0, 1), H=(2, 1)) == state["F"][0, 2, 1, 1]
    assert state.at("D", z=(0, 1), H=(2, 1)) == state["D"][0, 1, 2, 1]
    assert state.at("G", z=(0, 2)) == state["G"][0, 2]
    assert state.at("H", H=(0, 2)) == state["H"][0, 2]
    # B_1324: the NTKs carry (1, 2) and (3, 4), its slots are 1, 3, 2, 4.
    assert state.at("B", H=((0, 1), (2, 0))) == state["B"][0, 2, 1, 0]
    assert state.at("A", H=((0, 1), (2, 0))) == state["A"][0, 1, 2, 0]
    assert state.at("P", dH=(0, 1, 2), z=1) == state["P"][0, 1, 2, 1]
    assert state.at("T", ddH_II=(0, 1, 2, 2)) == state["T"][0, 2, 2, 1]
    assert state.at("V", z=(0, 1, 2, 2)) == state["V"][0, 1, 2, 2]
    # F_1324 = F_2413: exchanging both preactivations and both legs at once.
    assert state.at("F", z=(0, 1), H=(2, 1)) == pytest.approx(state.at("F", z=(1, 0), H=(1, 2)), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "roles"),
    [("F", {"z": (0, 1)}), ("F", {"z": (0, 1), "H": (0,)}), ("F", {"z": (0, 1), "dH": (0, 1, 2)}), ("G", {"x": 0})],
)
def test_wrong_roles_are_refused_with_what_the_tensor_needs(name, roles):
    with pytest.raises(InputError, match=rf"^{name}"):
        three_inputs()[DEPTH].at(name, **roles)


def test_limits_have_names_of_their_own_in_a_state():
    state = three_inputs()[DEPTH]
    np.testing.assert_array_equal(state["K"], state["G"])
    np.testing.assert_array_equal(state["Theta"], state["H"])
    with pytest.raises(InputError, match="no tensor 'V6'"):
        state["V6"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"inputs": []}, "inputs"),
        ({"inputs": [[1.0], [1.0, 2.0]]}, "inputs"),
        ({"inputs": [[float("nan")]]}, "row 1 holds NaN"),
        ({"inputs": [1.0, 2.0]}, "one row of numbers per input"),
        ({"depth": 0}, "depth must be a whole number from 1"),
        ({"depth": 2.0}, "depth must be a whole number from 1"),
        ({"C_w": 1.0}, "no hyperparameter 'C_w'.*C_W"),
        ({"C_W": -1.0}, "C_W must be at least 0"),
        ({"lambda_b": float("inf")}, "lambda_b must be .*not inf"),
        ({"C_W": [1.0, 2.0, 3.0]}, "one value or one for each of 2 layers"),
        ({"widths": (5, 5)}, "needs 1 hidden width"),
        ({"widths": (0,)}, "whole numbers from 1"),
        ({"activation": "tahn"}, "tanh"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments, reason):
    given_arguments = {"inputs": [[1.0, 2.0]], "activation": "tanh", "depth": 2, **arguments}
    with pytest.raises(InputError, match=reason) as caught:
        model()(given_arguments.pop("inputs"), **given_arguments)
    assert "\n" not in str(caught.value)


def test_a_network_that_passes_neurons_on_has_one_width():
    model = pt.theory("residual", "V").compile()
    with pytest.raises(InputError, match="all hidden widths must be equal, not 5, 6"):
        model([[1.0, 2.0]], "tanh", 3, widths=(5, 6))
    equal = model([[1.0, 2.0]], "tanh", 3, widths=(5, 5))
    assert equal[3]["V"].item() == model([[1.0, 2.0]], "tanh", 3)[3]["V"].item()


def test_the_sign_of_a_squared_hyperparameter_is_free():
    model = pt.theory("projection", "V").compile(inputs="one")
    plus, minus = (model([[1.0]], "relu", 3, gamma=gamma, C_W=1.5)[3]["V"].item() for gamma in (0.5, -0.5))
    assert plus == minus


def test_functions_that_a_rule_does_not_have_are_refused():
    with pytest.raises(InputError, match=r"no function 'q'; .*s"):
        pt.theory("mlp", "V").compile()([[1.0]], {"s": "tanh", "q": "sin"}, 2)
