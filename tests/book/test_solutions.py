"""Statements on a single input: every kind can hold and can fail, and what cannot be decided is refused."""

from __future__ import annotations

import math

import pytest

import pertheory as pt
from pertheory.book.chapters import read_chapter
from pertheory.book.check import decide
from pertheory.book.kinds.solution import setting_of
from pertheory.book.settings import critical, large_depth
from pertheory.book.verdict import MISMATCH, UNCHECKED, VERIFIED
from pertheory.errors import RuleError, UnsupportedError

# -- second routes -------------------------------------------------------------------------------------------


def test_tanh_in_the_emitted_code_follows_the_leading_powers():
    depth = 400
    rates = {
        "lambda_b": [0.4 / layer for layer in range(1, depth + 1)],
        "lambda_W": [0.7] * depth,
    }
    model = pt.theory("mlp", ["G", "V", "D", "F", "B"], 1).compile(inputs="one")
    states = model([[0.5]], activation="tanh", depth=depth, C_b=0.0, C_W=1.0, **rates)
    setting = setting_of("asymptotics", pt.network("mlp"), "K*=0, odd")
    a_1, w = -2.0, 0.7 / 2
    total = 0.4 + w
    expected = {
        "G": -1 / a_1 / depth,
        "V": 2 / 3 / a_1**2 / depth,
        "G{1}": 1 / 3 / a_1,
        "F": total / 4 / -a_1,
        "B": total**2 / 3 * depth,
        "D": 2 / 9 / -a_1 * (w - total),
    }
    for name, leading in expected.items():
        found = [states[layer][name].item() for layer in (depth, depth // 2, depth // 4)]
        lead = setting.solved.tensors.series(setting.solved.step.node("K" if name == "G" else name)).lead
        power = float(lead.power)
        scaled = [value * layer**power for value, layer in zip(found, (depth, depth // 2, depth // 4), strict=True)]
        limit = large_depth.extrapolated([depth, depth // 2, depth // 4], scaled)
        assert limit == pytest.approx(leading * depth**power, rel=0.02), name


def test_a_critical_point_stands_still_in_a_run():
    point, _ = critical.half_stable_point(pt.network("mlp"), "swish")
    variance, bias, kernel = (float(x) for x in (point.values["C_W"], point.values["C_b"], point.kernel))
    scale = math.sqrt((kernel - bias) / variance)
    states = pt.theory("mlp", ["G", "H"], 0).compile(inputs="one")(
        [[scale]], activation="swish", depth=50, C_b=bias, C_W=variance, lambda_b=1.0, lambda_W=0.0
    )
    assert states[50]["G"].item() == pytest.approx(kernel, rel=1e-7)
    assert states[50]["H"].item() == pytest.approx(50, rel=1e-6)  # chi_perp = 1: every layer adds lambda_b


def test_an_activation_without_the_point_is_told():
    with pytest.raises(UnsupportedError, match="0 critical points"):
        critical.half_stable_point(pt.network("mlp"), "softplus")
    with pytest.raises(UnsupportedError, match=r"s\(0\) != 0"):
        critical.numbers_of(pt.network("mlp"), "sigmoid", critical.AT_ZERO)


# -- every kind can fail -------------------------------------------------------------------------------------

HEAD = """
chapter = "1"
title = "one"
symbols = ["a_plus", "a_minus", "l", "r", "G_0", "G_2", "G_4", "E_O", "E_O2", "sigma_1", "sigma_2", "sigma_3", "a_1",
    "a_2", "b_1", "p", "tilde_b", "tilde_W", "dK_1", "ddK_2", "ddK_0", "f", "f_split", "points", "decay", "psi",
    "cos_psi", "sin_psi", "pi", "G_2m", "E_Om", "m", "k"]
[definitions]
"A_2" = "(a_plus^2 + a_minus^2)/2"
"A_4" = "(a_plus^4 + a_minus^4)/2"
"w" = "tilde_W sigma_1^2/(-a_1)"
"T_0" = "tilde_b + w"
"chi_par" = "C_W <s'' s + s' s'>"
"chi_perp" = "C_W <s' s'>"
"h" = "C_W/2 <s''' s' + s'' s''>"
"rho" = "(a_plus - a_minus)^2/((a_plus^2 + a_minus^2) pi)"
[[equation]]
number = "1.1"
title = "test"
source = "ours"
inputs = "one"
"""
CASES = {
    ("solution", "scale-invariant"): (
        "V = (l - 1) (3 A_4/A_2^2 - 1) K^2",
        ["V = l (3 A_4/A_2^2 - 1) K^2", "V = (l - 1) (3 A_4/A_2 - 1) K^2", "V = (l - 1) (3 A_4/A_2^2 - 1) K", "V = 0"],
    ),
    ("solution", "half-stable"): (
        "D/(K Theta) = 2/3 h C_W^2 <s s ; s s>/K l^2 + O(l)",
        [
            "D/(K Theta) = 1/3 h C_W^2 <s s ; s s>/K l^2 + O(l)",
            "D/(K Theta) = 2/3 h C_W^2 <s s ; s s>/K l^3 + O(l)",
            "D/(K Theta) = 2/3 h C_W^2 <s s ; s' s'>/K l^2 + O(l)",
        ],
    ),
    ("asymptotics", "K*=0"): (
        "F = T_0 l^(1 - p)/((5 - p) (-a_1))",
        [
            "F = T_0 l^(1 - p)/((4 - p) (-a_1))",
            "F = T_0 l^(2 - p)/((5 - p) (-a_1))",
            "F = T_0 l^(1 - 2 p)/((5 - p) (-a_1))",
            "F = w l^(1 - p)/((5 - p) (-a_1))",
            "F = T_0 l^(1 - p)/((5 - p) (-b_1))",
            "F = 0",
        ],
    ),
    ("asymptotics", "K*=0, log"): (
        "K = 1/(-a_1 l) [1 - (a_1^2 - a_2)/a_1^2 log(l)/l] + O(1/l^2)",
        ["K = 1/(-a_1 l) [1 - (a_1^2 + a_2)/a_1^2 log(l)/l] + O(1/l^2)", "K = 1/(-a_1 l) + O(1/l^2)"],
    ),
    ("expansion", "small K"): (
        "d/dK[K'] = C_W sigma_1^2 [1 + 2 a_1 K + 3 a_2 K^2] + O(K^3)",
        [
            "d/dK[K'] = C_W sigma_1^2 [1 + 2 a_1 K + 2 a_2 K^2] + O(K^3)",
            "d/dTheta[Theta'] = C_W sigma_1^2 [1 + 2 a_1 K + 3 a_2 K^2] + O(K^3)",
        ],
    ),
    ("expansion", "two slopes"): (
        "<s s s s> = 3 A_4 K^2",
        ["<s s s s> = 2 A_4 K^2", "<s s s s> = 3 A_4 K", "<s s' s' s> = 3 A_4 K^2", "<s s s s> = 3 A_2 K^2"],
    ),
    ("moment", "linear"): (
        "G_4' = C_W^2 (1 + 2/n) G_4",
        ["G_4' = C_W^2 (1 + 3/n) G_4", "G_4' = C_W (1 + 2/n) G_4", "G_4' = C_W^2 (1 + 2/n) G_4'", "G_4' = C_W^2 G_4"],
    ),
    ("moment", "linear, equal widths"): (
        "G_4 - G_2^2 = [(1 + 2/n)^(l - 1) - 1] G_2^2",
        ["G_4 - G_2^2 = [(1 + 2/n)^(l) - 1] G_2^2", "G_4 - G_2^2 = [(1 + 5/n)^(l - 1) - 1] G_2^2"],
    ),
    ("moment", "linear, first layer"): (
        "G_4 = C_W^2 G_0^2",
        ["G_4 = C_W G_0^2", "G_4 = (1 + 2/n) C_W^2 G_0^2"],
    ),
    ("moment", "linear, m = 2, 3, 4"): (
        "G_2m' = prod_k(1 + 2 k/n) C_W^(m) G_2m",
        [
            "G_2m' = prod_k(1 + k/n) C_W^(m) G_2m",
            "G_2m' = (1 + m (m - 1)/n) C_W^(m) G_2m",  # right at m = 2
            "G_2m' = prod_k(1 + 2/n) C_W^(m) G_2m",  # likewise
            "G_2m' = (1 + 6/n + 8/n^2) C_W^(m) G_2m",  # right at m = 3
        ],
    ),
    ("moment", "linear, fixed l/n, m = 2, 3, 4"): (
        "G_2m = exp(m (m - 1) r) G_2^(m)",
        ["G_2m = exp(m r) G_2^(m)", "G_2m = exp(m (m - 1) r) G_2^2", "E_Om = exp(m r) G_2^(m)"],
    ),
    ("moment", "linear, fixed l/n"): (
        "G_4 = exp(2 r) G_2^2",
        ["G_4 = exp(3 r) G_2^2", "G_4 = (1 + 2 r) G_2^2", "G_4 = exp(2 r^2) G_2^2"],
    ),
    ("coincident", ""): (
        "ddK_2' = chi_perp ddK_2 + h dK_1^2",
        [
            "ddK_2' = chi_perp ddK_2 + 2 h dK_1^2",
            "ddK_2' = chi_par ddK_2 + h dK_1^2",
            "dK_1' = chi_perp ddK_2 + h dK_1^2",
        ],
    ),
    ("critical", "gelu, half-stable"): ("C_W = 1.98305826", ["C_W = 1.98305827", "C_b = 1.98305826"]),
    ("critical", "tanh, K*=0"): ("a_1 = -2 = b_1", ["a_1 = -2.0001", "a_2 = -2"]),
    ("critical", "sigmoid, search"): ("points = 0", ["points = 1"]),
    ("angle", ""): (
        "cos_psi' = cos_psi + rho [sin_psi - psi cos_psi]",
        [
            "cos_psi' = cos_psi + 2 rho [sin_psi - psi cos_psi]",
            "cos_psi' = cos_psi + rho [sin_psi + psi cos_psi]",
            "cos_psi' = cos_psi",
            "psi' = psi - 1/2 rho psi^2 + O(psi^3)",
            "psi = 2/(rho l)",
        ],
    ),
}


def verdict(folder, kind, setting, statement):
    path = folder / "ch01.toml"
    path.write_text(f'{HEAD}kind = "{kind}"\nsetting = "{setting}"\nstatement = """{statement}"""\n')
    (equation,) = read_chapter(path).equations
    return decide(equation)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case))
def test_a_right_formula_holds_and_wrong_ones_fail(tmp_path, case):
    right, wrong = CASES[case]
    assert verdict(tmp_path, *case, right).status == VERIFIED
    for statement in wrong:
        found = verdict(tmp_path, *case, statement)
        assert found.status == MISMATCH, statement
        assert found.difference, statement
        assert "disagree" not in found.note, statement


@pytest.mark.parametrize(
    ("case", "statement", "reason"),
    [
        (("expansion", "small K"), "<s s> = sigma_1^2 K + O(K)", "not smaller than all the terms"),
        (("expansion", "small K"), "<s s> = sigma_1^2 K + O(2 K^2)", "has no coefficient"),
        (("expansion", "small K"), "<s s> = sigma_1^2 K", "needs a remainder"),
        (("solution", "scale-invariant"), "A = l^3 + O(l^3)", "not smaller than all the terms"),
        (("solution", "scale-invariant"), "V = (l - 1) q K^2", "unknown name 'q'"),
        (("solution", "nonsense"), "V = 0", "setting must be one of"),
        (("asymptotics", "K*=0"), "K = 1/(-a_1 l) + 1/l^2", "beyond the orders of l that are known"),
        (("asymptotics", "K*=0"), "K = 1/(-a_1 l) + O(1/l^2)", "smaller than the orders of l that are known"),
        (("asymptotics", "K*=0"), "K = r", "r has no value"),
        (("moment", "linear"), "G_4 = n G_2^2", "series in 1/width"),
        (("critical", "gelu"), "C_W = 2", "setting must be an activation and"),
        (("coincident", ""), "dK_1' = <s s s>", "other than two functions"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_the_reason(tmp_path, case, statement, reason):
    with pytest.raises(RuleError, match=reason):
        verdict(tmp_path, *case, statement)


def test_a_divergent_average_leaves_an_equation_unchecked(tmp_path):
    found = verdict(tmp_path, "solution", "scale-invariant", "S = 0")
    assert found.status == UNCHECKED
    assert "smoothed, or diverges" in found.note


# -- tensors that are infinite -------------------------------------------------------------------------------


def divergent(folder, statement, setting="leaky_relu"):
    path = folder / "ch01.toml"
    path.write_text(
        'chapter = "1"\ntitle = "one"\nsymbols = ["infinity"]\n[[equation]]\nnumber = "1.1"\ntitle = "test"\n'
        f'source = "ours"\nkind = "divergent"\ninputs = "one"\nsetting = "{setting}"\nstatement = "{statement}"\n'
    )
    return decide(read_chapter(path).equations[0])


@pytest.mark.parametrize("setting", ["leaky_relu", "relu", "abs"])
def test_second_differentials_of_a_corner_are_infinite(tmp_path, setting):
    assert divergent(tmp_path, "R = S = T = U = infinity", setting).status == VERIFIED


@pytest.mark.parametrize("name", ["V", "B", "P", "Q"])
def test_a_finite_tensor_is_not_called_infinite(tmp_path, name):
    found = divergent(tmp_path, f"S = {name} = infinity")
    assert (found.status, found.difference) == (MISMATCH, (f"{name} is finite",))


@pytest.mark.parametrize(
    ("statement", "setting", "message"),
    [
        ("S = infinity", "tanh", "an activation with a corner"),
        ("S = infinity", "", "an activation with a corner"),
        ("S = 1", "relu", "of the form S = T = infinity"),
        ("S' = infinity", "relu", "of the form S = T = infinity"),
        ("S = S = infinity", "relu", "named twice"),
    ],
)
def test_a_wrong_statement_on_infinite_tensors_is_refused(tmp_path, statement, setting, message):
    with pytest.raises(RuleError, match=message):
        divergent(tmp_path, statement, setting)
