"""Predictions of trained networks: against another program, sampled networks, the book, and what must hold exactly."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from pertheory.book.chapters import book_folder, read_chapter
from pertheory.book.kinds.training import abbreviations_of, prediction_of
from pertheory.errors import DivergentAverageError, InputError
from pertheory.training import start
from pertheory.training.arithmetic import FLOATS
from pertheory.training.averages import Ensemble
from pertheory.training.result import COVARIANCE, MEAN
from pertheory.training.state import Objects, TrainingState

KNOWN = json.loads((Path(__file__).parent / "trained.json").read_text(encoding="utf-8"))
SETTING = {key: KNOWN[key] for key in ("train", "targets", "test", "eta")} | KNOWN["network"]
TWO = SETTING | {"targets": [[0.7, 0.1], [-0.4, 1.3]], "test": [[0.5, 0.5, -0.9], [1.0, 0.0, 0.2]]}


@pytest.fixture(scope="module")
def theory():
    return pt.theory("mlp", order=1)


@pytest.mark.parametrize("run", KNOWN["runs"], ids=lambda run: f"steps {run['steps']}")
def test_theory_and_networks_of_another_program(run, theory):
    found = pt.trained(theory, steps=run["steps"], **SETTING)
    for name in ("mean", "covariance"):
        own = getattr(found, name)
        for part, expected in run["theory"][name].items():
            value = own.leading if part == "leading" else own.parts[part]
            assert value.item() == pytest.approx(expected, abs=1e-8)
    for sampled in run["sampled"]:
        total = sum(getattr(found, sampled["of"]).parts[part].item() for part in sampled["parts"])
        assert total == pytest.approx(sampled["theory"], abs=1e-8)
        assert abs(sampled["value"] - total) < 3 * sampled["stderr"]


def test_the_mean_of_two_outputs_is_the_books(theory):
    """The Z of the book, contracted with the same cumulants, at n_L = 2; each part by itself."""
    found = pt.trained(theory, steps=inf, **TWO)
    inputs = np.concatenate([np.array(TWO["train"]), TWO["test"]])
    top = theory.compile()(inputs, **KNOWN["network"])[3]
    targets = np.concatenate([TWO["targets"], np.zeros((2, 2))])
    kernel = np.asarray(top["Theta"])
    state = TrainingState(
        FLOATS, 2, TWO["eta"], kernel, *map(FLOATS.constant, (0 * targets, targets, np.zeros((4, 4, 2, 2)))), {}
    )
    (equation,) = (e for e in read_chapter(book_folder() / "chinf_training.toml").equations if e.number == "inf.154")

    def tensor(kind):
        name = next(n for n in top if "{" not in n and pt.derive("mlp", n).tensor.kind == kind)
        return np.asarray(top[name]).transpose(np.argsort(pt.derive("mlp", name).tensor.slots))

    book = Ensemble(Objects(state, abbreviations_of(equation)), tensor)
    for part, trees in (("AB", ["H"]), ("PQ", ["dH"]), ("RSTU", ["ddH_I", "ddH_II"])):
        total = sum(book.average(prediction_of(equation, "0"), "0", 1, (tree,)).value for tree in trees)
        assert np.allclose(found.mean.parts[part], total[2:], rtol=1e-10, atol=1e-12)
        assert np.abs(total[2:]).min() > 1e-3
    shift = np.linalg.inv(kernel[:2, :2])
    bent = np.asarray(top["H{1}"]) - kernel[:, :2] @ shift @ np.asarray(top["H{1}"])[:2]
    assert np.allclose(found.mean.parts["H1"], bent[2:, :2] @ shift @ TWO["targets"], rtol=1e-10)


def test_at_training_inputs_targets_are_learned_exactly(theory):
    """No part of the mean shifts them and no part of the covariance is left."""
    found = pt.trained(theory, steps="inf", **TWO | {"test": TWO["train"]})
    assert np.allclose(found.mean.leading, TWO["targets"], atol=1e-12)
    for part in (*found.mean.parts.values(), found.covariance.leading, *found.covariance.parts.values()):
        assert np.abs(part).max() < 1e-11


def test_before_training_there_is_the_prior(theory):
    found = pt.trained(theory, steps=0, **TWO)
    top = theory.compile()(TWO["test"], **KNOWN["network"])[3]
    assert not found.mean.leading.any()
    assert not found.mean.first.any()
    equal = np.eye(2)
    assert np.allclose(found.covariance.leading, np.einsum("ab,ij->aibj", top["G"], equal), rtol=1e-9)
    assert np.allclose(found.covariance.first, np.einsum("ab,ij->aibj", top["G{1}"], equal), rtol=1e-9)


def test_parts_add_up_and_outputs_of_equal_targets_are_alike(theory):
    same = TWO | {"targets": [[0.7, 0.7], [-0.4, -0.4]]}
    found = pt.trained(theory, steps=7, width=50, **same)
    assert tuple(found.mean.parts) == MEAN
    assert tuple(found.covariance.parts) == COVARIANCE
    assert np.allclose(sum(found.covariance.parts.values()), found.covariance.first)
    assert np.allclose(found.mean.first[:, 0], found.mean.first[:, 1], rtol=1e-12)
    covariance = found.covariance.first
    assert np.allclose(covariance, covariance.transpose(2, 3, 0, 1), atol=1e-14)
    assert np.allclose(covariance[:, 0, :, 0], covariance[:, 1, :, 1], rtol=1e-10)
    assert np.abs(covariance[:, 0, :, 1]).min() > 1e-3
    assert np.allclose(found.mean.at(50), found.mean.leading + found.mean.first / 50)


def test_a_rotation_of_outputs_rotates_predictions(theory):
    """The ensemble does not prefer any output: predictions for rotated targets are rotated predictions."""
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    one = pt.trained(theory, steps="flow:2.5", **TWO)
    other = pt.trained(theory, steps="flow:2.5", **TWO | {"targets": np.array(TWO["targets"]) @ turn})
    for part in MEAN:
        assert np.allclose(one.mean.parts[part] @ turn, other.mean.parts[part], rtol=1e-10, atol=1e-13)
    for part in COVARIANCE:
        turned = np.einsum("aibj,ik,jl->akbl", one.covariance.parts[part], turn, turn)
        assert np.allclose(turned, other.covariance.parts[part], rtol=1e-10, atol=1e-12)


def test_one_newton_step_is_all_that_a_leap_is(theory):
    """With eta 1 errors of the leading order are gone after a step: Z_A = 0 and 2 Z_B = Theta^-1 Theta^-1."""
    found = pt.trained(theory, steps="inf", update="newton", **SETTING | {"eta": 1.0})
    top = theory.compile()(np.concatenate([np.array(SETTING["train"]), SETTING["test"]]), **KNOWN["network"])[3]
    inverse = np.linalg.inv(top["Theta"][:2, :2])
    y = np.array(SETTING["targets"])[:, 0]
    P, Q = top["P"], top["Q"]
    tensor = (P + Q + Q.transpose(0, 2, 1, 3))[:, :2, :2, :2]  # with one of the two outputs; the other is a target
    source = -np.einsum("oabc,ac,bd,d->o", tensor, inverse, inverse, y)
    expected = source[2] - top["Theta"][2, :2] @ inverse @ source[:2]
    assert found.mean.parts["PQ"].item() == pytest.approx(expected, rel=1e-10)


def test_an_ensemble_averages_variance_away(theory):
    one, many = (pt.trained(theory, steps=20, ensemble=number, **SETTING) for number in (1, 8))
    assert np.allclose(one.covariance.first / 8, many.covariance.first, rtol=1e-13)
    assert np.array_equal(one.mean.first, many.mean.first)
    losses = [own.loss([[0.3]]) for own in (one, many)]
    assert losses[0].bias.leading == losses[1].bias.leading == pytest.approx((one.mean.leading.item() - 0.3) ** 2 / 2)
    assert losses[0].variance.first == pytest.approx(8 * losses[1].variance.first)
    step = 1e-6
    (at, bias) = ((one.mean.leading + step * one.mean.first).item(), losses[0].bias)
    assert bias.first == pytest.approx(((at - 0.3) ** 2 / 2 - bias.leading) / step, rel=1e-4)
    total = losses[0].total
    assert total.first == pytest.approx(bias.first + losses[0].variance.first)


def test_what_training_does_to_the_kernel_couples_outputs(theory):
    change = pt.trained(theory, steps=20, **TWO).kernel_change()
    assert set(change.parts) == set("PQRSTU")
    assert np.allclose(change.first, change.first.transpose(2, 3, 0, 1), atol=1e-14)
    assert not change.parts["Q"][0, 0, 0, 1].any()  # dH is correlated with one output, without a target in it
    assert np.abs(change.first[:, 0, :, 1]).min() > 1e-3


def test_the_hidden_kernel_of_deep_linear_networks_by_hand():
    """Depth 2, one input, one step: W_2 moves W_1, and h.h/n changes by eta^2 lambda^2 E[W_2 W_2 r r] and a cross term.

    h = W_1 x, z = W_2 h, dW_1 = -eta lambda r W_2^T x^T / n_0, so that h.h/n changes by (2 h.dh + dh.dh)/n; with
    c = eta lambda x.x/n_0: -2 c r z/n + c^2 r^2 |W_2|^2/n, averaged with |W_2|^2 = C_W, and z of variance C_W x.x/n_0.
    """
    x, y, eta, rate = np.array([1.0, 0.5]), 0.7, 0.2, 0.8
    given = {"activation": "linear", "depth": 2, "lambda_W": rate, "eta": eta, "steps": 1}
    found = pt.trained(pt.theory("mlp", order=1), [x], [[y]], [x], **given).hidden_change()
    K = x @ x / 2
    c = eta * rate * K
    assert found.first.item() == pytest.approx(-2 * c * K + c**2 * (K + y**2), rel=1e-9)
    assert set(found.parts) == {"PQ", "RSTU"}
    with pytest.raises(InputError, match="no hidden layer"):
        pt.trained(pt.theory("mlp", order=1), [x], [[y]], [x], **given | {"depth": 1}).hidden_change()


def test_the_largest_eta_and_the_expansion_parameter_of_deep_linear_networks():
    """One input: all is scalar and follows from A and B."""
    theory = pt.theory("mlp", order=1)
    one = {"train": [[1.0]], "targets": [[1.0]], "test": [[0.3]], "activation": "linear", "depth": 3, "lambda_W": 0.7}
    top = theory.compile()([[1.0]], activation="linear", depth=3, lambda_W=0.7)[3]
    found = pt.trained(theory, steps="inf", eta=0.1, **one)
    theta, A, B = (np.asarray(top[name]).item() for name in ("Theta", "A", "B"))
    assert found.eta_max.leading == pytest.approx(2 / theta)
    assert found.expansion == pytest.approx((A + 2 * B) / theta**2, rel=1e-10)
    assert pt.trained(theory, steps="inf", eta=0.1, width=64, **one).expansion == pytest.approx(found.expansion / 64)
    two = pt.trained(theory, steps="inf", eta=0.1, **one | {"targets": [[1.0, 2.0]]})
    assert two.expansion == pytest.approx((A + 3 * B) / theta**2, rel=1e-10)  # H_ij H_jk: j is i, or a closed loop


BAD = [
    ({"eta": 0.9}, "eta 0.9 is beyond stability: .* below 0.725"),
    ({"eta": -1}, "eta must be a positive number, not -1"),
    ({"eta": None}, "eta is missing"),
    ({"steps": -1}, "steps must be a whole number from 0, inf or flow:TIME, not -1"),
    ({"steps": 2.5}, "not 2.5"),
    ({"steps": "flow:-1"}, "time of a gradient flow is a number from 0"),
    ({"steps": "flow:1", "update": "newton"}, "takes steps"),
    ({"update": "adam"}, "gradient, newton"),
    ({"targets": [[1.0]]}, r"targets must have one row per input .* \(2, n_L\), not \(1, 1\)"),
    ({"targets": [1.0, 2.0]}, r"not \(2,\)"),
    ({"targets": [[1.0], [np.nan]]}, "targets: row 2"),
    ({"test": [[1.0, 2.0]]}, "a training input has 3 numbers, a test input 2"),
    ({"train": [[1.0, 2.0, 3.0]] * 2}, "rows 1 and 2 .* different targets"),
    ({"train": [[1.0, 2.0, 3.0]] * 2, "targets": [[1.0]] * 2}, "singular"),
    ({"train": [[np.inf, 2.0, 3.0]] * 2}, "train: row 1"),
    ({"width": 4}, "expansion parameter is 0.687 at width 4, above 0.3: .* from width 10"),
    ({"width": 0}, "width must be"),
    ({"width": 64, "widths": [64, 128]}, "width is the last of widths, 128, not 64"),
    ({"ensemble": 0}, "ensemble must be"),
    ({"lambda_b": 0, "lambda_W": 0}, "vanishes"),
    ({"large": "ignore"}, "large must be one of refuse, warn"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_refused_with_the_reason(wrong, message, theory):
    with pytest.raises(InputError, match=message) as caught:
        pt.trained(theory, **{"steps": "inf"} | SETTING | wrong)
    assert "\n" not in str(caught.value)


def test_widths_that_differ_enter_by_their_ratios(theory):
    """Coefficients are of 1 over the last width; the narrow layer below weighs twice."""
    one, two = (pt.trained(theory, steps=5, widths=widths, **SETTING) for widths in ([64, 64], [32, 64]))
    assert (one.width, two.width) == (64, 64)
    assert one.mean.first == pytest.approx(pt.trained(theory, steps=5, **SETTING).mean.first)
    ones = pt.trained(theory, steps=5, widths=[10**9, 64], **SETTING)  # the first layer as wide as can be
    assert two.mean.first - ones.mean.first == pytest.approx(2 * (one.mean.first - ones.mean.first), rel=1e-6)


def test_a_large_expansion_parameter_warns_where_asked(theory):
    with pytest.warns(UserWarning, match="orders beyond 1/n are not small"):
        found = pt.trained(theory, steps="inf", width=4, large="warn", **SETTING)
    assert found.expansion > 0.3


def test_a_run_that_takes_long_says_so(theory, monkeypatch):
    monkeypatch.setattr(start, "MANY_SETS", 0)
    monkeypatch.setattr(start, "LONG", -1.0)
    with pytest.warns(UserWarning, match="averages over 1 set.? of 3 inputs take about"):
        pt.trained(theory, steps=1, **SETTING)


def test_what_no_memory_holds_is_refused(theory):
    many = np.random.default_rng(1).normal(size=(2000, 3))
    with pytest.raises(InputError, match="2001 inputs: training needs about"):
        pt.trained(theory, steps=1, **SETTING | {"train": many, "targets": many[:, :1]})


def test_kinked_networks_are_refused_with_what_exists(theory):
    with pytest.raises(DivergentAverageError, match=r"S, T, U diverge.*AB, DF, G1, H1, PQ exist.*kink"):
        pt.trained(theory, steps=20, **SETTING | {"activation": "relu"})


def test_a_theory_without_all_tensors_is_refused():
    with pytest.raises(InputError, match=r"lacks .*; make it with order=1"):
        pt.trained(pt.theory("mlp", ["G", "H"], order=0), steps=20, **SETTING)


def test_what_is_no_theory_is_refused():
    with pytest.raises(InputError, match=r"theory must be one that pt.theory makes.*not 'mlp'"):
        pt.trained("mlp", steps=20, **SETTING)


def test_rules_that_are_not_sound_are_marked():
    skip = {name: value for name, value in SETTING.items() if name not in ("C_b", "C_W")}
    with pytest.warns(UserWarning, match="approximation"):
        rule = pt.network("skip", closure="pairs")
    found = pt.trained(pt.theory(rule, order=1), steps=5, **skip | {"eta": 0.05})
    assert "approximation" in repr(found)
    assert found.record()["closure"] == "pairs"


def test_it_shows_itself(theory):
    found = pt.trained(theory, steps=20, width=64, **TWO)
    assert repr(found) == ("Trained(mlp of depth 3, 20 steps of gradient descent, eta 0.18; 2 test inputs, 2 outputs)")
    assert found._repr_html_().count("<tr>") > 8


def test_nearly_equal_inputs_are_warned_of_and_then_refused():
    """What is left of the first order falls with the square of the condition, as far as modes have been learned."""
    theory, options = pt.theory("mlp", order=1), {"activation": "tanh", "depth": 2, "C_b": 0.1}

    def first(d, steps="inf"):
        data = [[0.8, -0.5], [0.8, -0.5 + d]], [[0.7], [0.7 + d]], [[0.3, 0.9]]
        return pt.trained(theory, *data, 0.05, steps, **options).mean.first.item()

    expected = first(1e-2)
    with pytest.warns(UserWarning, match=r"nearly equal, so that the first order is known to 0\.00"):
        assert first(1e-3) == pytest.approx(expected, rel=0.1)
    with pytest.raises(pt.InputError, match="nearly equal"):
        first(3e-4)
    assert first(1e-4, 10**4) == pytest.approx(first(3e-4, 10**4), rel=1e-2)  # what is not learned does no harm


def test_numbers_beyond_doubles_are_one_line():
    theory = pt.theory("mlp", order=1)
    with pytest.raises(pt.InputError, match="range of doubles"):
        pt.trained(theory, [[1.0], [2.0]], [[1e300], [-1e300]], [[1.5]], 0.05, 3, activation="tanh", depth=2)
    for wrong in ({"widths": 10}, {"width": 10**400}, {"ensemble": 10**400}, {"steps": "9" * 5000}):
        with pytest.raises(pt.InputError):
            pt.trained(theory, [[1.0]], [[1.0]], [[1.5]], 0.05, **{"steps": 3, **wrong}, activation="tanh", depth=2)
