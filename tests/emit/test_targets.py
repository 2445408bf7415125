"""A target is a folder and a line in the table: everything else asks the table."""

import numpy as np
import pytest

import pertheory as pt
from pertheory import targets
from pertheory.cli.verbs import execute
from pertheory.errors import InputError
from pertheory.run.model import Model


def texts(theory, inputs, functions):
    """What a third target would write."""
    names = ", ".join(f"{name} = {function.name}" for name, function in functions.items())
    return {"toy.txt": f"{theory.network.name} {theory.order} {inputs}: {len(theory.nodes)} tensors, {names}\n"}


class Doubled(Model):
    """What a third target would compute."""


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(targets.TARGETS, "toy", targets.Target(f"{__name__}:texts", f"{__name__}:Doubled"))


def test_a_third_target_needs_one_line(toy, tmp_path, capsys):
    theory = pt.theory("mlp", ["V"], 1)
    assert isinstance(theory.compile("toy"), Doubled)
    (path,) = theory.emit("toy", tmp_path / "python", "one", "relu")
    assert path.read_text() == f"mlp 1 one: {len(theory.nodes)} tensors, s = relu\n"
    assert execute(["emit", "--target", "toy", "--out", str(tmp_path / "command"), "--tensors", "V"]) == 0
    assert (tmp_path / "command" / "toy.txt").read_text().startswith("mlp 1 many")
    inputs = tmp_path / "inputs.csv"
    inputs.write_text("1,0.5\n")
    wanted = ["run", "--activation", "tanh", "--depth", "2", "--inputs", str(inputs), "--tensors", "G"]
    assert execute([*wanted, "--backend", "toy"]) == 0
    assert "G" in capsys.readouterr().out


def test_every_target_writes_and_computes():
    theory = pt.theory("mlp", ["G"], 0)
    rows = [[1.0, 0.5], [0.2, -1.0]]
    states = [theory.compile(name)(rows, "tanh", 2)[2]["G"] for name in targets.TARGETS]
    for other in states[1:]:
        np.testing.assert_allclose(other, states[0], rtol=1e-9)
    assert all(theory.texts(name) for name in targets.TARGETS)


def test_an_unknown_target_is_named_with_what_there_is():
    for call in (pt.theory("mlp", ["G"], 0).texts, pt.theory("mlp", ["G"], 0).compile):
        with pytest.raises(InputError, match="unknown target 'fortran'; known: numpy, c"):
            call("fortran")
