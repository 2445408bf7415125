"""C functions of one level: temporaries, recursions, and what has to be filled before each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from textwrap import wrap
from typing import NamedTuple

from pertheory.emit.c.frame import Frame, View, letters
from pertheory.emit.c.loops import Nest, place_of
from pertheory.emit.c.support import Support
from pertheory.emit.quoting import c_comment
from pertheory.kernels.language import Case, Kernel, Product, Sum, Temporary, renamed
from pertheory.kernels.packing import Packing, largest, packing_of, packing_of_classes


class Function(NamedTuple):
    """A static function.

    Attributes:
        name: in C.
        text: the definition.
        needs: the views and temporaries that must have been filled.
        rank: of the result.
        buffers: operands that it copies for a block of entries.
    """

    name: str
    text: str
    needs: tuple[View | str, ...]
    rank: int
    buffers: int


def temporary(frame: Frame, item: Temporary) -> Function:
    """Fills a temporary."""
    packing = packing_of_classes((1,) * item.rank)
    nest = Nest(frame, item.rank, packing)
    body = _loops(nest, packing, item.products, f"w->{item.name}")
    name = f"fill_{item.name}_{frame.number}"
    what = " ".join(f"{item.name}[{letters(range(item.rank))}] = {formula(item.products)}".split())
    lines = wrap(c_comment(what), 112, break_long_words=False, break_on_hyphens=False)
    text = "/* " + "\n *   ".join(lines) + " */\n"
    text += _function(frame, [nest], name, f"struct level_{frame.number} *w", body)
    return Function(name, text, tuple(nest.needs), item.rank, nest.buffers)


def recursion(frame: Frame, kernel: Kernel, one: bool) -> Function:
    """Computes the kept entries of one T{k} a layer up."""
    packing = packing_of(kernel.symmetry)
    nests: list[Nest] = []
    body: list[str] = []
    for number, case in enumerate(kernel.cases):
        axes = sorted(set(case.pattern))
        if (number == 0 and len(axes) == kernel.rank) or one:
            nests.append(Nest(frame, kernel.rank, packing))
            body += _loops(nests[-1], packing, case.products, "out")
        elif _is_kept_pattern(packing, case.pattern):
            nests.append(Nest(frame, len(axes), packing_of_classes((1,) * len(axes)), buffered=False))
            body += _case(nests[-1], packing, frame.shared.name(packing, kernel.function), case, axes)
    name = f"recursion_{kernel.function}_{frame.number}"
    head = f"/* {c_comment(kernel.key)}, {c_comment(kernel.title)}, one layer up:\n *\n"
    head += "".join(f" *   {c_comment(line)}\n" for line in kernel.formula.splitlines()) + " */\n"
    text = head + _function(frame, nests, name, f"const struct level_{frame.number} *w, double *restrict out", body)
    needs = tuple(dict.fromkeys(need for nest in nests for need in nest.needs))
    return Function(name, text, needs, kernel.rank, max((nest.buffers for nest in nests), default=0))


def _is_kept_pattern(packing: Packing, pattern: Sequence[int]) -> bool:
    """Whether some kept entry has exactly these slots at one input."""
    axes = sorted(set(pattern))
    for values in permutations(range(len(axes))):
        value = dict(zip(axes, values, strict=True))
        index = tuple(value[first] for first in pattern)
        if largest(packing, index) == index:
            return True
    return False


def _function(frame: Frame, nests: Sequence[Nest], name: str, arguments: str, body: Iterable[str]) -> str:
    lines = [f"static void {name}({arguments})", "{", "    const size_t n = w->n;"]
    lines += [
        f"    const double {local} = w->p[{number}];"
        for number, (symbol, local) in enumerate(frame.symbols.items())
        if any(symbol in nest.symbols for nest in nests)
    ]
    if any(nest.uses_ratio for nest in nests):
        lines.append("    const double ratio = w->ratio;")
    arrays = dict(item for nest in nests for item in nest.arrays.items())
    lines += [f"    const double *const {array} = {where};" for array, where in arrays.items() if where]
    lines += [line if not line or line.startswith("#") else "    " + line for line in body]
    return "\n".join([*lines, "}"]) + "\n"


def _loops(nest: Nest, packing: Packing, products: Sequence[Product], out: str) -> list[str]:
    """All entries, those of a row by the innermost loop."""
    rank, last = nest.rank, nest.rank - 1
    value = nest.sum(products)
    inner = ("-" if value.negative else "") + value.text
    use = nest.frame.shared.use
    lines = list(nest.lines[0])
    lines.append(f"double *const result = {out};")
    if rank > 1:
        like = nest.frame.shared.name(packing, out)
        condition = f"pt_entries(&{like}, n) > {use.PT_PARALLEL}"
        lines += [
            "#ifdef _OPENMP",
            f"#pragma omp parallel for schedule(dynamic) num_threads({use.pt_team}()) if ({condition})",
            "#endif",
        ]
    pad = ""
    before = ""  # number of the beginning that is given by the loops so far
    blocked = bool(nest.buffers)
    if blocked:
        for loop, block in enumerate(_blocks(rank)):
            lines.append(f"{pad}for (size_t {block} = 0; {block} < n; {block} += {_step(use, loop, rank)}) {{")
            pad += "    "
        lines += [pad + line for line in _tile(nest, packing, like)]
    for loop in range(last):
        letter = letters((loop,))
        limit = "n"
        if not packing.is_dense and loop > 0:
            row, limit = f"w->tables->{like}[{loop - 1}]", f"count_{letter}"
            lines += [
                f"{pad}const size_t first_{letter} = {row}[{before}];",
                f"{pad}const size_t {limit} = {row}[{before} + 1] - first_{letter};",
            ]
        start = "0"
        if blocked:
            start = _blocks(rank)[loop]
            if limit != "n":
                lines.append(f"{pad}const size_t end_{letter} = {use.pt_least}(to[{loop}], {limit});")
            limit = f"end_{letter}" if limit != "n" else f"to[{loop}]"
        lines.append(f"{pad}for (size_t {letter} = {start}; {letter} < {limit}; {letter}++) {{")
        pad += "    "
        if loop == 0:
            before = letter
        elif not packing.is_dense:
            lines.append(f"{pad}const size_t row_{letter} = first_{letter} + {letter};")
            before = f"row_{letter}"
        if loop < last - 1:
            lines += [pad + line for line in nest.lines[loop + 1]]
    letter = letters((last,))
    if last > 0:
        if packing.is_dense:
            lines += [f"{pad}const size_t first = {place_of(range(last), True)}, count = n;"]
        else:
            row = f"w->tables->{like}[{last - 1}]"
            lines.append(f"{pad}const size_t first = {row}[{before}], count = {row}[{before} + 1] - first;")
        if blocked:
            place = " + ".join(f"({letters((k,))} - {b}) * stride[{k}]" for k, b in enumerate(_blocks(rank)))
            lines.append(f"{pad}const size_t at = {place};")
        lines += [pad + line for line in nest.lines[last]]
        lines.append(f"{pad}double *restrict const row = result + first;")
        lines += [
            f"{pad}for (size_t {letter} = 0; {letter} < count; {letter}++)",
            f"{pad}    row[{letter}] = {inner};",
        ]
    else:
        lines += [f"{pad}for (size_t {letter} = 0; {letter} < n; {letter}++)", f"{pad}    result[{letter}] = {inner};"]
    while pad:
        pad = pad[:-4]
        lines.append(pad + "}")
    return ["{", *("    " + line if line and not line.startswith("#") else line for line in lines), "}"]


def _blocks(rank: int) -> list[str]:
    """The loops over blocks, which begin at these indices; the innermost loop is not divided."""
    return [letters((loop,)).upper() + "_" for loop in range(rank - 1)]


def _step(use: Support, loop: int, rank: int) -> str:
    """How long the blocks of a loop are."""
    return use.PT_BLOCK if loop >= rank - 3 else use.PT_OUTER if loop == rank - 4 else "1"


def _tile(nest: Nest, packing: Packing, like: str) -> list[str]:
    """Copies the operands that are read across their rows, for the entries of a block."""
    rank, blocks, use = nest.rank, _blocks(nest.rank), nest.frame.shared.use
    steps = [_step(use, loop, rank) for loop in range(rank - 1)]
    ends = [f"{use.pt_least}({block} + {step}, n)" for block, step in zip(blocks, steps, strict=True)]
    strides = ["1", "pt_padded(n)"]
    for step in reversed(steps[1:]):
        strides.append(f"{strides[-1]} * {use.pt_least}({step}, n)" if step != "1" else strides[-1])
    return [
        f"const size_t from[] = {{{', '.join(blocks)}, 0}};",
        f"size_t to[] = {{{', '.join(ends)}, n}};",
        f"const size_t stride[] = {{{', '.join(reversed(strides))}}};",
        f"double *const tiles = w->tiles + (size_t){use.pt_thread}() * w->tiles_size;",
        f"const size_t size = {use.pt_tile}(n, {rank});",
        *([] if packing.is_dense else [
            f"to[{rank - 1}] = {use.pt_reach}(&{like}, w->tables->{like}, n, from, to, {rank - 1}, 0, 0);",
            f"if (to[{rank - 1}] == 0)",
            "    continue;",
        ]),
        *nest.tiles,
    ]  # fmt: skip


def _case(nest: Nest, packing: Packing, like: str, case: Case, axes: Sequence[int]) -> list[str]:
    """The entries in which certain slots carry the same input, and no others."""
    number = {axis: place for place, axis in enumerate(axes)}
    products = [renamed(product, number) for product in case.products]
    value = nest.sum(products)
    inner = ("-" if value.negative else "") + value.text
    use = nest.frame.shared.use
    slots = ", ".join(letters((number[first],)) for first in case.pattern)
    lines = [f"/* entries {slots}: equal letters carry the same input */", *nest.lines[0]]
    pad = ""
    for loop in range(nest.rank):
        letter = letters((loop,))
        lines.append(f"{pad}for (size_t {letter} = 0; {letter} < n; {letter}++) {{")
        pad += "    "
        if loop == nest.rank - 1:
            lines.append(f"{pad}const size_t slots[] = {{{slots}}};")
            keep = "" if packing.is_dense else f"!{use.pt_is_kept}(&{like}, slots)"
        differ = " || ".join(f"{letter} == {other}" for other in letters(range(loop)))
        if loop == nest.rank - 1:
            skip = " || ".join(part for part in (differ, keep) if part)
            if skip:
                lines += [f"{pad}if ({skip})", f"{pad}    continue;"]
            lines.append(f"{pad}out[{use.pt_place}(&{like}, w->tables->{like}, n, slots)] = {inner};")
        else:
            if differ:
                lines += [f"{pad}if ({differ})", f"{pad}    continue;"]
            lines += [pad + line for line in nest.lines[loop + 1]]
    for _ in range(nest.rank):
        pad = pad[:-4]
        lines.append(pad + "}")
    return ["{", *("    " + line for line in lines), "}"]


def formula(products: Sequence[Product]) -> str:
    """A sum of products for people."""
    parts = []
    for product in products:
        factors = [] if abs(product.coefficient) == 1 and product.operands else [str(abs(product.coefficient))]
        factors += [name if power == 1 else f"{name}^{power}" for name, power in product.couplings]
        factors += ["ratio" if product.width_power == 1 else f"ratio^{product.width_power}"] * (product.width_power > 0)
        for operand in product.operands:
            if isinstance(operand, Sum):
                factors.append(f"({formula(operand.products)})")
            else:
                factors.append(f"{operand.array}[{letters(operand.axes)}]")
        parts.append(("- " if product.coefficient < 0 else "+ ") + " ".join(factors))
    return " ".join(parts).removeprefix("+ ")
