"""Emitted C holds the pieces of support code that it calls and no others; what they declare is checked here."""

import re
from collections import Counter

import pytest

import pertheory as pt
from pertheory.emit.c.printer import print_c
from pertheory.emit.c.support import Support, pieces
from pertheory.emit.c.target import c_source
from tests.emit.harness import STRICT, gcc, program, write

CASES = [
    (network, order, inputs, kinked)
    for network, order in (("mlp", 0), ("mlp", 1), ("residual", 0), ("residual", 1), ("projection", 0))
    for inputs in ("many", "one")
    for kinked in (False, True)
]


def words(code):
    """How often each word of C is there, without those of comments, which may name what is not called."""
    return Counter(re.findall(r"\w+", re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)))


@pytest.mark.parametrize("case", CASES)
def test_a_piece_is_written_where_it_is_called_and_nowhere_else(case):
    network, order, inputs, kinked = case
    source = print_c(program(network, "all", order, inputs, kinked)).source
    everywhere = words(source)
    for piece in pieces():
        name = "pt_packing" if piece.name == "always" else piece.name
        own = source.count(piece.text)
        elsewhere = everywhere[name] - own * words(piece.text)[name]
        assert (own > 0) == (elsewhere > 0), piece.name


def test_pieces_declare_what_they_call():
    found = pieces()
    names = {piece.name for piece in found} - {"always"}
    earlier = set()
    for piece in found:
        assert set(piece.calls) == (words(piece.text).keys() & names) - {piece.name}
        assert set(piece.calls) <= earlier
        earlier.add(piece.name)


def test_a_piece_that_nobody_wrote_is_refused():
    with pytest.raises(AttributeError, match="no piece of support code is called 'pt_leest'"):
        _ = Support().pt_leest


@pytest.mark.parametrize("case", [case for case in CASES if case[1] == 0 or case[0] == "mlp"])
def test_compilers_find_nothing_unused_or_undeclared(tmp_path, case):
    """Alone with threads, and with the averages of an activation without."""
    network, order, inputs, kinked = case
    theory = pt.theory(network, "all", order)
    functions = {name: pt.activation("elu" if kinked else "tanh") for name in theory.network.functions}
    alone = print_c(program(network, "all", order, inputs, kinked))
    for source, threads in ((alone, ["-fopenmp"]), (c_source(theory, inputs, functions)[1], [])):
        write(source, tmp_path)
        gcc(tmp_path, *STRICT, *threads, "-O0", "-c", "-o", "object.o", f"{source.name}.c")
