"""The book's equations are decided as their files expect, and every way to be wrong is seen."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from pertheory.book import engine
from pertheory.book.chapters import chapters, read_chapter
from pertheory.book.check import check, decide, select
from pertheory.book.deciders import DECIDERS
from pertheory.book.equation import BOOK, CONSEQUENCE, GROUPS, OURS
from pertheory.book.verdict import BOTH, ERRATUM, MISMATCH, NUMERIC, SYMBOLIC, UNCHECKED, VERIFIED
from pertheory.errors import InputError, RuleError

ROOT = Path(__file__).resolve().parents[2]
HEAD = 'chapter = "1"\ntitle = "one"\n[definitions]\n"Omega(a,b)" = "lambda_W s_a s_b + C_W Theta(a,b) s\'_a s\'_b"\n'
GOOD = "G'(1,2) = C_b + C_W <s_1 s_2>"


def book(folder, **keys):
    """A book of one equation."""
    entry = {"number": "1.1", "title": "test", "source": "ours", "kind": "recursion", "statement": GOOD} | keys
    rows = [
        f"{key} = {value!r}" if not isinstance(value, bool) else f"{key} = {str(value).lower()}"
        for key, value in entry.items()
        if value != ""
    ]
    rows = [re.sub(r'= "(.*)"$', r'= """\1"""', row) for row in rows]
    path = folder / "ch01.toml"
    path.write_text(HEAD + "[[equation]]\n" + "\n".join(rows) + "\n")
    return path


def verdict(folder, **keys):
    (equation,) = read_chapter(book(folder, **keys)).equations
    return decide(equation)


@pytest.mark.parametrize("chapter", [chapter.name for chapter in chapters()])
def test_every_equation_is_decided_as_its_file_expects(chapter):
    """Every equation that is posed is decided anew, by both routes; four seconds for the longest chapters."""
    results = check(select(chapters(), chapter))
    wrong = [(r.equation.number, r.verdict.note, r.verdict.difference) for r in results if not r.as_expected]
    assert not wrong
    for result in results:
        if result.verdict.status in (VERIFIED, ERRATUM):
            assert result.verdict.method in (SYMBOLIC, NUMERIC, BOTH)
            assert result.verdict.residual == 0
        if result.verdict.status == UNCHECKED:
            assert result.verdict.note


def test_no_statement_is_counted_twice():
    """Equations of the book that read alike are about another activation; every repeat says what it follows."""
    counted = [equation for _, equation in select(chapters()) if equation.group == BOOK and equation.statement]
    seen = {("".join(equation.statement.split()), equation.setting, equation.rule.name) for equation in counted}
    assert len(seen) == len(counted)
    alike = Counter("".join(equation.statement.split()) for equation in counted)
    assert {text for text, count in alike.items() if count > 1} == {"C_W=1", "points=0"}  # tables of activations
    assert all(equation.source == "print" for equation in counted if equation.printed)


def test_the_three_numbers_are_the_ones_that_are_told():
    """The counts in README.md and docs/book.md are those of the files; that the files are right is the test above."""
    equations = [equation for _, equation in select(chapters())]
    decided = [equation for equation in equations if equation.status in (VERIFIED, ERRATUM)]
    book, repeats, ours = ([equation for equation in decided if equation.group == group] for group in GROUPS)
    numbered = sum(equation.is_numbered for equation in book)
    errata = sum(equation.status == ERRATUM for equation in equations)
    not_posed = sum(equation.status == UNCHECKED for equation in equations)
    told = (
        f"{len(book)} equations of the book, each counted once ({numbered} of them under a number that is certain, "
        f"{errata} with a slip in print), {len(repeats)} consequences and repeats of them, and {len(ours)} of ours; "
        f"{not_posed} are not decided, each with the reason"
    )
    for name in ("README.md", "docs/book.md"):
        assert told in " ".join((ROOT / name).read_text(encoding="utf-8").split()), told


@pytest.mark.parametrize(
    ("keys", "group"),
    [
        ({"source": "print"}, BOOK),
        ({"source": "restatement"}, BOOK),
        ({"source": "recalled"}, BOOK),
        ({"source": "derived"}, CONSEQUENCE),
        ({"source": "ours"}, OURS),
    ],
)
def test_every_source_is_counted_in_one_group(tmp_path, keys, group):
    (equation,) = read_chapter(book(tmp_path, **keys)).equations
    assert (equation.group, equation.is_numbered) == (group, group == BOOK)


def test_what_follows_from_another_names_one_that_exists(tmp_path):
    book(tmp_path, source="restatement", follows="1.2")
    with pytest.raises(RuleError, match=r"line 5: equation 1\.1: follows: no equation '1\.2'"):
        chapters(tmp_path)


def test_recursions_go_both_routes():
    recursions = [pair for pair in select(chapters(), "8") if pair[1].kind == "recursion"]
    assert len(recursions) > 5
    assert {result.verdict.method for result in check(recursions)} == {BOTH}


def test_a_right_formula(tmp_path):
    assert verdict(tmp_path).status == VERIFIED


@pytest.mark.parametrize(
    "wrong",
    [
        "G'(1,2) = C_b + C_W <s_1 s'_2>",
        "G'(1,2) = C_b + 2 C_W <s_1 s_2>",
        "G'(1,2) = C_b + C_W <s_1> <s_2>",
        "G'(1,2) = C_b - C_W <s_1 s_2>",
        "G'(1,2) = C_b + C_b <s_1 s_2>",
        "G'(1,2) = C_W <s_1 s_2>",
        "G'(1,2) = C_b + C_W n/n_prev <s_1 s_2>",
        "G'(1,2) = C_b + C_W K(1,2) <s'_1 s'_2>",
        "G'(1,2) = C_b + C_W <s_1 z_b1> K^(b1,c1) <s_2 z_c1>",
    ],
)
def test_a_wrong_formula_is_a_mismatch_by_both_routes(tmp_path, wrong):
    found = verdict(tmp_path, statement=wrong)
    assert (found.status, found.method) == (MISMATCH, BOTH)
    assert found.residual > 0
    assert found.difference
    assert "disagree" not in found.note


def test_an_erratum_needs_a_right_form_and_a_wrong_print(tmp_path):
    slip = "G'(1,2) = C_b + C_W <s_1 s_1> + 0 <s_2>"
    assert verdict(tmp_path, printed=slip).status == ERRATUM
    assert verdict(tmp_path, printed=GOOD).status == MISMATCH
    assert verdict(tmp_path, statement=slip, printed=GOOD).status == MISMATCH


def test_a_print_with_an_index_too_many_is_not_decided_and_a_typing_error_is_ours(tmp_path):
    """Any letter without a partner makes a formula meaningless: that says nothing about the letter in print."""
    found = verdict(tmp_path, printed="G'(1,2) = C_b + C_W <s_1 s_2 z_b1>")
    assert found.status == UNCHECKED
    assert "the printed form could not be decided: it has no meaning (unbalanced sum: index b1" in found.note
    with pytest.raises(RuleError, match="closes the average"):
        verdict(tmp_path, printed="G'(1,2) = C_b + C_W <s_1 s_2")


def test_a_slip_of_a_restatement_is_not_charged_to_the_book(tmp_path):
    slip = "G'(1,2) = C_b + 2 C_W <s_1 s_2>"
    assert verdict(tmp_path, restated=slip).status == VERIFIED
    assert verdict(tmp_path, restated=GOOD).status == MISMATCH


def test_what_is_not_posed_says_why(tmp_path):
    found = verdict(tmp_path, kind="", statement="", unchecked="an action")
    assert (found.status, found.method, found.note) == (UNCHECKED, "", "an action")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"statement": "W'(1,2) = 0"}, "W has 1 labels"),
        ({"statement": "X'(1,2) = 0"}, "unknown name 'X'"),
        ({"statement": "G'(1,2) = C_W <s_1 s_2 z_b1>"}, "free index b1"),
        ({"statement": "G'(1,2) = C_W <s_1>"}, "free index 2 stands on one side only"),
        ({"statement": "G'(1,2) = K^(b1,1) <s_1 s_2 (z_b1 - C_W)>"}, "unbalanced sum: index b1"),
        ({"statement": "G'(1,2) = C_W s_1 s_2"}, "outside an average"),
        ({"statement": "G'(1,2) = C_W delta(1,2)"}, "delta has no meaning"),
        ({"statement": "G(1,2) = C_W <s_1 s_2>"}, "a recursion has one tensor such as V'"),
        ({"statement": "G'(1,1) = C_W <s_1 s_1>"}, "labels on the left must differ"),
        ({"kind": "identity", "statement": "<s_1 z_2> = K(1,2) <s'_1>"}, "so that it goes through the engine"),
        ({"kind": "recursoin"}, "nearest: recursion"),
        ({"source": "heard"}, "source: 'heard' is not known"),
        ({"unchecked": "why"}, "needs a kind and a statement, or unchecked"),
        ({"statement": ""}, "needs a kind and a statement, or unchecked"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"setting": "linear"}, "setting: 'linear' is not used; the kind 'recursion' has no settings"),
        ({"kind": "", "statement": "", "unchecked": "an action", "setting": "linear"}, "is not posed has no settings"),
        ({"network": "mpl"}, "mpl"),
        ({"kind": "definition", "statement": "E[z(1) z(2)] = delta(1,3) G(1,2)"}, "free index 3"),
        ({"kind": "definition", "statement": "E[z(1) z(1)] = delta(1,2) G(1,2)"}, "used twice"),
        ({"kind": "forward", "statement": "V'(1,2,3,4) = 0"}, "must be z', H', dH'"),
        ({"kind": "first layer", "statement": "V'(1,2,3,4) = 0"}, "must be a tensor such as G"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_reason(tmp_path, keys, message):
    with pytest.raises((RuleError, InputError)) as error:
        verdict(tmp_path, **keys)
    assert message in str(error.value)
    if "network" not in keys:
        assert str(error.value).startswith("ch01.toml: line 5")


def test_an_abbreviation_of_itself_is_refused(tmp_path):
    path = book(tmp_path, statement="G'(1,2) = <Omega(1,2)>")
    path.write_text(path.read_text().replace("lambda_W s_a s_b", "Omega(b,a)"))
    with pytest.raises(RuleError, match="Omega is defined by itself"):
        decide(read_chapter(path).equations[0])


def test_every_use_of_an_abbreviation_has_dummies_of_its_own(tmp_path):
    path = book(tmp_path, statement="V'(1,2,3,4) = Omega(1,2) Omega(3,4)", status="mismatch")
    path.write_text(
        path.read_text()
        .replace("lambda_W s_a s_b + ", "K^(b1,c1) <z_b1 s_a> <z_c1 s_b> + ")
        .replace("C_W Theta(a,b) s'_a s'_b", "0")
    )
    found = decide(read_chapter(path).equations[0])
    assert found.status == MISMATCH
    assert "disagree" not in found.note


def test_the_first_layer_is_the_engines():
    rule = chapters()[0].equations[0].rule
    assert len(engine.first_layer(rule, engine.tensor_named("G").kind, 0)) == 2
    assert not engine.first_layer(rule, engine.tensor_named("V6").kind, 0)


def test_kinds_are_found_by_name():
    assert {"recursion", "identity", "definition", "first layer", "forward"} <= set(DECIDERS)


def test_select_names_what_there_is():
    with pytest.raises(InputError, match=r"no equation '8\.98'; nearest: 8\.97"):
        select(chapters(), "8", "8.98")
    with pytest.raises(InputError, match=r"no equation '4\.61' in chapter 8; it is in chapter 4"):
        select(chapters(), "8", "4.61")
    with pytest.raises(InputError, match="no chapter '99'"):
        select(chapters(), "99")


def test_select_takes_several_in_the_order_of_the_book():
    def numbers(*choice):
        return [equation.number for _, equation in select(chapters(), *choice)]

    assert numbers((), ("8.97", "4.57", "8.97")) == ["4.57", "8.97"]
    assert numbers(("8", "4")) == numbers("4") + numbers("8")
    assert numbers() == numbers("") == [equation.number for chapter in chapters() for equation in chapter.equations]
    with pytest.raises(InputError, match=r"no equation '8\.97' in chapter 4, 5; it is in chapter 8"):
        select(chapters(), ("4", "5"), ("4.57", "8.97"))


SKIP = """
name = "skip"
title = "z' = gamma z + b + W s(z): not sound at finite width"
fields = ["z"]
[hyperparameters]
C_b = 0.0
C_W = 1.0
gamma = 0.5
[parameters.b]
kind = "bias"
variance = "C_b"
[parameters.W]
kind = "weight"
variance = "C_W"
[input]
z = ["b", "W"]
[[sublayers]]
z = [
    { identity = true, coefficient = "gamma", of = "z" },
    { parameter = "b" },
    { parameter = "W", function = "s", of = "z" },
]
"""


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("V' = C_W^2 <s s ; s s> + 4 gamma^2 C_W d/dK[<s s>] K^2 + n/n_prev (gamma^2 + C_W d/dK[<s s>])^2 V", VERIFIED),
        ("V' = C_W^2 <s s ; s s> + 2 gamma^2 C_W d/dK[<s s>] K^2 + n/n_prev (gamma^2 + C_W d/dK[<s s>])^2 V", MISMATCH),
    ],
)
def test_a_network_that_is_not_sound_is_checked_as_an_approximation(tmp_path, recwarn, statement, status):
    (tmp_path / "skip.toml").write_text(SKIP)
    found = verdict(tmp_path, network=str(tmp_path / "skip.toml"), inputs="one", statement=statement)
    assert found.status == status
    assert not recwarn.list
    if status == VERIFIED:
        assert found.note == "approximation: pairs only, the rule is not sound"
