"""States as tables of pandas and xarray: every component is there, at its place; without the package a line says so."""

import sys

import numpy as np
import pytest

import pertheory as pt

ROWS = [[1.0, 0.5], [0.2, -1.0], [0.3, 0.3]]


@pytest.fixture(scope="module")
def run():
    return pt.theory("mlp", ["V", "G{1}", "F", "z(1) z(2) dH(3;4,5) z(6) @ 12,36,45"], order=1).compile()(
        ROWS, "tanh", 3
    )


@pytest.fixture(scope="module")
def alone():
    return pt.theory("mlp", "V", order=1).compile(inputs="one")(ROWS, "tanh", 3)


def test_a_data_frame_has_every_component_once(run):
    pandas = pytest.importorskip("pandas")
    frame = run.to_pandas()
    assert list(frame.columns) == ["layer", "tensor", *(f"slot {n}" for n in range(1, 7)), "value"]
    assert len(frame) == 3 * sum(array.size for array in run[1].values())
    assert not frame.duplicated(frame.columns[:-1].tolist()).any()
    for layer, key, *slots, value in frame.sample(200, random_state=0).itertuples(index=False):
        own = tuple(int(slot) for slot in slots if not pandas.isna(slot))
        assert run[layer][key][own] == value
    assert (frame["layer"].diff().dropna() >= 0).all()


def test_one_layer_and_some_tensors(run):
    pytest.importorskip("pandas")
    frame = run[2].to_pandas("V", "Theta", "z(3) z(4) z(1) z(2) @ 34,12")
    assert set(frame["layer"]) == {2}
    assert list(frame["tensor"].unique()) == ["V", "Theta", "z(3) z(4) z(1) z(2) @ 34,12"]
    wide = frame[frame["tensor"] == "Theta"].pivot(index="slot 1", columns="slot 2", values="value")
    assert np.array_equal(wide.to_numpy(), run[2]["H"])


def test_inputs_by_themselves_stand_in_every_slot(alone):
    pytest.importorskip("pandas")
    frame = alone.to_pandas("V")
    assert len(frame) == 3 * 3
    assert (frame["slot 1"] == frame["slot 4"]).all()
    assert frame["value"].to_list() == [value for layer in (1, 2, 3) for value in alone[layer]["V"]]


def test_a_data_set_has_the_arrays_with_their_axes(run, alone):
    pytest.importorskip("xarray")
    found = run.to_xarray()
    assert set(found.data_vars) == set(run[1])
    assert found["F"].dims == ("layer", "slot_1", "slot_2", "slot_3", "slot_4")
    assert found["F"].attrs["observable"] == "z(1) z(2) H(3,4) @ 13,24"
    assert float(found["F"].sel(layer=3, slot_1=0, slot_2=2, slot_3=1, slot_4=2)) == run[3]["F"][0, 2, 1, 2]
    for key in found.data_vars:
        assert np.array_equal(found[key].values, np.stack([state[key] for state in run]))
    assert run[2].to_xarray("V")["V"].sizes["layer"] == 1
    assert alone.to_xarray("V")["V"].dims == ("layer", "input")


@pytest.mark.parametrize(("package", "method"), [("pandas", "to_pandas"), ("xarray", "to_xarray")])
def test_without_the_package_a_line_says_what_to_install(run, monkeypatch, package, method):
    monkeypatch.setitem(sys.modules, package, None)
    for held in (run, run[2]):
        with pytest.raises(pt.MissingPackageError, match=f"{method} needs {package}.*pip install {package}") as caught:
            getattr(held, method)()
        assert isinstance(caught.value, ImportError)
        assert "\n" not in str(caught.value)


def test_an_unknown_tensor_is_named(run):
    pytest.importorskip("pandas")
    with pytest.raises(pt.InputError, match="no tensor 'A' in this state"):
        run.to_pandas("V", "A")
