"""`simulate`: rules, activations with kinks, tensors that the book does not name, and what is refused."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from tests.cli.conftest import pertheory

__all__ = ["pertheory"]  # the command line as a fixture

ONE, TWO = [[0.8, -0.5, 1.1]], [[0.8, -0.5, 1.1], [-0.3, 0.9, 0.4]]
RATES = {"lambda_b": 0.4, "lambda_W": 0.9}


def test_another_rule_is_sampled_without_code_of_its_own():
    """Residual blocks, one input, two widths: preactivations and tangent kernels; compiling takes the time."""
    hyper = {
        "C_b": 0.3,
        "C_W": 1.1,
        "gamma": 0.6,
        "C_b1": 0.1,
        "C_W1": 0.8,
        "lambda_b1": 0.2,
        "lambda_W1": 0.7,
        **RATES,
    }
    names = list("VH")
    drawn = [
        pt.simulate("residual", ONE, "tanh", 3, width, tensors=names, samples=6_400, layers=[3], **hyper)
        for width in (24, 96)
    ]
    fits = pt.extrapolate(drawn)
    assert len(fits) == 2
    for fit in fits:
        assert fit.stderr() < 0.08 * abs(fit.theory[0])
        assert abs(fit.pull()) < 4


def test_a_tensor_that_the_book_does_not_name():
    """Six vertices, two trees with edges: dH z z z, where the theory is T{0} at large width."""
    found = pt.simulate(
        "mlp", ONE, "tanh", 2, 300, tensors=["dH(1;2,3) z(4) z(5) z(6) @ 14,25,36"], samples=6_400, **RATES
    )
    (component,) = found.components
    assert component.stderr < 0.05 * abs(component.theory)
    assert abs(component.pull) < 4


def test_tensors_that_need_deltas_at_kinks_are_left_out_and_said():
    with pytest.warns(UserWarning, match="delta functions at its kinks") as caught:
        found = pt.simulate("mlp", ONE, "relu", 2, 8, samples=128, C_W=2.0)
    assert {str(one.message).split()[0] for one in caught} == set("PQRSTU")
    assert {own.tensor for own in found.components} == {"G", "V", "H", *"DFAB"}
    with pytest.raises(pt.UnsupportedError, match="P cannot be sampled: it needs derivatives of order 2 of relu"):
        pt.simulate("mlp", ONE, "relu", 2, 8, tensors=["P"], samples=128)


def test_singular_inputs_are_drawn():
    """Two equal inputs and a zero: covariances without an inverse."""
    found = pt.simulate("mlp", [*ONE, *ONE, [0.0, 0.0, 0.0]], "tanh", 3, 10, tensors=["G", "V"], samples=1280)
    assert np.isfinite(found.pulls()).all()
    one, other = found.at("G", 3, (0, 0)), found.at("G", 3, (0, 1))
    assert one.mean == pytest.approx(other.mean, rel=1e-12)
    assert found.at("G", 3, (2, 2)).mean == 0


RULES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in (Path(pt.__file__).parents[1] / "rules" / "networks").glob("*.toml")
}
REFUSED = {
    "widths": ({"widths": [4, 4]}, "depth 2 needs 1 hidden width"),
    "no width": ({"widths": 0}, "widths must be a whole number from 1, not 0"),
    "one layer": ({"depth": 1}, "depth must be a whole number from 2"),
    "few": ({"samples": 64}, "samples: 64 networks are too few; standard errors need 128"),
    "none": ({"samples": 0}, "samples: 0 networks are too few"),
    "seed": ({"seed": -1}, "seed must be a whole number from 0"),
    "layer": ({"layers": [3]}, "layers must be a whole number from 2 to 2"),
    "executor": ({"executor": 3}, "an executor is a concurrent.futures.Executor"),
    "neurons": ({"rule": "residual", "tensors": ["V6"], "widths": 2}, "V6 needs 3 neurons that are passed on"),
    "components": ({"inputs": np.eye(6).tolist(), "tensors": ["V6"]}, "more than 20000 components"),
    "mean": (
        {"rule": RULES["skip"].replace('coefficient = "gamma",', 'function = "s",'), "closure": "pairs"},
        "so fields have a mean",
    ),
    "rule": (
        {"rule": RULES["mlp"].replace('"C_W"', '"C_W"\ndistribution = "cauchy"'), "closure": "pairs"},
        "'cauchy' cannot be drawn",
    ),
}


@pytest.mark.filterwarnings("ignore:keeping pairs only")
@pytest.mark.parametrize("case", list(REFUSED))
def test_what_is_wrong_is_one_line(case):
    changed, reason = REFUSED[case]
    given = {
        "rule": "mlp",
        "inputs": ONE,
        "activation": "tanh",
        "depth": 2,
        "widths": 8,
        "tensors": ["G"],
        "samples": 128,
    }
    with pytest.raises(pt.PertheoryError, match=re.escape(reason)) as caught:
        pt.simulate(**{**given, **changed})
    assert "\n" not in str(caught.value)


def test_without_jax_the_message_says_what_to_install():
    code = (
        "import sys; sys.modules['jax'] = None\nimport pertheory as pt\n"
        "try: pt.simulate('mlp', [[1.0]], 'tanh', 2, 8, tensors=['G'])\n"
        "except pt.MissingPackageError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "networks are sampled by JAX, which is not installed: pip install 'pertheory[simulate]'\n"


@pytest.fixture
def flags(tmp_path):
    (tmp_path / "x.csv").write_text("1.0,0.5\n-0.3,0.8\n")
    return ["simulate", "--activation", "tanh", "--inputs", tmp_path / "x.csv", "--depth", "2", "--samples", "128"]


def test_the_command_prints_a_table_or_json(pertheory, flags, tmp_path):
    given = [*flags, "--tensors", "G,V", "--widths", "8", "--order", "2", "--plot", tmp_path / "p.svg"]
    text = pertheory(*given)
    assert text.status == 0
    assert re.search(r"order 0 +to 1/n\^1 +to 1/n\^2 +sampled +stderr +pull", text.out)
    assert "9 pulls: mean" in text.out
    record = json.loads(pertheory(*given, "--format", "json").out)
    assert record["schema"] == "pertheory.simulate/1"
    assert len(record["components"]) == 9
    first = record["components"][0]
    assert {"layer", "tensor", "slots", "theory", "mean", "stderr", "pull"} <= set(first)
    assert first["pull"] == pytest.approx((first["mean"] - first["theory"]) / first["stderr"])
    assert (tmp_path / "p.svg").read_text().startswith("<svg")


def test_the_command_extrapolates_and_goes_on(pertheory, flags, tmp_path):
    given = [
        *flags,
        "--tensors",
        "V",
        "--extrapolate",
        "8,16",
        "--store",
        tmp_path / "kept",
        "--plot",
        tmp_path / "p.svg",
    ]
    text = pertheory(*given)
    assert text.status == 0
    assert "fitted T{0}" in text.out
    again = [flag if flag != "128" else "0" for flag in given]
    assert pertheory(*again).out == text.out
    record = json.loads(pertheory(*again, "--format", "json").out)
    assert record["extrapolation"]["widths"] == [8, 16]
    assert len(record["extrapolation"]["fits"]) == 6
    picture = (tmp_path / "p.svg").read_bytes()
    pertheory(*again)
    assert (tmp_path / "p.svg").read_bytes() == picture


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--extrapolate", "8"], "--extrapolate needs two different widths"),
        (["--extrapolate", "8,16", "--widths", "8"], "leave out --widths"),
        (["--extrapolate", "8,1.5"], "--extrapolate: 1.5 is not a whole number"),
        (["--widths", "0"], "--widths: 0 is not a whole number from 1"),
        (["--plot", "picture.png"], "--plot picture.png: must end in .svg"),
        (["--samples", "0"], "name their folder with --store DIR"),
        (["--plot", "p.svg", "--out", "./p.svg"], "--plot p.svg: is the file of --out"),
        (["--samples", "5"], "samples: 5 networks are too few"),
        (["--samples", str(2**32 + 1)], "samples must be a whole number from 0 to 4294967296"),
        (["--network", "skip"], "not sound"),
        (["--depth", "1"], "must be at least 2"),
        (["--batch", "0"], "must be at least 1"),
    ],
)
def test_wrong_flags_are_one_line(pertheory, flags, more, reason):
    found = pertheory(*flags, *more)
    assert found.status == 2
    assert reason in found.err
    assert found.err.count("\n") == 1
    assert not found.out
