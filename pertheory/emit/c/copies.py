"""Copies of operands: nested loops that read a block of a packed array in the order in which it lies in memory.

A result is computed in blocks of its entries. An operand whose rows lie across those of the result is copied for a
block first. Its kept entries have their axes in one of several orders, according to which index is larger; each order
that occurs among the entries of the result is a loop nest of its own, over the part of the block that has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pertheory.emit.c.frame import letters
from pertheory.emit.c.support import Support
from pertheory.kernels.packing import Packing, bounds, needed_orders


def print_copy(name: str, own: Packing, axes: tuple[int, ...], result: Packing, use: Support) -> str:
    """A function that copies the part of an operand that a block of a result needs.

    Args:
        name: of the function.
        own: the packing of the operand.
        axes: which index of the result stands on each axis of the operand; all of them, each once.
        result: the packing of the result.
        use: for the pieces of support code that it calls.
    """
    below = bounds(result)
    indices = letters(range(result.rank))
    lines = [
        f"static void {name}(const double *array, size_t *const *rows, size_t n, const size_t *from, const size_t *to,",
        "    const size_t *stride, double *out)",
        "{",
        *(f"    const size_t from_{x} = from[{k}], to_{x} = to[{k}];" for k, x in enumerate(indices)),
        *(f"    const size_t step_{x} = stride[{k}];" for k, x in enumerate(indices[:-1])),
    ]
    for order in needed_orders(own, axes, result):
        lines += ["    " + line for line in _nest(own, order, below, use)]
    if own.is_dense:
        lines.append("    (void)rows;")
    else:
        lines.append("    (void)n;")
    return "\n".join([*lines, "}"]) + "\n"


def _nest(own: Packing, order: Sequence[int], below: Sequence[set[int]], use: Support) -> list[str]:
    lines: list[str] = []
    pad = ""
    rank = len(order)
    place = target = ""
    for depth, axis in enumerate(order):
        x = letters((axis,))
        done = order[:depth]
        low = f"from_{x}"
        high = f"to_{x}"
        for other in done:
            y = letters((other,))
            if axis in below[other]:
                low = f"{use.pt_most}({low}, {y})"
            if other in below[axis]:
                high = f"{use.pt_least}({high}, {y} + 1)"
        start = ""
        if depth > 0 and own.is_dense:
            start = f"{place} * n"
        elif depth > 0:
            start = f"start_{x}"
            lines.append(f"{pad}const size_t start_{x} = rows[{depth - 1}][{place}];")
            high = f"{use.pt_least}({high}, rows[{depth - 1}][{place} + 1] - start_{x})"
        lines.append(f"{pad}const size_t low_{x} = {low}, high_{x} = {high};")
        if depth == rank - 1:
            lines.append(f"{pad}const double *const source = array + {start};")
            lines.append(f"{pad}double *const target = out + {target};")
            step = f"{x} - from_{x}" if axis == rank - 1 else f"({x} - from_{x}) * step_{x}"
            lines += [
                f"{pad}for (size_t {x} = low_{x}; {x} < high_{x}; {x}++)",
                f"{pad}    target[{step}] = source[{x}];",
            ]
            break
        if depth == rank - 2:
            lines += [pad + line for line in _prefetch(own, order, use)]
        lines.append(f"{pad}for (size_t {x} = low_{x}; {x} < high_{x}; {x}++) {{")
        pad += "    "
        if depth == 0:
            place = x
        else:
            lines.append(f"{pad}const size_t place_{x} = {start} + {x};")
            place = f"place_{x}"
        part = f"({x} - from_{x})" if axis == rank - 1 else f"({x} - from_{x}) * step_{x}"
        target = f"{target} + {part}" if target else part
    while pad:
        pad = pad[:-4]
        lines.append(pad + "}")
    return ["{", *("    " + line for line in lines), "}"]


def _prefetch(own: Packing, order: Sequence[int], use: Support) -> list[str]:
    """Asks for the rows that the next step of the last loop but two reads, while those of this step are copied."""
    before, x, last = (letters((axis,)) for axis in order[-3:])
    depth = len(order) - 3
    place = f"place_{before}" if depth > 0 else before
    if own.is_dense:
        head = [f"    const size_t next = ({place} + 1) * n, stop = high_{x};"]
        row, end = f"(next + {x}) * n", f"(next + {x} + 1) * n"
    else:
        head = [
            f"    const size_t next = rows[{depth}][{place} + 1];",
            f"    const size_t stop = {use.pt_least}(high_{x}, rows[{depth}][{place} + 2] - next);",
        ]
        row, end = f"rows[{depth + 1}][next + {x}]", f"rows[{depth + 1}][next + {x} + 1]"
    return [
        f"if ({before} + 1 < high_{before}) {{",
        *head,
        f"    for (size_t {x} = low_{x}; {x} < stop; {x}++) {{",
        f"        const size_t last = {use.pt_least}({row} + to_{last}, {end}) - 1;",
        f"        {use.PT_PREFETCH}(array + {use.pt_least}({row} + from_{last}, last));",
        f"        {use.PT_PREFETCH}(array + last);",
        "    }",
        "}",
    ]
