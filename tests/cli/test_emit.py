"""What `emit` writes: a module that needs NumPy and nothing else, the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.processes import run_python

#: A program that knows nothing of pertheory: averages of the polynomial x + x^2/2 by a Gauss-Hermite rule in two
#: dimensions, which is exact up to degree 31; it refuses to import anything but NumPy and the standard library.
USER = """
import json
import sys
from importlib.abc import MetaPathFinder
from itertools import product

class OnlyNumPy(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("pertheory", "scipy", "sympy", "symengine", "networkx", "mpmath"):
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, OnlyNumPy())
sys.path.insert(0, sys.argv[1])

import numpy as np
from numpy.polynomial import Polynomial
import mlp_order1

S = Polynomial([0.0, 1.0, 0.5])
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(16)

def factor(legs, lines):
    value = Polynomial([1.0])
    for name, order in lines:
        value = value * (S.deriv(order) if name == "s" else Polynomial([0.0, 1.0]).deriv(order))
    return value.deriv(legs)

def averages(covariance, requests):
    root = np.linalg.cholesky(covariance)
    first, second = np.meshgrid(NODES, NODES, indexing="ij")
    z = np.tensordot(root, np.stack([first, second]), 1)
    weight = np.outer(WEIGHTS, WEIGHTS) / (2 * np.pi)
    results = []
    for request in requests:
        values = [factor(legs, lines)(z) for legs, lines in request]
        result = np.empty((2,) * len(request))
        for inputs in product(range(2), repeat=len(request)):
            result[inputs] = np.sum(weight * np.prod([v[i] for v, i in zip(values, inputs)], axis=0))
        results.append(result)
    return results

inputs = np.array([[1.0, 2.0], [0.5, -1.0]])
parameters = {"C_b": 0.1, "C_W": 0.4, "lambda_b": 0.3, "lambda_W": 0.7}
states = mlp_order1.run(inputs @ inputs.T / 2, 3, averages, parameters, [2, 10, 30])
print(json.dumps([{key: array.tolist() for key, array in state.items()} for state in states]))
"""


def test_the_module_runs_without_pertheory_and_agrees_with_run(pertheory, folder):  # type: ignore[no-untyped-def]
    assert pertheory("emit", "--target", "numpy", "--out", "build") == (0, "build/mlp_order1.py\n", "")
    Path("user.py").write_text(USER)
    (folder / "other").mkdir()
    printed = run_python("-I", folder / "user.py", folder / "build", folder=folder / "other")
    hyper = ["--C_b", 0.1, "--C_W", 0.4, "--lambda_b", 0.3, "--lambda_W", 0.7, "--widths", "10,30"]
    command = ["run", "--activation", "x + x^2/2", "--inputs", "two.csv", "--depth", 3, "--format", "json"]
    expected = json.loads(pertheory(*command, *hyper).out)["layers"]
    for state, layer in zip(json.loads(printed), expected, strict=True):
        assert set(state) == set(layer) - {"layer"}
        for key, values in state.items():
            scale = np.abs(layer[key]).max()
            np.testing.assert_allclose(values, layer[key], rtol=0, atol=1e-11 * scale)


def test_two_processes_write_the_same_bytes(tmp_path):  # type: ignore[no-untyped-def]
    command = ["-m", "pertheory.cli.main", "emit", "--target", "numpy", "--no-cache", "--out"]
    for name, seed in (("one", "1"), ("two", "22")):
        run_python(*command, tmp_path / name / "build", seed=seed)
    (one,) = (tmp_path / "one" / "build").iterdir()
    (two,) = (tmp_path / "two" / "build").iterdir()
    assert one.name == two.name == "mlp_order1.py"
    assert one.read_bytes() == two.read_bytes()
    assert str(tmp_path) not in one.read_text()


def test_two_processes_print_the_same_json():
    command = ["-m", "pertheory.cli.main", "derive", "A", "U", "--order", 1, "--format", "json", "--no-cache"]
    assert run_python(*command, seed="1") == run_python(*command, seed="22")


@pytest.mark.parametrize("inputs", ["one", "many"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_every_flavour_is_python(pertheory, folder, inputs, activation):  # type: ignore[no-untyped-def]
    arguments = ["emit", "--target", "numpy", "--out", "deep/er", "--inputs", inputs, "--activation", activation]
    assert pertheory(*arguments, "--tensors", "F", "D").status == 0
    text = Path("deep/er/mlp_order1.py").read_text()
    compile(text, "mlp_order1.py", "exec")
    assert f'INPUTS = "{inputs}"' in text
    assert [line for line in text.splitlines() if line.startswith(("import", "from"))] == ["import numpy as np"]


def test_tensors_and_order_are_what_was_asked_for(pertheory, folder):  # type: ignore[no-untyped-def]
    assert pertheory("emit", "--target", "numpy", "--out", ".", "--tensors", "V", "--order", 0).status == 0
    text = Path("mlp_order0.py").read_text()
    assert "def recursion_V(" in text
    assert "def recursion_H(" not in text


def test_an_old_file_is_replaced(pertheory, folder):  # type: ignore[no-untyped-def]
    Path("mlp_order1.py").write_text("old")
    assert pertheory("emit", "--target", "numpy", "--out", ".", "--tensors", "V").status == 0
    assert Path("mlp_order1.py").read_text().startswith('"""')
    assert sorted(path.name for path in folder.iterdir()) == ["mlp_order1.py", "one.csv", "two.csv"]
