"""Copies of operands: nested loops that read a block of a packed array in the order in which it lies in memory.

A result is computed in blocks of its entries. An operand whose rows lie across those of the result is copied for a block
first. Its kept entries have their axes in one of several orders, according to which index is larger; each order that
occurs among the entries of the result is a loop nest of its own, over the part of the block that has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pertheory.emit.c.frame import letters
from pertheory.kernels.packing import Packing, bounds, needed_orders


def print_copy(name: str, own: Packing, axes: tuple[int, ...], result: Packing) -> str:
    """A function that copies the part of an operand that a block of a result needs.

    Args:
        name: of the function.
        own: the packing of the operand.
        axes: which index of the result stands on each axis of the operand; all of them, each once.
        result: the packing of the result.
    """
    below = bounds(result)
    indices = letters(range(result.rank))
    lines = [
        f"static void {name}(const double *array, size_t *const *rows, size_t n, const size_t *from, const size_t *to,",
        "    const size_t *stride, double *out)",
        "{",
        *(f"    const size_t from_{x} = from[{k}], to_{x} = to[{k}], step_{x} = stride[{k}];" for k, x in enumerate(indices)),
        f"    out -= {' + '.join(f'from_{x} * step_{x}' for x in indices)};",
    ]
    for order in needed_orders(own, axes, result):
        lines += ["    " + line for line in _nest(own, order, below)]
    if own.is_dense:
        lines.append("    (void)rows;")
    else:
        lines.append("    (void)n;")
    return "\n".join([*lines, "}"]) + "\n"


def _nest(own: Packing, order: Sequence[int], below: Sequence[set[int]]) -> list[str]:
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
                low = f"pt_most({low}, {y})"
            if other in below[axis]:
                high = f"pt_least({high}, {y} + 1)"
        start = ""
        if depth > 0 and own.is_dense:
            start = f"{place} * n"
        elif depth > 0:
            start = f"start_{x}"
            lines.append(f"{pad}const size_t start_{x} = rows[{depth - 1}][{place}];")
            high = f"pt_least({high}, rows[{depth - 1}][{place} + 1] - start_{x})"
        lines.append(f"{pad}const size_t low_{x} = {low}, high_{x} = {high};")
        if depth == rank - 1:
            lines.append(f"{pad}const double *const source = array + {start};")
            lines.append(f"{pad}double *const target = out + {target};")
            step = "" if axis == rank - 1 else f" * step_{x}"
            lines += [
                f"{pad}for (size_t {x} = low_{x}; {x} < high_{x}; {x}++)",
                f"{pad}    target[{x}{step}] = source[{x}];",
            ]
            break
        if depth == rank - 2:
            z = letters(order[-1:])
            row = f"({start} + {x}) * n" if own.is_dense else f"rows[{depth}][{start + ' + ' if start else ''}{x}]"
            lines += [
                f"{pad}for (size_t {x} = low_{x}; {x} < high_{x}; {x}++)",
                f"{pad}    PT_PREFETCH(array + {row} + from_{z});",
            ]
        lines.append(f"{pad}for (size_t {x} = low_{x}; {x} < high_{x}; {x}++) {{")
        pad += "    "
        if depth == 0:
            place = x
        else:
            lines.append(f"{pad}const size_t place_{x} = {start} + {x};")
            place = f"place_{x}"
        target = f"{target} + {x} * step_{x}" if target else f"{x} * step_{x}"
    while pad:
        pad = pad[:-4]
        lines.append(pad + "}")
    return ["{", *("    " + line for line in lines), "}"]
