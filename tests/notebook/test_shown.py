"""What objects show of themselves: a short line as text, a table in a notebook, in which nothing is markup."""

from html.parser import HTMLParser

import pytest

import pertheory as pt
from pertheory import html
from pertheory.book.chapters import chapters
from pertheory.book.check import check, select
from pertheory.graphs.tensor import all_types
from pertheory.rulebook.tensors import find_tensor, tensor_of

HOSTILE = '<script>alert("1")</script> & $x$ \x1b[2J'


@pytest.fixture(scope="module")
def things():
    """One of everything that a session meets, the largest that are made in a moment."""
    theory = pt.theory("mlp", order=1)
    model = theory.compile()
    run = model([[1.0, 0.5], [0.2, -1.0]], "tanh", 3)
    recursion = pt.derive("mlp", "A", order=1)
    (chapter,) = (own for own in chapters() if own.name == "8")
    explanation = recursion.explain(3)
    return [
        theory,
        pt.theory("residual", "every", order=1),
        model,
        theory.compile(inputs="one"),
        run,
        run[2],
        recursion,
        pt.derive("mlp", "tree(1-2, 2-3, 3-4, 4-5, 5-6) @ 12,34,56"),
        *recursion.diagrams,
        next(iter(recursion.terms)),
        explanation,
        explanation.diagrams[0][1][1],
        explanation.diagrams[0][1][1].graph,
        *(pt.network(name) for name in ("mlp", "residual", "projection")),
        find_tensor("F")[0],
        find_tensor("F")[0].kind,
        tensor_of(all_types(4)[-1]),
        all_types(4)[-1],
        *(pt.activation(name) for name in ("tanh", "relu", "gelu", "max(0, x)^3 + max(-1, x)/3 + min(2, x)")),
        pt.activation("gelu").pieces[0],
        pt.z(1) * pt.H(2, 3) * pt.ddH_II(4, 5, 6, 7),
        pt.describe("F"),
        theory.nodes[0],
        model.program,
        chapter,
        chapter.equations[-1],
        *check(select([chapter], number="8.97")),
        model.program.levels[0],
        model.program.levels[0].kernels[-1],
    ]


def test_every_object_says_in_a_line_what_it_is(things):
    for thing in things:
        text = repr(thing)
        assert len(text) < 300, text
        assert "\n" not in text
        assert text.startswith(f"{type(thing).__name__}("), text


def test_the_line_has_the_main_numbers(things):
    theory, run = things[0], things[4]
    count = sum(len(theory.recursion(node).diagrams) for node in theory.nodes)
    assert f"{len(theory.nodes)} T{{k}}" in repr(theory)
    assert f"{count} diagrams" in repr(theory)
    assert repr(run).startswith("Run(3 layers, 2 inputs, ")
    assert repr(pt.activation("relu")).endswith("kinks at 0)")


def test_equal_things_stay_equal_and_hash_alike():
    first, second = pt.network("mlp"), pt.network("mlp")
    assert first == second
    assert hash(first) == hash(second)
    assert pt.derive("mlp", "V").diagrams == pt.derive("mlp", "V").diagrams
    assert len({find_tensor("V")[0], find_tensor("V")[0]}) == 1


class _Checked(HTMLParser):
    """Sees that tags are closed in order, and collects text and tags."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_what_has_a_table_writes_well_formed_html(things):
    shown = [thing for thing in things if hasattr(thing, "_repr_html_")]
    kinds = {type(thing).__name__ for thing in shown}
    assert kinds >= {"Theory", "Model", "Run", "LayerState", "Network", "Tensor", "Activation", "Explanation"}
    for thing in shown:
        found = _Checked(thing._repr_html_())
        assert {"table", "figure"} & set(found.tags)  # a recursion is a formula with pictures behind it
        assert len(found.text) > 20


def test_the_table_of_a_layer_has_the_numbers(things):
    state = things[5]
    text = _Checked(state._repr_html_()).text
    assert f"{state['V'][0, 0, 0, 0]:.7g}" in text
    assert f"{state['V'][0, 1, 0, 1]:.7g}" in text


def test_long_tables_fold_and_say_how_much_is_hidden():
    theory = pt.theory("mlp", "every", order=1)
    text = theory._repr_html_()
    assert len(theory) == 13  # all forests with up to two pairs: (9 + 4) types of the book's
    assert f"<summary>{13 - html.MOST_ROWS} more tensor</summary>" in text
    rows = html.table(["n"], ([n] for n in range(5000)), "row")
    assert f"{5000 - html.MOST_ROWS} more rows; the last {5000 - html.MOST_ROWS - html.MOST_WRITTEN} are not" in rows
    assert f"({900 - html.MOST_TEXT} more characters)" in html.cell("a" * 900)


def test_no_text_of_a_user_becomes_markup():
    text = html.page(HOSTILE, html.facts([(HOSTILE, HOSTILE)]), html.table([HOSTILE], [[[HOSTILE]]], HOSTILE, 0))
    found = _Checked(text)
    assert "script" not in found.tags
    assert "\x1b" not in text
    assert (
        found.text.count('<script>alert("1")</script> & $x$ \\x1b[2J') == 7
    )  # title, both cells of the facts, head twice, cell, name of the rows
    assert 'class="mathjax_ignore tex2jax_ignore"' in text  # $x$ is no formula either


def test_titles_of_rules_and_tensors_are_no_markup():
    rule = pt.network({**_mlp(), "title": "<script>alert(1)</script>"})
    named = pt.name("X", "dH(0;1,2) z(3) z(4) z(5) @ 03,12,45", title="<img src=x onerror=alert(1)>")
    for thing in (rule, named, pt.theory(rule, "X", order=2), pt.describe("X")):
        assert not {"script", "img"} & set(_Checked(thing._repr_html_()).tags)


def _mlp():
    import tomllib

    from pertheory.rulebook.files import rules_folder

    return tomllib.loads((rules_folder() / "networks" / "mlp.toml").read_text(encoding="utf-8"))


def test_keys_are_completed_and_every_one_of_them_works(things):
    theory, run = things[0], things[4]
    for held in (theory, run, run[2]):
        keys = held._ipython_key_completions_()
        assert len(keys) == len(set(keys))
        for key in keys:
            held[key]
    assert {"V", "H{1}", "K", "Theta"} <= set(theory._ipython_key_completions_())
    assert {"V", "H{1}", "K", "Theta"} <= set(run[2]._ipython_key_completions_())
    assert run._ipython_key_completions_() == [1, 2, 3]


def test_a_theory_is_looked_up_by_name(things):
    theory = things[0]
    assert theory["V"] == theory.recursion("V")
    assert theory["K"].orders == (0,)
    assert list(theory) == [tensor.name for tensor, _ in theory.tensors]
    assert "V" in theory
    assert "V6" not in theory


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (lambda theory, run: theory["Vv"], "unknown tensor 'Vv'; nearest: V"),
        (lambda theory, run: theory["V6"], "V6 is not part of the theory; nearest: V"),
        (lambda theory, run: run[2]["Tetha"], "unknown tensor 'Tetha'; nearest: Theta"),
        (lambda theory, run: run[2]["V{1}"], r"no tensor 'V\{1\}' in this state; nearest: "),
        (lambda theory, run: run["V"], r"a run has layers 1 to 3: ask for one, as in run\[1\]"),
    ],
)
def test_a_wrong_key_is_answered_with_the_nearest(things, look, words):
    with pytest.raises((KeyError, pt.InputError), match=words) as caught:
        look(things[0], things[4])
    assert "\n" not in str(caught.value)


def test_describe_tells_in_python_what_the_command_tells(capsys):
    from pertheory.cli.main import main

    for name in ("F", "V{1}", "mlp", "gelu", "x*tanh(x)"):
        assert main(["describe", name]) == 0
        assert capsys.readouterr().out == f"{pt.describe(name)}\n"
    assert pt.describe(pt.network("mlp")) == pt.describe("mlp")
    assert str(pt.describe(pt.activation("gelu"))) == str(pt.describe("gelu"))
