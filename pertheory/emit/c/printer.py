"""Prints a program as one C99 source and one header."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from pertheory.emit.c.copies import print_copy
from pertheory.emit.c.descriptor import HASH
from pertheory.emit.c.frame import Frame, Packings, View
from pertheory.emit.c.functions import Function, recursion, temporary
from pertheory.emit.c.header import print_header
from pertheory.emit.c.interface import print_interface
from pertheory.emit.quoting import c_comment
from pertheory.kernels.language import Program
from pertheory.kernels.packing import Packing, counts, packing_of_classes
from pertheory.rulebook.names import checked


class Source(NamedTuple):
    """What is written for a theory: the prefix of all its names, and the texts of NAME.c and NAME.h."""

    name: str
    source: str
    header: str


def print_c(program: Program, averages: str = "", activation: str = "", undefined: bool = False) -> Source:
    """The theory in C; the same bytes for the same program.

    Args:
        program: what to print.
        averages: the text of a built-in routine of Gaussian averages, for the requests of this program; without it
            the callback must be given.
        activation: what the built-in routine is for.
        undefined: whether it has averages without a value at inputs of zeros; those that count for nothing must not
            spoil results.
    """
    name = program_name(program)
    packings = Packings()
    frames = [Frame(program, number, packings) for number in range(len(program.levels))]
    levels = [_level(program, frame) for frame in frames]
    body = "\n".join(level.text for level in levels)
    body += print_interface(program, name, frames, levels, activation if averages else "", undefined)
    words = _words(body)
    used = [(packing, own) for packing, own in packings.items() if own in words or not packing.is_dense]
    packing_text = "\n".join(_packing(packing, own) for packing, own in used)
    copies = "\n".join(print_copy(own, *what) for what, own in packings.copies.items())
    body = f"{copies}\n{body}"
    body = f"{packing_text}\n{_ORDERS}{packings.tables()}\n\n{_tables(used)}\n{body}"
    head = _head(program, name, bool(averages), activation)
    text = f"{head}\n{_support(body)}\n{body}" + (f"\n{averages}" if averages else "")
    digest = hashlib.sha256(text.encode()).hexdigest()
    header = print_header(program, name, bool(averages), activation)
    return Source(name, text.replace(HASH, digest), header)


_ORDERS = "/* The indices on the axes of kept entries, see pt_copy. */\n"


def program_name(program: Program) -> str:
    """The prefix of all names: mlp_order1, or mlp_order1_one."""
    return f"{checked(program.network)}_order{program.order}" + ("_one" if program.inputs == "one" else "")


class LevelText(NamedTuple):
    """The functions of a level, and the order in which they are called."""

    text: str
    fills: dict[View | str, str]
    recursions: list[Function]
    functions: dict[str, Function]

    def before(self, needs: tuple[View | str, ...]) -> list[View | str]:
        """Everything that has to be filled for some needs, in an order that works."""
        found: dict[View | str, None] = {}

        def visit(need: View | str) -> None:
            if need in found:
                return
            if isinstance(need, View):
                if need.array in self.functions:
                    visit(need.array)
            else:
                for other in self.functions[need].needs:
                    visit(other)
            found[need] = None

        for need in needs:
            visit(need)
        return list(found)


def _level(program: Program, frame: Frame) -> LevelText:
    temporaries = {item.name: temporary(frame, item) for item in frame.level.temporaries}
    recursions = [recursion(frame, kernel, program.inputs == "one") for kernel in frame.level.kernels]
    fills: dict[View | str, str] = {}
    for view in frame.views:
        like = frame.packing_name(view.array)
        dense = packing_of_classes((1,) * view.rank)
        table, ways = frame.packings.orders(frame.packing(view.array), view.axes, dense)
        fills[view] = (
            f"pt_view(&{like}, w->tables->{like}, w->{view.array}, {table}, {ways}, {view.rank}, w->n, w->{view.name});"
        )
    for name, function in temporaries.items():
        fills[name] = f"{function.name}(w);"
    frame.copies = tuple(sorted({(f.rank, f.buffers) for f in [*temporaries.values(), *recursions] if f.buffers}))
    parts = [_struct(program, frame)]
    parts += [function.text for function in [*temporaries.values(), *recursions]]
    return LevelText("\n".join(parts), fills, recursions, temporaries)


def _struct(program: Program, frame: Frame) -> str:
    number = frame.number
    lines = [
        f"/* ---- level {number} of {len(program.levels)}: arrays in the workspace ---- */",
        "",
        f"struct level_{number} {{",
        "    size_t n;                    /* inputs */",
        "    const double *p;             /* hyperparameters */",
        "    double ratio;                /* n / n_prev */",
        "    const struct tables *tables;",
        "    /* tensors below, packed */",
        *(f"    const double *{name};" for name in sorted(frame.below)),
        "    /* Gaussian averages, packed */",
        *(f"    const double *{average.name};" for average in frame.level.averages),
        "    /* dense copies: V_aab[a][b] is V at a, a, b */",
        *(f"    double *{view.name};" for view in frame.views),
        "    /* sums that recursions share */",
        *(f"    double *{name};" for name in frame.temporaries),
        "    /* copies for the entries that are computed together, of each thread */",
        "    double *tiles;",
        "    size_t tiles_size;",
        "};",
        "",
    ]
    return "\n".join(lines)


def _packing(packing: Packing, name: str) -> str:
    lines = []
    symmetry = classes = "NULL"
    if packing.symmetry:
        symmetry = f"{name}_symmetry"
        rows = ",\n    ".join(", ".join(str(g) for g in element) for element in packing.symmetry)
        lines.append(f"static const unsigned char {symmetry}[] = {{\n    {rows}}};")
    else:
        classes = f"{name}_sizes"
        lines.append(f"static const unsigned char {classes}[] = {{{', '.join(str(c) for c in packing.classes)}}};")
    table = []
    for row in counts(packing):
        table.append(", ".join(f"{value}u" for value in (*row, *[0] * (packing.rank + 1 - len(row)))))
    lines.append(f"static const unsigned long {name}_counts[] = {{\n    " + ",\n    ".join(table) + "};")
    lines.append(
        f"static const pt_packing {name} = {{{packing.rank}, {len(packing.symmetry)}, {symmetry}, "
        f"{len(packing.classes)}, {classes}, {name}_counts}};"
    )
    return "\n".join(lines) + "\n"


def _tables(packings: Sequence[tuple[Packing, str]]) -> str:
    lines = ["/* Offsets of packed arrays, see pt_table. */", "struct tables {"]
    lines += [f"    size_t *{name}[{max(packing.rank - 1, 1)}];" for packing, name in packings]
    lines += ["};", "", "static size_t lay_tables(size_t n, double *memory, struct tables *tables)", "{"]
    lines += ["    size_t used = 0;", "    if (tables != NULL)", "        memset(tables, 0, sizeof *tables);"]
    for packing, name in packings:
        if not packing.is_dense:
            lines.append(f"    PT_TABLE({name});")
    lines += ["    (void)n;", "    (void)memory;", "    return used;", "}", ""]
    return "\n".join(lines)


def _head(program: Program, name: str, built_in: bool, activation: str) -> str:
    shape = (
        "Tensors have one index for each slot, over the inputs; entries that are equal by symmetry are stored once."
        if program.inputs == "many"
        else "Every slot carries the same input: tensors hold one value for each input."
    )
    averages = f"Built-in Gaussian averages: {activation}." if built_in else "Gaussian averages: by callback."
    approximate = "" if program.closure == "exact" else "\n * An approximation: pairs only, the rule is not sound."
    glossary = "\n".join(
        f" *     {c_comment(key):<8} {c_comment(what)} ({c_comment(title)})" for key, what, _, title in program.glossary
    )
    network = checked(program.network)
    return f"""/* {name}.c: finite-width recursions to order 1/n^{program.order} of the network {network}.
 *
 * {c_comment(program.title)}. Written by pertheory; derived from the definition of the network.{approximate}
 * {c_comment(averages)}
 *
 * A cumulant of 2p preactivations (or of trees of their derivatives) at layer l is n_(l-1)^-(p-1) times a sum over
 * pairings of Kronecker deltas times a tensor T = T{{0}} + T{{1}}/n_(l-1) + ...; "T{{k}}" is the coefficient of the
 * k-th power, n_(l-1) the width of the layer below.
 * {shape}
 *
 * Tensors:
{glossary}
 *
 * In the formulas sigma is the activation, n the width of the layer that is summed over, n_prev the one below it;
 * beta_1, beta_2, ... are summed over the samples on which they act as derivatives; products separated by semicolons in
 * an average are a joint cumulant, and an index behind one of them derives the whole average in which it ends up.
 * avg_s1_s0[a][b] is <sigma'_a sigma_b>; V_aab[a][b] is V at a, a, b; ratio is n / n_prev. */
#include "{name}.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif
"""


@lru_cache(maxsize=1)
def _sections() -> tuple[tuple[str, str], ...]:
    """The support code in pieces, each with the name under which it is used."""
    text = (files("pertheory.emit.c") / "support.c").read_text(encoding="utf-8")
    parts = re.split(r"^/\* ---- (\w+)", text, flags=re.MULTILINE)[1:]
    return tuple(
        (name, f"/* ---- {name}{rest}".replace(f"/* ---- {name} ---- */\n\n", "", 1).strip("\n") + "\n")
        for name, rest in zip(parts[::2], parts[1::2], strict=True)
    )


def _words(code: str) -> set[str]:
    """The words of C code without those of comments, which may name what is not used."""
    return set(re.findall(r"\w+", re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)))


def _support(body: str) -> str:
    """The pieces of the support code that are used, directly or by each other, so that no compiler warns of others."""
    wanted: set[str] = set()
    waiting = [body]
    while waiting:
        words = _words(waiting.pop())
        for name, text in _sections():
            if name in words and name not in wanted:
                wanted.add(name)
                waiting.append(text)
    return "\n".join(text for name, text in _sections() if name in wanted)
