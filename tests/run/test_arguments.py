"""Every argument of a run that makes no sense is one line that names it; states answer as mappings do."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from pertheory.errors import InputError

X = [[1.0, 2.0], [0.5, -1.0]]


@cache
def model(target: str = "numpy"):  # type: ignore[no-untyped-def]
    return pt.theory("mlp", ["V", "H"], 1).compile(target)


@cache
def result():  # type: ignore[no-untyped-def]
    return model()(X, "tanh", 3)


class Refuses:
    """An array that cannot be had, such as a tensor that requires grad."""

    def __array__(self, *_: object, **__: object) -> None:
        raise RuntimeError("detach\nfirst")


def test_a_state_is_a_mapping() -> None:
    state = result()[3]
    assert "V" in state
    assert "K" in state
    for absent in ("ZZ", "A", "V{7}", "z(1", 5, None, slice(1)):
        assert absent not in state
        assert state.get(absent) is None
        assert state.get(absent, 1) == 1
        with pytest.raises(KeyError) as caught:
            state[absent]
        assert isinstance(caught.value, InputError)
        assert "\n" not in str(caught.value)
        assert not str(caught.value).startswith('"')
    assert dict(state).keys() == {"G", "G{1}", "H", "H{1}", "V", "D", "F"}


def test_states_are_compared_by_what_they_hold() -> None:
    again = model()(X, "tanh", 3)
    assert result() == again
    assert result()[1] != result()[2]
    assert result()[1] != 1


@pytest.mark.parametrize("layer", ["V", slice(1, 3), 0, 4, -1, 1.0, None, True, (1, "V"), [1]])
def test_a_run_is_asked_for_one_layer(layer: object) -> None:
    with pytest.raises(InputError, match="layer"):
        result()[layer]


def test_a_run_is_a_sequence_of_layers() -> None:
    assert result()[np.int64(2)] is result()[2]
    assert [state.layer for state in result()] == [1, 2, 3]
    assert "V" not in result()


@pytest.mark.parametrize(
    "roles",
    [(0, 1, 0, None), "ab", ([0], [1, 2]), (0, 1, 0, 5), (0, 0, 0, True), (0, 0, 0, -1), (0, 0, 0, 0.5), 1, {0: 1}],
)
def test_roles_are_numbers_of_inputs(roles: object) -> None:
    with pytest.raises(InputError, match=r"^V"):
        result()[3].at("V", z=roles)


def test_roles_may_be_an_array() -> None:
    assert result()[3].at("V", z=np.array([0, 1, 0, 1])) == result()[3]["V"][0, 1, 0, 1]


WRONG = [
    ({"widths": 10}, "widths must be a list"),
    ({"widths": "12"}, "widths must be a list"),
    ({"widths": np.array(4)}, "widths must be a list"),
    ({"widths": {4: 5, 6: 7}}, "widths must be a list"),
    ({"widths": [None, 1]}, "widths must be whole numbers from 1, not None"),
    ({"widths": [1j, 1]}, "widths must be whole numbers from 1"),
    ({"widths": np.array([[4], [8]])}, "widths must be whole numbers from 1"),
    ({"parameters": [1]}, "parameters must be a mapping"),
    ({"parameters": 0}, "parameters must be a mapping"),
    ({"parameters": {1: 2}}, "parameters must be a mapping"),
    ({"activation": "leaky_relu", "parameters": {"slope": [0.1]}}, "'slope' of leaky_relu: list is not"),
    ({"activation": "leaky_relu", "parameters": {"slope": "0.1"}}, "'0.1' is not a finite number"),
    ({"activation": "leaky_relu", "parameters": {"slope": 1j}}, "complex is not a finite number"),
    ({"activation": "x^2", "parameters": {"slope": 1}}, "formula 'x.2' has no parameter 'slope'"),
    ({"activation": "x", "parameters": {"x": 1}}, "formula 'x' has no parameter 'x'"),
    ({"activation": ["tanh"]}, "an activation is a name"),
    ({"activation": {3: "tanh"}}, "has no function 3"),
    *(({"rtol": rtol}, "rtol must be between 0 and 1") for rtol in (0, -1, "x", float("nan"), 1, None, True, 1j)),
    *(({"depth": depth}, "depth must be a whole number from 1") for depth in (2.0, "3", -1, 0, True, None, 10**30)),
    ({"inputs": np.array([[1 + 2j]])}, "inputs must be real numbers, not complex ones"),
    ({"inputs": [[1j]]}, "inputs must be real numbers, not complex ones"),
    ({"inputs": [["1", "2"]]}, "inputs must be real numbers, not text"),
    ({"inputs": [["1_5"]]}, "inputs must be real numbers, not text"),
    ({"inputs": [[True]]}, "inputs must be real numbers, not truth values"),
    ({"inputs": [[1, None]]}, "inputs must be real numbers, not None"),
    ({"inputs": None}, "inputs must be real numbers, not None"),
    ({"inputs": {"a": 1}}, "inputs must be real numbers"),
    ({"inputs": np.array([["2020-01-01"]], dtype="M8[D]")}, "inputs must be real numbers"),
    ({"inputs": np.ma.masked_array([[1.0, 2.0]], [[True, False]])}, "not masked ones"),
    ({"inputs": [[1, 2], [3]]}, "its rows differ in length"),
    ({"inputs": Refuses()}, "it is no array: RuntimeError: detach first"),
    ({"inputs": [[10**400]]}, "too large for a double"),
    ({"inputs": np.zeros((2, 2, 2))}, "one row of numbers per input"),
    *(({"C_W": value}, "C_W must be") for value in ("1_0", np.array([1j, 1]), [[1], [2, 3]], None, True)),
]


def test_a_network_without_functions_takes_a_linear_activation_alone() -> None:
    """Else the numbers would be those of another activation than the one that was given."""
    given = {"inputs": X, "depth": 3}
    own = pt.theory("deep_linear", ["G"], order=0).compile("numpy", "many")
    expected = own(activation="linear", **given)[3]["G"]
    assert np.array_equal(own(activation="x", **given)[3]["G"], expected)
    for activation in ("tanh", "2*x", "tahn"):
        with pytest.raises(InputError, match=r"deep_linear has no function; its activation is linear|'tahn'"):
            own(activation=activation, **given)


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_a_wrong_argument_is_one_line_that_names_it(wrong, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=words) as caught:
        model()(**{"inputs": X, "activation": "tanh", "depth": 3, **wrong})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [{"depth": 3}, {"activation": "tanh"}, {}])
def test_activation_and_depth_are_both_given(given) -> None:  # type: ignore[no-untyped-def]
    missing = {"depth", "activation"} - set(given)
    for call in (model(), model().layers):
        with pytest.raises(TypeError, match="missing") as caught:
            call(X, **given)
        assert all(f"'{name}'" in str(caught.value) for name in missing)


def test_numbers_of_every_kind_are_taken() -> None:
    plain = model()([[0.5, 1.5]], "leaky_relu", 2, widths=[8], C_W=0.5, parameters={"slope": 1})
    kinds = model()(
        [[Fraction(1, 2), Decimal("1.5")]],
        "leaky_relu",
        np.int64(2),
        widths=(w for w in np.array([8])),
        C_W=Fraction(1, 2),
        rtol=np.float64(1e-9),
        parameters={"slope": np.int64(1)},
    )
    assert plain == kinds


@pytest.mark.parametrize("inputs", ["single", None, ["one"], 1])
def test_what_a_model_is_for_is_looked_at_when_it_is_made(inputs: object) -> None:
    theory = pt.theory("mlp", "G", 0)
    for call in (lambda: theory.compile(inputs=inputs), lambda: theory.compile("c", inputs=inputs)):
        with pytest.raises(InputError, match="inputs must be one of many, one"):
            call()
    for made in (lambda: theory.texts("numpy", inputs), lambda: theory.program(inputs)):  # type: ignore[arg-type]
        with pytest.raises(InputError, match="inputs must be one of many, one"):
            made()


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_emitting_where_nothing_can_be_written(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").write_text("mine")
    theory = pt.theory("mlp", "G", 0)
    with pytest.raises(InputError, match="file: is a file; name a folder"):
        theory.emit(target, tmp_path / "file", activation="x^2")
    with pytest.raises(InputError, match="cannot be written"):
        theory.emit(target, tmp_path / "file" / "below", activation="x^2")
    with pytest.raises(InputError, match="a folder is a text or a Path"):
        theory.emit(target, None)  # type: ignore[arg-type]
    assert (tmp_path / "file").read_text() == "mine"
    theory.emit(target, tmp_path / "new", activation="x^2")
    theory.emit(target, tmp_path / "new", activation="x^2")
