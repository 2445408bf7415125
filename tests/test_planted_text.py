"""Rule files are data from strangers: executable text in every string of every kind, over all verbs and targets.

Each file is refused in one line that names it and the key, or the text appears where it is harmless. Nothing runs (each
text that runs leaves a file PWNED), and nothing is written outside the folder that was named.
"""

import ast
import importlib.util
import io
import json
import math
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace

import pytest

import pertheory as pt
from fuzz.rule_files import toml
from pertheory.book.chapters import read_chapter
from pertheory.cli.main import main
from pertheory.emit.c.printer import print_c
from pertheory.emit.numpy.printer import print_numpy
from pertheory.errors import PertheoryError, RuleError
from pertheory.kernels.lower import lower
from pertheory.rulebook.files import rules_folder
from tests.loading import load_text
from tests.planted import PAYLOADS, planted, renamed, strings

RULES = rules_folder()
#: Payloads that a rule file may hold as text for people: they can be seen, and are on one line or on several.
SEEN = {name: text for name, text in PAYLOADS.items() if text.replace("\n", "").replace("\t", "").isprintable()}
ALL_AT_ONCE = " ".join(" ".join(text[:200] for text in SEEN.values()).split())
RUN = ["--inputs", "inputs.csv", "--depth", "2", "--tensors", "G", "--order", "0", "--no-cache"]
CC = shutil.which("cc") or shutil.which("gcc")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, deep enough that what climbs out of it is seen."""
    folder = tmp_path / "a" / "b" / "work"
    folder.mkdir(parents=True)
    (folder / "inputs.csv").write_text("1,0.5\n0.2,-1\n")
    monkeypatch.chdir(folder)
    yield folder
    for path in tmp_path.rglob("*"):
        assert "PWNED" not in path.name, path
        assert path.is_relative_to(folder) or folder.is_relative_to(path), path


def call(*arguments):
    """A command: its exit status, and what it said on both streams."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse
            status = end.code
    text = out.getvalue() + err.getvalue()
    assert text.replace("\n", "").isprintable(), repr(text)
    return status, out.getvalue(), err.getvalue()


def refused(result, path):
    """Whether a command refused a file; then it did so in one line that names it."""
    status, _, err = result
    if status == 2:
        assert err.startswith("pertheory: error: ")
        assert err.count("\n") == 1
        assert path.name in err, err
        assert len(err) < 1000
    return status == 2


def one_line(error, path):
    """Whether an error names the file in one line."""
    assert str(error).startswith((f"{path.name}: ", f"{path}: "))
    assert "\n" not in str(error)
    assert len(str(error)) < 1000


def harmless_python(text):
    """A module whose planted text is nowhere but in strings: it defines functions and tables and imports NumPy."""
    tree = ast.parse(text)
    allowed = (ast.Expr, ast.Import, ast.FunctionDef, ast.Assign)
    assert all(isinstance(node, allowed) for node in tree.body)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"os", "__import__", "system", "eval", "exec", "open"}
    assert [node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)] == ["numpy"]
    module = load_text("planted", text)
    assert module.NETWORK


def code_of(text):
    """C without comments and literals, after what the preprocessor does first: trigraphs, and lines that go on."""
    for mark, character in zip("=/'()!<>-", "#\\^[]|{}~", strict=True):
        text = text.replace("??" + mark, character)
    text = text.replace("\\\n", "")
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.DOTALL)


def harmless_c(text):
    code = code_of(text)
    assert not set(re.findall(r"\w+", code)) & {"system", "constructor", "planted", "PWNED", "script", "passwd"}
    assert set(code) <= set(map(chr, range(32, 127))) | {"\n"}


def harmless_folder(folder, plain):
    """A folder in C whose files that build it are those of a rule with a harmless title."""
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "\x1b" not in text
        if path.suffix in {".c", ".h"}:
            harmless_c(text)
        elif path.suffix == ".py":
            ast.parse(text)
        elif path.suffix == ".md":
            assert "<script" not in text
            assert "](javascript" not in text
        if path.suffix not in {".c", ".h", ".md"}:
            assert text == (plain / path.name).read_text(encoding="utf-8"), path.name
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in plain.iterdir())


def network_files():
    """(payload, place, table): a text in every string of a rule, and under every name wherever it stands."""
    table = tomllib.loads((RULES / "networks" / "residual.toml").read_text())
    table["activations"] = {"s": "tanh"}
    table["parameters"]["b1"]["distribution"] = "gaussian"
    names = ("z", "u", "s", "b1", "W1", "C_b1", "lambda_W", "gamma", "residual")
    for name, text in PAYLOADS.items():
        for where, is_key in strings(table):
            yield name, where, planted(table, where, is_key, text)
        for own in names:
            yield name, own, renamed(table, own, text)


def test_networks_are_refused_or_harmless(place):
    path = place / "stranger.toml"
    accepted = []
    for name, where, table in network_files():
        path.write_text(toml(table), encoding="utf-8")
        try:
            pt.network(path)
            accepted.append((name, where))
        except PertheoryError as error:
            one_line(error, path)
        if name == "python string":
            refused(call("derive", "G", "--network", path, "--no-cache"), path)
    # a title is for people; the formula of an activation is read where it is used
    texts = (("title",), ("activations", "s"))
    assert set(accepted) == {(name, where) for name in SEEN for where in texts}
    table = tomllib.loads((RULES / "networks" / "mlp.toml").read_text())
    emit = (
        "emit",
        "--target",
        "numpy",
        "--network",
        path,
        "--out",
        "out",
        "--tensors",
        "G",
        "--order",
        0,
        "--no-cache",
    )
    for text in SEEN.values():
        path.write_text(toml({**table, "activations": {"s": text}}), encoding="utf-8")
        status, _, err = call("run", "--network", path, "--activation", "tanh", *RUN)
        assert (status, err.count("\n")) == (2, 1), text
        path.write_text(toml({**table, "title": text}), encoding="utf-8")
        assert call(*emit)[0] == 0
        harmless_python(next((place / "out").glob("mlp_order*.py")).read_text(encoding="utf-8"))


def test_every_verb_and_target_over_a_title_with_all_of_it(place):
    """Every path from a title to a text, compiled and run: nothing of it is executed; processes take the seconds."""
    table = tomllib.loads((RULES / "networks" / "residual.toml").read_text())
    path = place / "stranger.toml"
    path.write_text(toml({**table, "title": ALL_AT_ONCE}), encoding="utf-8")
    own = ("--network", path, "--no-cache")
    for form in ("text", "latex", "json"):
        status, out, _ = call("derive", "V", *own, "--format", form)
        assert status == 0
        assert "PWNED" not in out
    assert call("derive", "V", *own, "--explain", 1)[0] == 0
    assert call("derive", "--list", *own)[0] == 0
    for form in ("svg", "tex", "html"):
        assert call("draw", "V", *own, "--out", f"v.{form}")[0] == 0
        assert "PWNED" not in (place / f"v.{form}").read_text(encoding="ascii")
    for form in ("text", "json"):
        assert call("run", *own, "--activation", "tanh", *RUN, "--format", form)[0] == 0
    assert call("run", *own, "--activation", "tanh", *RUN, "--format", "npz", "--out", "out.npz")[0] == 0
    emit = ("emit", "--tensors", "G", "--order", 0, "--no-cache", "--inputs", "one")
    assert call(*emit, "--network", path, "--target", "numpy", "--out", "python")[0] == 0
    text = (place / "python" / "residual_order0.py").read_text(encoding="utf-8")
    harmless_python(text)
    assert "import os" in ast.get_docstring(ast.parse(text))  # the title is there
    assert call(*emit, "--network", path, "--target", "c", "--out", "c")[0] == 0
    assert call(*emit, "--network", "residual", "--target", "c", "--out", "plain")[0] == 0
    harmless_folder(place / "c", place / "plain")
    source = (place / "c" / "residual_order0_one.c").read_text(encoding="utf-8")
    assert "touch PWNED" in source
    if CC:
        strict = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wcomment", "-Wtrigraphs", "-Werror", "-fsyntax-only")
        subprocess.run([CC, *strict, *map(str, (place / "c").glob("*.c"))], check=True, cwd=place)
        assert call("run", "--backend", "c", *own, "--activation", "tanh", *RUN)[0] == 0


def test_networks_built_in_code_are_checked_and_escaped_likewise():
    """No reader stands before these: the rule itself asks for names, the writers escape what cannot be seen as well."""
    rule = pt.network("mlp")
    hostile = "\n".join(PAYLOADS.values())
    program = lower(pt.theory(replace(rule, title=hostile), "G", 0))
    harmless_python(print_numpy(program))
    source = print_c(program, "", hostile)
    harmless_c(source.source)
    harmless_c(source.header)
    for text in (source.source, source.header, print_numpy(program)):
        assert text.replace("\n", "").isprintable()
    sublayer = rule.sublayers[0]
    for text in PAYLOADS.values():
        name, channels = sublayer.fields[0]
        inner = sublayer._replace(fields=((text, channels),))
        function = sublayer._replace(fields=((name, (channels[0], channels[1]._replace(function=text))),))
        for change in (
            {"name": text},
            {"fields": (text,)},
            {"hyperparameters": ((text, 1.0),)},
            {"inputs": ((text, ("b",)),)},
            {"sublayers": (inner,)},
            {"sublayers": (function,)},
            {"parameters": (rule.parameters[0]._replace(name=text),)},
            {"activations": ((text, "tanh"),)},
        ):
            with pytest.raises(RuleError, match="is not a name"):
                replace(rule, **change)
    for name in PAYLOADS.keys() - {"long"}:  # and the printers ask again, in whose names there are several of ours
        for printed in (print_numpy, print_c):
            with pytest.raises(RuleError, match="is not a name"):
                printed(program._replace(network=PAYLOADS[name]))


def activation_files():
    smooth = {"name": "bent", "description": "", "parameters": {"beta": 1.0}, "formula": "tanh(beta*x)"}
    bent = {
        "name": "ramp",
        "aliases": ["slope_below"],
        "description": "a ramp",
        "parameters": {"slope": 0.1},
        "pieces": [
            {"from": float("-inf"), "to": "0*slope", "formula": "slope*x"},
            {"from": 0.0, "to": float("inf"), "formula": "x"},
        ],
    }
    for table in (smooth, bent):
        for name, text in PAYLOADS.items():
            for where, is_key in strings(table):
                yield name, where, planted(table, where, is_key, text)


def test_activations_are_refused_or_harmless(place):
    path = place / "stranger.toml"
    seen = set()
    for name, where, table in activation_files():
        path.write_text(toml(table), encoding="utf-8")
        forget("pertheory.functions.activation")
        try:
            pt.activation(path)
            seen.add((name, where))
        except PertheoryError as error:
            one_line(error, path)
        if name == "python string":
            refused(call("run", "--activation", path, *RUN[:3], "1", *RUN[4:]), path)
    assert {where for _, where in seen} == {("description",)}
    path.write_text(toml({"name": "bent", "description": ALL_AT_ONCE, "formula": "x*tanh(x)"}), encoding="utf-8")
    emit = ("emit", "--tensors", "G", "--order", 0, "--no-cache", "--inputs", "one", "--target", "c")
    assert call(*emit, "--activation", path, "--out", "out")[0] == 0
    for file in (place / "out").iterdir():
        assert "PWNED" not in file.read_text(encoding="utf-8")  # a description is not printed
    for text in PAYLOADS.values():  # a formula of the command line
        status, _, err = call("run", "--activation", text, *RUN)
        assert (status, err.count("\n")) == (2, 1)


def forget(where="pertheory"):
    """Empty the caches of pure functions of the package, which take it that files stay as they are."""
    for name, module in list(sys.modules.items()):
        if name.startswith(where):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


@pytest.fixture
def other_rules(place, monkeypatch):
    """The rules as a folder that a test may change."""
    folder = place / "rules"
    shutil.copytree(RULES, folder)
    for name in ("rulebook.tensors", "rulebook.network", "rulebook.files", "functions.catalogue"):
        monkeypatch.setattr(f"pertheory.{name}.rules_folder", lambda: folder)
    monkeypatch.setattr("pertheory.book.chapters.rules_folder", lambda: folder)
    forget()
    yield folder
    forget()


def test_tensors_are_refused_or_harmless(place, other_rules):
    """Each payload in each string of tensors.toml, through every verb: hundreds of runs, each of them short."""
    path = other_rules / "tensors.toml"
    table = tomllib.loads(path.read_text())
    table["tensors"] = table["tensors"][:3]
    accepted = set()
    for text in PAYLOADS.values():
        for where, is_key in strings({"tensors": table["tensors"][:1]}):
            path.write_text(toml(planted(table, where, is_key, text)), encoding="utf-8")
            forget()
            if not refused(call("describe", "V"), path):
                accepted.add(where[-1])
                assert call("describe", "G")[0] == 0
                assert json.loads(call("describe", "G", "--format", "json")[1])["name"] == "G"
    assert accepted == {"title", "book"}
    for entry in table["tensors"]:
        entry |= {"title": ALL_AT_ONCE, "book": ALL_AT_ONCE}
    path.write_text(toml(table), encoding="utf-8")
    forget()
    emit = ("emit", "--tensors", "G", "--order", 0, "--no-cache", "--inputs", "one")
    assert call(*emit, "--target", "numpy", "--out", "python")[0] == 0
    harmless_python((place / "python" / "mlp_order0.py").read_text(encoding="utf-8"))
    assert call(*emit, "--target", "c", "--out", "c")[0] == 0
    for file in (place / "c").glob("*.[ch]"):
        harmless_c(file.read_text(encoding="utf-8"))
    readme = (place / "c" / "README.md").read_text(encoding="utf-8")
    assert "<script" not in readme
    assert "PWNED" not in (place / "c" / "Makefile").read_text()
    if CC:
        strict = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wcomment", "-Werror", "-fsyntax-only")
        subprocess.run([CC, *strict, *map(str, (place / "c").glob("*.c"))], check=True, cwd=place)
    for form in ("text", "latex", "json"):
        assert "PWNED" not in call("derive", "V", "--no-cache", "--format", form)[1]


CHAPTER = {
    "chapter": "7",
    "title": "A chapter",
    "symbols": ["alpha"],
    "objects": ["r(a)"],
    "definitions": {"Omega(a,b)": "C_W s_a s_b"},
    "equation": [
        {
            "number": "7.1",
            "title": "the kernel",
            "kind": "recursion",
            "statement": "K'(1,2) = C_b + <Omega(1,2)>",
            "source": "ours",
            "inputs": "many",
            "network": "mlp",
            "note": "a note",
        },
        {"number": "7.2", "title": "not posed", "source": "ours", "unchecked": "a reason"},
    ],
}


def test_equations_of_the_book_are_refused_or_harmless(place, other_rules):
    folder = other_rules / "book"
    shutil.rmtree(folder)
    folder.mkdir()
    path = folder / "ch07.toml"
    path.write_text(toml(CHAPTER), encoding="utf-8")
    assert call("check", "--equation", "7.1")[0] == 0  # the chapter is right as it stands
    accepted = set()
    for name, text in PAYLOADS.items():
        for where, is_key in strings(CHAPTER):
            path.write_text(toml(planted(CHAPTER, where, is_key, text)), encoding="utf-8")
            try:
                read_chapter(path)
            except PertheoryError as error:
                one_line(error, path)
                continue
            accepted.add(where[-1])
            if name in ("latex", "html", "shell"):  # what all equations of the file come to, in both forms
                forget("pertheory.book.chapters")
                for form in ("text", "json"):
                    status, _, err = call("check", "--format", form)
                    assert status in (0, 1) or err.count("\n") == 1
    assert accepted <= {"chapter", "title", "number", "note", "unchecked", "statement", "Omega(a,b)"}


def test_what_is_no_ordinary_file_is_refused_at_once(place):
    import os

    os.mkfifo("pipe.toml")
    os.mkdir("folder.toml")
    os.symlink("/dev/zero", "zero.toml")
    (place / "large.toml").write_text("# " + "x" * 2_000_000)
    (place / "deep.toml").write_text("a = " + "[" * 50_000 + "]" * 50_000)
    (place / "deeper.toml").write_text("a = " + "[" * 40 + "]" * 40)
    (place / "digits.toml").write_text("name = " + "9" * 5000)
    (place / "wide.toml").write_text("name = 0x" + "f" * 5000)
    (place / "date.toml").write_text("name = 1979-05-27")
    (place / "bytes.toml").write_bytes(b"name = '\xff\xfe'")
    (place / "key.toml").write_text("'' = 1\n'\u202e' = 2")
    for path in sorted(place.glob("*.toml")):
        for arguments in (("derive", "G", "--network", path), ("run", "--activation", path, *RUN)):
            status, _, err = call(*arguments)
            assert (status, err.count("\n")) == (2, 1), path
            assert path.name in err
            assert len(err) < 400


HYPER = """
I NAN NULL INFINITY M_PI M_E EOF BUFSIZ DBL_MAX linux unix i386 int register lambda class None np state p avg total
result part part_0 G V first_layer run step tensors update theory recursion_G size w out row a z A A_ B_ k_C k_G_ab
G_aa avg_s0_s0 sum_G first_a G_row H_ab_tile pt_block PT_OK tables slots ratio_ memset exp print dict asm bool
typeof
""".split()  # noqa: SIM905


def test_hyperparameters_may_have_names_that_python_c_or_the_printers_use(place):
    """Each multiplies the variance of the weights, so that it stands in every recursion, in both languages."""
    table = tomllib.loads((RULES / "networks" / "mlp.toml").read_text())
    table["hyperparameters"] |= {name: 1.0 + number / 1024 for number, name in enumerate(HYPER)}
    inputs = [[1.0, 0.5], [0.2, -1.0]]
    path = place / "names.toml"
    for part in (HYPER[::2], HYPER[1::2]):
        table["parameters"]["W"]["variance"] = "*".join(["C_W", *part])
        path.write_text(toml(table), encoding="utf-8")
        product = math.prod(table["hyperparameters"][name] for name in part)
        plain = pt.theory("mlp", ["V"], 0).compile("numpy", "one")(inputs, "tanh", 2, C_W=product)
        own = pt.theory(pt.network(path), ["V"], 0)
        for backend in ("numpy", "c") if CC else ("numpy",):
            states = own.compile(backend, "one")(inputs, "tanh", 2)
            for key in ("V", "G"):
                assert states[2][key] == pytest.approx(plain[2][key], rel=1e-9), (backend, key, part)
        harmless_python(*own.texts("numpy").values())


def test_averages_with_names_that_read_the_same_are_kept_apart(place):
    """A field z_s0 beside z, a function s1 beside s: the averages of both would be called the same."""
    rule = pt.network("residual")
    table = tomllib.loads((RULES / "networks" / "residual.toml").read_text())
    plain = pt.theory(rule, ["V"], 1).compile()([[1.0, 0.5], [0.2, -1.0]], "tanh", 3)
    path = place / "names.toml"
    for old, new in (("u", "z_s0"), ("s", "z"), ("s", "s1_s"), ("u", "z0_z")):
        path.write_text(toml(renamed(table, old, new)), encoding="utf-8")
        own = pt.theory(pt.network(path), ["V"], 1).compile()([[1.0, 0.5], [0.2, -1.0]], "tanh", 3)
        for key in ("V", "G"):
            assert own[3][key] == pytest.approx(plain[3][key], rel=1e-12), (old, new, key)


def test_nothing_is_written_outside_the_folder(place):
    from pathlib import Path

    from pertheory.theory import inside

    for name in ("../x", "/x", "a/b", "..", ".", "", "a/../../x"):
        with pytest.raises(pt.errors.PertheoryError, match="is not the name of a file"):
            inside(Path("out"), name)
    assert not (place / "out").exists()
    assert importlib.util.find_spec("pertheory.run.source") is None  # what executed text is gone
