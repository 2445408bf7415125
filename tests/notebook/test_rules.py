"""Rules as text and as dictionaries."""

import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from pertheory.rulebook.files import rules_folder
from pertheory.rulebook.network import any_rule

NETWORKS = sorted((rules_folder() / "networks").glob("*.toml"))
TEXT = (rules_folder() / "networks" / "mlp.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_text_and_dictionary_are_the_file(path):
    text = path.read_text(encoding="utf-8")
    assert any_rule(text) == any_rule(path)
    assert any_rule(tomllib.loads(text)) == any_rule(path)


@pytest.mark.filterwarnings("error")
def test_a_changed_dictionary_is_another_rule():
    table = tomllib.loads(TEXT)
    table["name"] = "cold"
    table["parameters"]["W"]["variance"] = "2*C_W"
    table["hyperparameters"]["C_W"] = np.float64(0.5)
    rule = pt.network(table)
    assert dict(rule.hyperparameters)["C_W"] == 0.5
    usual = pt.derive("mlp", "V").terms
    changed = pt.derive(table, "V").terms
    assert {t: Fraction(4) * c for t, c in usual.items()} == changed  # V goes with C_W^2
    assert pt.theory(table, "V")["V"].terms == changed


def test_what_is_handed_over_is_not_changed_and_not_held():
    table = tomllib.loads(TEXT)
    rule = pt.network(table)
    table["parameters"].clear()
    assert rule == pt.network("mlp")


def test_a_path_stays_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=b").mkdir()
    for name in ("a=b/mine.toml", "x=y.toml"):
        Path(name).write_text(TEXT, encoding="utf-8")
        assert pt.network(name) == pt.network("mlp")
    Path("x=y").write_text(TEXT, encoding="utf-8")
    with pytest.raises(pt.InputError, match=r"there is a file of that name, but those of rules end in \.toml"):
        pt.network("x=y")
    with pytest.raises(pt.InputError, match=r"network rule 'c=d\.toml': no such file"):
        pt.network("c=d.toml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("fields"), "fields: is missing"),
        (lambda t: t.update(colour="red"), "colour: unknown key"),
        (lambda t: t["parameters"]["W"].update(kind="wait"), r'parameters\.W\.kind: must be "bias" or "weight"'),
        (lambda t: t["hyperparameters"].update({"C-W": 1.0}), "hyperparameters: 'C-W' is not a name"),
    ],
)
def test_mistakes_are_named_with_their_key(change, words):
    table = tomllib.loads(TEXT)
    change(table)
    with pytest.raises(pt.RuleError, match=f"^<dict>: {words}"):
        pt.network(table)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("name = 5", "^<text>: fields: is missing"),
        ("a = [\nb", "^<text>: not valid TOML: .*line 2"),
        (TEXT.replace('kind = "weight"', 'kind = "wait"'), r"^<text>: parameters\.W\.kind: must be"),
        ("a = 1\n" * 300_000, "^<text>: is longer than"),
        ({1: 2}, "^<dict>: : the key 1 is no text"),
        ({"name": object}, "^<dict>: name: must be a table, a list, a text or a number"),
        ({"name": "\x1b"}, "^<dict>: name: the text .* has characters that cannot be seen"),
        ({"name": 2**70}, "^<dict>: name: is a whole number of more than 64 bits"),
    ],
)
def test_what_is_no_rule_is_refused_in_a_line(given, words):
    with pytest.raises(pt.RuleError, match=words) as caught:
        pt.network(given)
    assert "\n" not in str(caught.value)


def test_a_dictionary_that_holds_itself_is_refused():
    table = {}
    table["name"] = table
    with pytest.raises(pt.RuleError, match="is nested too deeply"):
        pt.network(table)


def test_an_unsound_dictionary_is_refused_as_a_file_is():
    table = tomllib.loads(TEXT)
    table["parameters"]["W"]["distribution"] = "uniform"
    with pytest.raises(pt.RuleError, match="distribution"):
        pt.network(table)
