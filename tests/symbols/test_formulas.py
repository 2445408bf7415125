"""Recursions as sympy formulas: the compiled theory, the book on one input, comparisons, bad input."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import pytest
import sympy

import pertheory as pt
from pertheory.averages.gaussian import GaussianAverages
from pertheory.rulebook.files import rules_folder
from pertheory.symbols.objects import ELL, Average, Factor, LayerComponent, LayerTensor, average

BOOK = ["K", "Theta", "V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U"]
INPUTS = np.array([[1.2, -0.3], [0.4, 0.9], [-0.7, 0.5], [0.2, 1.1]])
HYPER = {"C_b": 0.1, "C_W": 1.7, "lambda_b": 0.3, "lambda_W": 0.8}
C_W, C_b, lambda_W, lambda_b, n, n_prev, g, h, chi, perp = sympy.symbols(
    "C_W C_b lambda_W lambda_b n n_prev g h chi_parallel chi_perp"
)


@pytest.fixture(scope="module")
def state() -> object:
    """Three layers of tanh on four inputs, to first order."""
    return pt.theory("mlp", order=1).compile()(INPUTS, activation="tanh", depth=3, widths=[5, 7], **HYPER)


def evaluated(value: sympy.Expr, state: object, layer: int) -> float:
    """An expression of slots 1, 2, .. at inputs 0, 1, .. of a layer, by sympy; averages by the numeric room."""
    below = state[layer]
    numeric = GaussianAverages({"s": pt.activation("tanh")})
    numbers: dict[sympy.Expr, float] = {}
    for part in value.atoms(LayerComponent):
        array = below["G" if part.name == "K" else "H" if part.name == "Theta" else part.name]
        numbers[part] = float(array[tuple(int(sample) - 1 for sample in part.samples)])
    for part in value.atoms(Average):
        rows = [int(factor.sample) - 1 for factor in part.factors]
        request = tuple((factor.legs, factor.lines) for factor in part.factors)
        (found,) = numeric(below["G"][np.ix_(rows, rows)], [request])
        numbers[part] = float(found[tuple(range(len(rows)))])
    names = {sympy.Symbol(name): number for name, number in HYPER.items()}
    return float(value.xreplace(numbers).subs({**names, n: 7, n_prev: 5}))


@pytest.mark.parametrize("name", BOOK)
def test_all_thirteen_evaluated_by_sympy_are_the_compiled_theory(name: str, state: object) -> None:
    recursion = pt.derive("mlp", name)
    slots = tuple(int(label) - 1 for label in recursion.tensor.labels)
    kept = {"K": "G", "Theta": "H"}.get(name, name)
    expected = state[3][kept][slots]
    assert evaluated(recursion.to_sympy(), state, 2) == pytest.approx(expected, rel=1e-10, abs=1e-13)
    assert expected != 0


@pytest.mark.parametrize(("name", "pattern"), [("V", [0, 0, 2, 2]), ("D", [0, 1, 0, 1]), ("F", [0, 1, 1, 0])])
def test_coincident_samples_are_those_entries_of_the_compiled_theory(
    name: str, pattern: list[int], state: object
) -> None:
    recursion = pt.derive("mlp", name)
    labels = recursion.tensor.labels
    formula = recursion.where(*(f"{labels[own]}={labels[slot]}" for slot, own in enumerate(pattern) if own != slot))
    entry = tuple(int(labels[own]) - 1 for own in pattern)
    assert evaluated(formula.to_sympy(), state, 2) == pytest.approx(state[3][name][entry], rel=1e-10)
    assert evaluated(formula.doit().to_sympy(), state, 2) == pytest.approx(state[3][name][entry], rel=1e-10)


def mean(*orders: int) -> sympy.Expr:
    """An average on one input, by the orders of its derivatives."""
    return average(ELL, "z", [Factor(sympy.Integer(0), 0, tuple(("s", order) for order in sorted(orders)))])


def tensors(names: str) -> list[sympy.Expr]:
    """Tensors of the layer below on one input."""
    return [pt.derive("mlp", name).single_input().left[0].xreplace({ELL: ELL - 1}) for name in names.split()]


def test_single_input_formulas_are_those_of_chapters_8_9_and_11() -> None:
    """As rules/book has them, written here once more with sympy by hand."""
    theta, v, d, f, a, b, p, q = tensors("Theta V D F A B P Q")
    r = n / n_prev
    v_above = r * chi**2 * v + C_W**2 * (mean(0, 0, 0, 0) - g**2)
    d_above = r * chi * perp * d + lambda_W / C_W * v_above
    d_above += theta * (C_W**2 * mean(0, 0, 1, 1) - C_W * g * perp + 2 * r * h * chi * v)
    a_above = r * perp**2 * a - (lambda_W / C_W) ** 2 * v_above + 2 * lambda_W / C_W * d_above
    a_above += 4 * r * h * perp * theta * d
    a_above += theta**2 * (C_W**2 * mean(1, 1, 1, 1) - perp**2 + 4 * r * h**2 * v)
    f_above = r * chi**2 * f + C_W**2 * mean(0, 0, 1, 1) * theta
    book = {
        "K": C_b + C_W * g,
        "Theta": perp * theta + lambda_b + lambda_W * g,
        "V": v_above,
        "F": f_above,
        "B": r * perp**2 * b + C_W**2 * mean(1, 1, 1, 1) * theta**2,
        "D": d_above,
        "A": a_above,
        "P": C_W**2 * mean(0, 1, 1, 2) * theta**2 + r * (C_W * perp * mean(0, 2) * (b + p) + perp**2 * p),
        "Q": C_W**2 * mean(0, 1, 1, 2) * theta**2
        + lambda_W / C_W * f_above
        + r * (2 * h * chi * theta * f + (C_W * perp * mean(0, 2) + perp**2) * q),
    }
    for name, expected in book.items():
        own = pt.derive("mlp", name).single_input()
        names = own.definitions
        difference = own.to_sympy() - expected
        if name in "PQ":  # the book writes chi_parallel as C_W <s'' s> + chi_perp in these two
            difference = difference.subs(chi, C_W * mean(0, 2) + perp) if name == "P" else _carried(difference, names)
        assert sympy.expand(difference) == 0, name


def _carried(value: sympy.Expr, names: dict[sympy.Symbol, sympy.Expr]) -> sympy.Expr:
    """With names explicit and derivatives of products carried out."""
    named = pt.derive("mlp", "A").single_input().definitions | dict(names)
    whole = value.xreplace(dict(named))
    return sympy.expand(whole.xreplace({part: part.doit() for part in whole.atoms(Average)}))


@pytest.mark.parametrize("network", ["mlp", "projection"])
def test_single_input_formulas_are_the_compiled_theory_on_one_input(network: str) -> None:
    """With every name, whatever the rule: in a residual network chi_parallel holds the square of the skip."""
    hyper = dict(pt.network(network).hyperparameters) | HYPER | ({"gamma": 0.6} if network == "projection" else {})
    state = pt.theory(network, order=1).compile(inputs="one")([[1.3]], activation="tanh", depth=3, **hyper)
    numeric = GaussianAverages({"s": pt.activation("tanh")})
    values = {sympy.Symbol(name): value for name, value in hyper.items()} | {n: 1, n_prev: 1}
    for name in BOOK:
        formula = pt.derive(network, name).single_input()
        whole = formula.explicit().to_sympy()
        numbers = dict(values)
        for part in whole.atoms(LayerComponent):
            below = {"K": "G", "Theta": "H"}.get(part.name, part.name)
            numbers[part] = float(np.squeeze(state[2][below]))
        for part in whole.atoms(Average):
            (factor,) = part.factors
            (found,) = numeric.alone(np.array([float(np.squeeze(state[2]["G"]))]), [((factor.legs, factor.lines),)])
            numbers[part] = float(found[0])
        expected = float(np.squeeze(state[3][{"K": "G", "Theta": "H"}.get(name, name)]))
        assert float(whole.xreplace(numbers)) == pytest.approx(expected, rel=1e-10), name
    named = pt.derive(network, "V").single_input()
    assert (sympy.Symbol("gamma") in named.definitions[chi].free_symbols) == (network == "projection")
    assert sympy.expand(named.to_sympy().coeff(tensors("V")[0]) - n / n_prev * chi**2) == 0


def test_scale_invariant_recursions_in_closed_form() -> None:
    """ReLU: V' = C_W^2/4 (V + 5 K^2); leaky ReLU by the book's A_2 and A_4."""
    k, theta, v = (symbol for symbol in tensors("K Theta V"))
    names = ("K", "Theta", "V", "D", "F", "A", "B", "P", "Q")
    relu = {name: pt.derive("mlp", name).single_input().for_activation("relu").to_sympy() for name in names}
    assert sympy.expand(relu["K"] - (C_b + C_W * k / 2)) == 0
    assert sympy.expand(relu["Theta"] - (lambda_b + lambda_W * k / 2 + C_W * theta / 2)) == 0
    assert sympy.expand(relu["V"] - C_W**2 * (n / n_prev * v + 5 * k**2) / 4) == 0
    assert not any(value.atoms(Average) for value in relu.values())
    with pytest.raises(pt.DivergentAverageError, match="several deltas meet at the kink"):
        pt.derive("mlp", "R").single_input().for_activation("relu")
    slope = sympy.Rational(1, 5)
    a_2, a_4 = (1 + slope**2) / 2, (1 + slope**4) / 2
    leaky = pt.derive("mlp", "V").single_input().for_activation("leaky_relu", slope=0.2).to_sympy()
    assert sympy.expand(leaky - C_W**2 * (a_2**2 * n / n_prev * v + (3 * a_4 - a_2**2) * k**2)) == 0


def test_two_inputs_of_relu_are_arc_cosine_kernels() -> None:
    """Cho and Saul: k_0 and k_1 with the angle of the two inputs."""
    formula = pt.derive("mlp", "Theta").for_activation("relu")
    table = {(part.name, part.samples): part for part in formula.to_sympy().atoms(LayerComponent)}
    a, b, c = (table["K", pair] for pair in ((1, 1), (2, 2), (1, 2)))
    t = table["Theta", (1, 2)]
    point = {a: 1.3, b: 0.7, c: -0.4, t: 2.1, C_W: 1.9, lambda_W: 0.6, lambda_b: 0.2}
    angle = float(sympy.acos(-0.4 / sympy.sqrt(1.3 * 0.7)))
    k_0 = (np.pi - angle) / (2 * np.pi)
    k_1 = np.sqrt(1.3 * 0.7) * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    assert float(formula.to_sympy().subs(point)) == pytest.approx(0.2 + 0.6 * k_1 + 1.9 * k_0 * 2.1, rel=1e-13)


def test_sums_and_differences_are_diagrams() -> None:
    mlp, other = pt.derive("mlp", "V"), pt.derive("projection", "V")
    difference = other - mlp
    assert 0 < len(difference) < len(other) + len(mlp)
    assert difference + mlp == other
    assert len(mlp - mlp) == 0
    assert not (mlp - mlp).terms
    assert difference.formula() == other.formula() - mlp.formula()
    assert mlp == pt.derive("mlp", "V")
    assert mlp not in (other, pt.derive("mlp", "D"))
    assert hash(mlp) == hash(pt.derive("mlp", "V"))
    assert difference.where("1=2=3=4") == other.where("1=2=3=4") - mlp.where("1=2=3=4")
    one = other.single_input() - mlp.single_input()
    assert not one.definitions  # chi_parallel is another in each
    assert one.to_sympy().coeff(tensors("V")[0]) != 0
    assert difference.to_json()["network"] == "projection, mlp"


def test_a_renamed_rule_is_the_same_recursion() -> None:
    rule = pt.network("mlp")
    assert pt.derive(replace(rule, name="copy"), "V") == pt.derive(rule, "V")


def test_substituting_and_collecting() -> None:
    formula = pt.derive("mlp", "V").formula()
    assert formula.subs(C_W=0).to_sympy() == 0
    assert formula.subs({"C_W": 2, n: n_prev}) == formula.subs({sympy.Symbol("C_W"): 2}).subs(n=n_prev)
    assert formula.coefficient("C_W", 2).collect("n").to_sympy().coeff(n) != 0
    theta = pt.derive("mlp", "Theta")
    assert theta.collect("lambda_W").to_sympy() == theta.to_sympy()
    whole = pt.derive("mlp", "V", order=1)
    assert whole.formula().orders == (0, 1)
    assert sympy.expand(whole.to_sympy() - whole.formula()[0] - whole.formula()[1] / n) == 0
    assert pt.derive("mlp", "Theta").single_input().subs(chi_perp=1).to_sympy().coeff(tensors("Theta")[0]) == 1


def test_the_diagram_form_sums_over_legs() -> None:
    text = str(pt.derive("mlp", "V").formula("diagram"))
    assert "V[ell, b1, b2, b3, b4]" in text
    assert "<s_1 s_2 ; s_3 s_4>" in text


def test_letters_as_labels_are_not_widths() -> None:
    formula = pt.derive("mlp", "z(n) z(m) @ nm").formula()
    assert "n" not in {str(symbol) for symbol in formula.subs(C_W=2, C_b=0).to_sympy().free_symbols if symbol == n}
    with pytest.raises(pt.InputError, match="no symbol 'n'"):
        formula.subs(n=3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda v: v.where("1=7"), "'7' is no slot; slots are 1, 2, 3, 4"),
        (lambda v: v.where("12"), "such as|given as '1=4', not '12'"),
        (lambda v: v.where(3), "not 3"),
        (lambda v: v.subs(C_X=1), "no symbol 'C_X' in this formula; did you mean|no symbol 'C_X'"),
        (lambda v: v.subs(C_W="__import__('os')"), "number or a sympy expression, not a text"),
        (lambda v: v.subs({3: 1}), "a symbol is a name"),
        (lambda v: v.collect("banana"), "no symbol 'banana'"),
        (lambda v: v.for_activation("tanh"), "has no closed form"),
        (lambda v: v.for_activation("relu"), "has no closed form"),
        (lambda v: v.formula("nonsense"), "form must be one of expanded, diagram"),
        (lambda v: v + pt.derive("mlp", "D"), "derive the same tensor"),
        (lambda v: v.formula() + pt.derive("mlp", "D").formula(), "name the same tensor"),
        (lambda v: (v - pt.derive("projection", "V")).single_input(), "sum or difference of mlp and projection"),
        (lambda v: (v - pt.derive("projection", "V")).explain(1), "sum or difference of mlp and projection"),
        (lambda v: v.formula()[4], "order 4 is not in this formula"),
    ],
)
def test_bad_input_is_one_line(call: object, words: str) -> None:
    with pytest.raises(pt.PertheoryError, match=words) as caught:
        call(pt.derive("mlp", "V"))
    assert "\n" not in str(caught.value)


def test_a_component_is_found_in_every_order_of_its_slots() -> None:
    """V(1,2),(3,4) is V(4,3),(2,1): what multiplies it is the same, and something else is an error, not zero."""
    formula = pt.derive("mlp", "V").formula()
    V = LayerTensor("V")
    expected = C_W**2 * n / (4 * n_prev) * _pair_average(1, 2) * _pair_average(3, 4)
    for key in (V[ELL, 1, 1, 3, 3], V[ELL, 3, 3, 1, 1], "V[ell, 1, 1, 3, 3]", "V[ell,1,1,3,3]"):
        assert formula.coefficient(key).to_sympy() == expected
    assert not formula.subs({V[ELL, 3, 3, 1, 1]: 0}).to_sympy().has(V[ELL, 1, 1, 3, 3])
    for wrong in (V[ELL, 1, 1, 9, 9], LayerTensor("W")[ELL, 1], C_W**7, sympy.Integer(2)):
        with pytest.raises(pt.InputError):
            formula.coefficient(wrong)


def _pair_average(one: int, two: int) -> sympy.Expr:
    return average(ELL, "z", [Factor(sympy.Integer(one), 0, (("s", 2),)), Factor(sympy.Integer(two), 0, (("s", 0),))])


def test_values_are_put_in_at_once_and_never_mean_a_name() -> None:
    formula = pt.derive("mlp", "V").single_input()
    swapped = formula.subs({"chi_parallel": n, n: sympy.Symbol("m")}).to_sympy()
    assert swapped.coeff(LayerTensor("V")[ELL]) == n**2 * sympy.Symbol("m") / n_prev
    for wrong in ({"C_W": g}, {"C_W": 1, C_W: 2}, 3):
        with pytest.raises(pt.InputError):
            formula.subs(wrong)
    renamed = formula.subs(chi_parallel=1)
    free = replace(renamed, right={0: renamed[0] + chi})
    with pytest.raises(pt.InputError, match="stands for"):
        free + formula


def test_a_rule_with_hyperparameters_of_these_names_keeps_them() -> None:
    text = (rules_folder() / "networks" / "mlp.toml").read_text().replace("C_W", "g").replace("C_b", "chi_parallel")
    formula = pt.derive(pt.network(text), "V").single_input()
    assert not {g, chi} & set(formula.definitions)
    original = pt.derive("mlp", "V").single_input().explicit()
    assert formula.explicit().to_sympy() == original.subs(C_W=sympy.Symbol("g")).to_sympy()


def test_one_order_alone_is_its_coefficient() -> None:
    assert pt.derive("mlp", "G{1}").to_sympy() == pt.derive("mlp", "G{1}").formula()[1]
    both = pt.derive("mlp", "G", order=1).formula()
    assert sympy.expand(both.to_sympy() - both[0] - both[1] / n) == 0


def test_diagrams_are_compared_as_recursions() -> None:
    recursion = pt.derive("mlp", "V")
    diagrams = recursion.formula("diagram")
    assert diagrams == recursion.formula("diagram")
    for wrong in (lambda: diagrams == recursion.formula(), diagrams.doit, lambda: diagrams.for_activation("relu")):
        with pytest.raises(pt.UnsupportedError, match="diagram form"):
            wrong()
    with pytest.raises(pt.InputError, match="diagram form"):
        diagrams - recursion.formula()
    assert not len(recursion + -recursion)


def test_an_approximation_says_so() -> None:
    with pytest.warns(UserWarning, match="approximation"):
        approximate = pt.network("skip", closure="pairs")
    assert "approximation" in str(pt.derive(approximate, "V").formula())
    assert "approximation" not in str(pt.derive("mlp", "V").formula())
    with pytest.warns(UserWarning, match="approximation"):
        pt.asymptotics(approximate, "V", "relu")


def test_a_coefficient_sees_into_names() -> None:
    """chi_perp = C_W <s' s'>: C_W is not absent where only the name is seen."""
    theta = pt.derive("mlp", "Theta").single_input()
    assert str(theta.coefficient("C_W").to_sympy()) == "<s' s'>*Theta[ell]"
    assert not theta.coefficient("C_W", 0).to_sympy().has(LayerTensor("Theta")[ELL])


def test_every_image_that_occurs_is_meant() -> None:
    V = LayerTensor("V")
    formula = pt.derive("mlp", "V").formula().subs({V[ELL, 1, 2, 3, 3]: V[ELL, 4, 4, 1, 1]})
    assert {V[ELL, 4, 4, 1, 1], V[ELL, 1, 1, 4, 4]} <= formula.to_sympy().atoms(LayerComponent)
    left = formula.subs({V[ELL, 1, 1, 4, 4]: 0}).to_sympy().atoms(LayerComponent)
    assert not {V[ELL, 4, 4, 1, 1], V[ELL, 1, 1, 4, 4]} & left
    with pytest.raises(pt.InputError):
        formula.subs({V: 0})


def test_symbols_of_one_name_are_told_apart() -> None:
    positive = sympy.Symbol("C_b", positive=True)
    formula = pt.derive("mlp", "K").formula().subs(C_W=positive)
    assert formula.subs({positive: 0}).to_sympy() == C_b
    with pytest.raises(pt.InputError, match="name of 2 symbols"):
        formula.subs(C_b=0)


def test_a_formula_of_diagrams_stays_one() -> None:
    diagrams = pt.derive("mlp", "V").formula("diagram")
    assert (diagrams - diagrams) + diagrams == diagrams
    assert diagrams.collect("C_W") == diagrams
    assert diagrams.subs(C_W=0).form == "diagram"


def test_long_work_says_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def listening(what: str) -> AbstractContextManager[Callable[[float, float], None]]:
        told.append(what)
        return nullcontext(lambda done, total: told.append(f"{done} of {total}"))

    monkeypatch.setattr("pertheory.symbols.formula.progress", listening)
    pt.derive("mlp", "V", order=1).formula().collect("C_W").to_latex()
    assert told == ["collecting V, V{1}", "0 of 2", "1 of 2", "writing V, V{1}"]
