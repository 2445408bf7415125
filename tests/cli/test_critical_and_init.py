"""``pertheory critical`` and ``pertheory init`` as they are typed."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Command


def test_critical(pertheory: Command) -> None:
    status, out, err = pertheory("critical", "gelu", "--width", 512, "--depth", 24)
    assert (status, err) == (0, "")
    assert "C_b = 0.1729223908, C_W = 1.983058257, K = 3.561552813: half-stable, from above" in out
    assert "V/(n K^2)      0.2203 at depth 24 and width 512" in out
    record = json.loads(
        pertheory("critical", "tanh", "--network", "residual", "--param", "gamma=0.6", "--format", "json").out
    )
    assert record["schema"] == "pertheory.critical/1"
    assert record["points"] == [{"C_b": 0.0, "C_W": pytest.approx(0.64), "K": 0.0, "stability": "stable"}]
    assert record["nu"] == pytest.approx(4 / 3 * 0.64)
    assert record["parameters"] == {"gamma": 0.6}


def test_critical_says_what_it_cannot_tell_of_a_width(pertheory: Command) -> None:
    status, out, err = pertheory("critical", "sigmoid", "--width", 512, "--depth", 24)
    assert (status, err) == (0, "")
    assert "V/(n K^2)      none at depth 24 and width 512" in out
    assert pertheory("critical", "sigmoid", "--width", 10**9, "--depth", 24).status == 2


def test_a_formula_that_begins_with_a_minus_stands_after_two(pertheory: Command) -> None:
    status, out, err = pertheory("critical", "--", "-x")
    assert (status, err) == (0, "")
    assert "C_W = 1, any K" in out


def test_init(pertheory: Command) -> None:
    record = json.loads(pertheory("init", "relu", "--width", 100, "--depth", 11, "--format", "json").out)
    assert (record["schema"], record["C_W"], record["fluctuation"]) == ("pertheory.init/1", 2.0, pytest.approx(0.5))
    assert len(record["learning_rates"]) == 11
    status, out, err = pertheory("init", "gelu", "--depth", 3, "--framework", "torch")
    assert (status, err) == (0, "")
    compile(out, "snippet", "exec")
    assert "nn.GELU()" in out
    assert "# gelu in mlp, width 512, depth 3: initialisation" in out
    status, out, err = pertheory("init", "sigmoid")
    assert (status, err) == (0, "")
    assert "sigmoid is not critical" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["critical", "tanhh"], "unknown activation 'tanhh'"),
        (["critical", "tanh", "--width", "5"], "give both --width and --depth"),
        (["critical", "tanh", "--param", "gamma=1"], "no parameter 'gamma'"),
        (["critical", "tanh", "--param", "C_W=1"], "C_W is what criticality fixes"),
        (["critical", "tanh", "--network", "skip"], "skip"),
        (["critical", "tanh", "--network", "deep_linear"], "deep_linear has no function"),
        (["critical", "leaky_relu", "--param", "slope=1e200"], "leaves the range of doubles"),
        (["critical", "leaky_relu", "--param", "slope=1e90"], "leaves the range of doubles"),
        (["init", "leaky_relu", "--param", "slope=-1e200"], "leaves the range of doubles"),
        (["critical"], "ACTIVATION"),
        (
            ["critical", "-x", "--format=json"],
            "'-x' is no flag: a formula or name that begins with - stands at the end",
        ),
        (["init"], "name an activation, or give --all"),
        (["init", "tanh", "--all"], "--all is for every activation"),
        (["init", "--all", "--framework", "jax"], "jax has no gains of its own"),
        (["init", "relu", "--network", "residual", "--framework", "torch"], "code is written for mlp"),
        (["init", "sigmoid", "--framework", "torch"], "sigmoid is not critical"),
        (["init", "relu", "--depth", "0"], "--depth"),
        (["init", "relu", "--framework", "theano"], "theano"),
        (["init", "exp(exp(exp(x)))"], "exp"),
    ],
)
def test_bad_input_is_one_line(pertheory: Command, arguments: list[str], words: str) -> None:
    status, out, err = pertheory(*arguments)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert words in err
