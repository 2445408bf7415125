"""Prints a program as one C99 source and one header."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from pertheory.emit.c.copies import print_copy
from pertheory.emit.c.descriptor import print_descriptor
from pertheory.emit.c.frame import Frame, Shared
from pertheory.emit.c.header import print_header
from pertheory.emit.c.interface import print_interface
from pertheory.emit.c.levels import print_level
from pertheory.emit.quoting import c_comment
from pertheory.kernels.language import Program
from pertheory.kernels.packing import Packing, counts
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
    shared = Shared()
    frames = [Frame(program, number, shared) for number in range(len(program.levels))]
    levels = [print_level(program, frame) for frame in frames]
    built_in = activation if averages else ""
    after = "\n".join(
        [print_interface(program, name, frames, levels, built_in, undefined), *[averages] * bool(averages)]
    )
    copies = "\n".join(print_copy(own, *what, shared.use) for what, own in shared.copies.items())
    common = [*_packings(shared), copies]
    before = "\n".join([_head(program, name, built_in), shared.use.text(), *common, *(level.text for level in levels)])

    def text(digest: str) -> str:
        return f"{before}{print_descriptor(program, name, built_in, digest)}\n{after}"

    digest = hashlib.sha256(text("SHA256-OF-THIS-SOURCE").encode()).hexdigest()
    return Source(name, text(digest), print_header(program, name, built_in))


def program_name(program: Program) -> str:
    """The prefix of all names: mlp_order1, or mlp_order1_one."""
    return f"{checked(program.network)}_order{program.order}" + ("_one" if program.inputs == "one" else "")


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


def _packings(shared: Shared) -> list[str]:
    """All packings, the orders in which arrays are copied, and what lays tables of offsets."""
    packings = shared.packings()
    lines = ["/* Offsets of packed arrays, see pt_table. */", "struct tables {"]
    lines += [f"    size_t *{name}[{max(packing.rank - 1, 1)}];" for packing, name in packings]
    lines += ["};", "", "static size_t lay_tables(size_t n, double *memory, struct tables *tables)", "{"]
    lines += ["    size_t used = 0;", "    if (tables != NULL)", "        memset(tables, 0, sizeof *tables);"]
    for packing, name in packings:
        if not packing.is_dense:
            lines.append(f"    {shared.use.PT_TABLE}({name});")
    lines += ["    (void)n;", "    (void)memory;", "    return used;", "}", ""]
    orders = f"/* The indices on the axes of kept entries, see pt_copy. */\n{shared.tables()}\n"
    return [*(_packing(*item) for item in packings), orders, "\n".join(lines)]


def _head(program: Program, name: str, activation: str) -> str:
    shape = (
        "Tensors have one index for each slot, over the inputs; entries that are equal by symmetry are stored once."
        if program.inputs == "many"
        else "Every slot carries the same input: tensors hold one value for each input."
    )
    averages = f"Built-in Gaussian averages: {activation}." if activation else "Gaussian averages: by callback."
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
