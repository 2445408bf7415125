"""Values for the arguments of commands: by the name of the argument what is right, and what nobody would give."""

from __future__ import annotations

from fuzz.command_files import names
from pertheory.rulebook.files import rules_folder

#: How often a value is right: in so many all are that work is done.
RIGHT = 0.9
#: How often an optional argument is given, where that is not as for all others.
OFTEN = {
    "network": 0.25,
    "format": 0.4,
    "out": 0.4,
    "order": 0.5,
    "jobs": 0.05,
    "no_cache": 0.05,
    "yes": 0.02,
    "eta": 0.9,
}
#: The same of one verb; without --samples and --tensors `simulate` takes long.
USUAL = {
    ("list", "what"): 0.8,
    ("derive", "tensors"): 0.9,
    ("derive", "list"): 0.1,
    ("init", "activation"): 0.9,
    ("run", "order"): 0.9,
    ("emit", "order"): 0.95,
    ("emit", "activation"): 0.5,
    ("emit", "tensors"): 0.6,
    ("run", "tensors"): 0.5,
    ("simulate", "tensors"): 0.9,
    ("simulate", "samples"): 0.95,
    ("check", "equation"): 0.97,
}

TEXTS = [
    *("", " ", "x", "é", "نظرية", "\n", "a\nb", "\x1b[31m", "\x00", "\udcff", "\u2028", "\u202e", "-", "-x", "--"),
    *("<script>alert(1)</script>", "$\\input{/etc/passwd}$", "\\write18{id}", "%s%n", "{}", "None", "0", "x" * 100_000),
]
WORDS = [*TEXTS, "JSON", "text\n", "svg", "latex", "npz", "c++"]
STRAY = ["--help", "--version", "-h", "--", "-", "", "--bad\nflag", "-x", "\x1b", "--out", "é", "@file", "-1", "--o=1"]
TENSORS = [
    *("G", "K", "H", "Theta", "V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U", "G{1}", "V{0}", "H{2}"),
    *("V{99}", "all", "every", "V6", "v", "", ",", "V,G", "K,,", "V{", "V{-1}", "V{1}{1}", "V{1e3}", "{}", "@", "z"),
    *("z(1)", "z(1) z(2)", "z(1) z(2) @ 12", "z(1)\nz(2) @ 12", "z(1) z(2) H(3,4) @ 13,24", "H(1,2) @ 12"),
    *("z(1) z(1) @ 11", "z(1) z(2) @ 21", "tree(1-2) @ 12", "tree(1-1) @ 11", "tree(1-2, 2-3, 3-4) @ 12,34"),
    *("tree() @", "dH(0;1,2) z(3) @ 01,23", "H(1,2)\t@\u202812", "ddH_I(0;1,2,3) @ 01,23", "ddH_II(0,1;2,3) @ 01,23"),
    *("z(a) z(b) z(c) z(d) @ ab,cd", "z(é) z(2) @ é2", "\u0661(1) @ 11", "V" * 5000, "z(" * 2000, "(" * 3000),
    *("V\x1b[31m", "V\x00", "V\udcff", "-V", "--", "../V", "V.toml", "1", "نظرية"),
    " ".join(f"z({c})" for c in "abcdefghijkl") + " @ ab,cd,ef,gh,ij,kl",
    " ".join(f"z({c})" for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") + " @ ab",
]
WHOLE = [
    *("0", "1", "2", "3", "-1", "", "x", "1.5", "1e3", "10", "11", "257", "100000", "1000000000", "9" * 30, "9" * 5000),
    *("0x10", " 2 ", "٢", "1_0", "nan", "inf"),
]
NUMBERS = [
    *("0", "1", "1.7", "0.3", "2", "-1", "1e-300", "1e300", "1e308", "1e400", "-0", "nan", "inf", "-inf", "", ","),
    *("1,2", "1,2,3", "1,,2", "1;2", "x", "1e", "0x1p3", "1_0", "٣", "9" * 4000, "5e-324", "1 2", "1,-1", "None"),
    *("\n1", "1\n", "1e-9", "1e-16", "1e17", "8", "8,8", "64,64"),
]
ACTIVATIONS = [
    *("x", "x^2", "tanh(x)+x", "max(0,x)", "max(0, x-4)", "exp(-x^2)", "1/x", "log(x)", "x^x", "x^1e9", "9^9^9"),
    *("exp(exp(x))", "(1e150+x)^12", "sqrt(x)", "x +", "y", "x x", "sin(sin(sin(x)))", "abs(x)^3", "0", "1", "pi"),
    *("1e308*x", "1e-308*x", "tanh(1000*x)", "tanh(x/1000)", "1e8*tanh(x)", "x+1e-9*x^3", "tanh(x)-x", "1+0*x", "\n"),
    *("x\n+x", "import os", "__import__('os')", "x.__class__", "(" * 100 + "x", "x" + "+x" * 300, "é", "\u2028", "-x"),
    *("x\udcff", "own.toml", "no.toml", "binary.toml", "folder.toml", "pipe.toml", "deep.toml", "TANH", "tahn", ""),
]
NETWORKS = [
    *("mpl", "", "no.toml", "binary.toml", "folder.toml", "pipe.toml", "deep.toml", "bigint.toml", "activation.toml"),
    *("folder", "/", ".", "~", "/dev/null", "/dev/zero", "n" * 5000, "a/" * 500, "mlp\n", "\udcff.toml", "mlp\x1b"),
    *("../mlp", "huge.toml", "link.toml", "loop.toml", "one.csv", "mlp.toml"),
]
OUTS = [
    *("out", "out.json", "folder", "no/out", "one.csv/out", "/dev/null", "/dev/full", "/proc/out", "", ".", "a" * 300),
    *(
        "\udcff",
        "new\nline",
        "pipe",
        "link",
        "loop",
        "readonly/out",
        "/dev/stdout",
        "/dev/fd/1",
        "/dev/fd/99",
        "-",
        "~",
    ),
    *("é", "--out", "dangling", "folder.toml", "kept", "nul\x00", "two.csv"),
]
PICTURES = [*OUTS, "p.pdf", "p.svg/q.svg", "p.png", "p.SVG", ".svg", "p.svg\n", "no/p.svg", "é.svg", "text"]
PARAMS = [
    *("slope=1", "C_W=2", "slope=nan", "slope", "=", "=1", "beta=1e400", "a b=1", "é=1", "C_W=-1", "gamma=0.5", "x=1"),
    *("slope=1e200", "slope=-1e200", "slope=0", "slope=1e-320", "negative_slope=1e308", "alpha=1e300", "gamma=-1"),
    *("gamma=1e200", "beta=0", "beta=1e200", "beta=-3", "degree=2.5", "degree=1e9", "slope=" + "9" * 999),
]
PLACES = names()
_NAMED = sorted(path.stem for path in (rules_folder() / "activations").glob("*.toml"))

#: By the name of an argument, or that of a verb and it: what is right, and what is not (with much that is, or may be).
VALUES: dict[str | tuple[str, str], tuple[list[str], list[str]]] = {
    "tensors": (["V", "G", "F", "K", "Theta", "A", "D", "all"], TENSORS),
    ("simulate", "tensors"): (["G", "V", "K"], TENSORS),
    "name": (["V", "mlp", "tanh", *TENSORS], TEXTS),
    "network": (["mlp", "residual", "projection", "own.toml"], NETWORKS),
    "activation": (["tanh", "relu", "gelu", "x^2", "leaky_relu", "sin"], [*_NAMED, *ACTIVATIONS]),
    ("critical", "activation"): ([*_NAMED, *ACTIVATIONS], TEXTS),
    ("init", "activation"): ([*_NAMED, *ACTIVATIONS], TEXTS),
    ("aspect", "activation"): ([*_NAMED, *ACTIVATIONS], TEXTS),
    "depth": (["1", "2", "3"], WHOLE),
    "order": (["0", "0", "0", "1"], WHOLE),
    "explain": (["1", "2"], WHOLE),
    "jobs": (["1", "2"], WHOLE),
    "inputs": (["one.csv", "two.csv", "good.npy"], PLACES),
    ("emit", "inputs"): (["one", "many"], ["none", "two.csv", *WORDS]),
    "train": (["two.csv", "good.npy"], PLACES),
    "targets": (["column.csv", "two.csv"], PLACES),
    "test": (["one.csv", "two.csv", "zero.csv"], PLACES),
    "test_targets": (["two.csv", "column.csv"], PLACES),
    "param": (["slope=0.1", "gamma=0.6", "beta=2", "C_W=2"], PARAMS),
    "widths": (["8", "8,8", "64"], NUMBERS),
    "extrapolate": (["8,16", "16,24,32"], NUMBERS),
    "compare": (["8", "8,64"], NUMBERS),
    "rtol": (["1e-9", "1e-6", "1e-4"], NUMBERS),
    "eta": (["0.1", "0.01"], NUMBERS),
    "steps": (["inf", "3", "100", "flow:3.5", "flow:inf"], [*NUMBERS, "flow:", "flow:-1", "flow:nan", "1" * 30]),
    "update": (["gradient", "newton"], WORDS),
    "samples": (["128", "256"], ["0", "1", "64", "127", *TEXTS]),
    "batch": (["64", "128"], WHOLE),
    "seed": (["1", "7"], [*WHOLE, str(2**63), str(2**64)]),
    "store": (["folder", "kept_runs"], OUTS),
    "out": (["text", "out.json"], OUTS),
    ("draw", "out"): (["p.svg", "p.tex", "p.html"], PICTURES),
    ("emit", "out"): (["out", "kept", "link", "/dev/null"], OUTS),
    "plot": (["p.svg"], PICTURES),
    "equation": (["8.97", "4.36"], ["0", "", "8", "x", "8.97\n", "9" * 500, "-1", *TEXTS]),
    "chapter": ([], ["", "x", "99", "-1", "8\n"]),
}
