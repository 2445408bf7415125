"""Loops: a sum of products as C statements, with everything computed in the outermost loop in which it can be.

The last index runs innermost, over entries that are neighbours in memory. What does not depend on it becomes a named
constant in the loop where its value is known; a row of an operand is reached through a pointer that is set in the loop
around the innermost one, or, if rows do not lie in memory in this order, copied for a block of entries at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from pertheory.emit.c.frame import Frame, View, letters
from pertheory.kernels.language import Operand, Product, Sum, fresh_name
from pertheory.kernels.packing import Packing, aligned


class Value(NamedTuple):
    """A C expression, the loop (from 0; -1 outside all) in which its value is known, and a name for it."""

    text: str
    loop: int
    label: str
    negative: bool = False


class Nest:
    """The loops over the entries of one array, and what is computed in each.

    Attributes:
        rank: number of loops.
        lines: statements at the head of each loop body; [0] stands before all loops.
        needs: the views and temporaries that are read.
        tiles: statements that copy the operands of the entries that are computed together.
        buffers: how many operands are copied.
    """

    def __init__(self, frame: Frame, rank: int, packing: Packing, buffered: bool = True) -> None:
        self.frame = frame
        self.rank = rank
        self.packing = packing
        self.buffered = buffered
        self.lines: list[list[str]] = [[] for _ in range(rank)]
        self.tiles: list[str] = []
        self.needs: dict[View | str, None] = {}
        self.arrays: dict[str, str] = {}  # C name -> what it points to
        self.symbols: dict[str, None] = {}
        self.uses_ratio = False
        self.buffers = 0
        self._named: dict[tuple[str, int], str] = {}
        self._names: set[str] = set()

    # ---- values

    def sum(self, products: Sequence[Product]) -> Value:
        """A sum; parts that are known in an outer loop are added there."""
        values = [self.product(product) for product in products]
        loop = max((value.loop for value in values), default=-1)
        text = ""
        for level in range(-1, loop + 1):
            own = [value for value in values if value.loop == level]
            if not own:
                continue
            if text:
                text = self._hoist(Value(text, level - 1, "sum"), level - 1)
            for value in own:
                text += (
                    f" {'-' if value.negative else '+'} {value.text}" if text else ("-" * value.negative + value.text)
                )
        label = "_and_".join(dict.fromkeys(value.label for value in values[:2] if value.label)) or "sum"
        return Value(text or "0.0", loop, label)

    def product(self, product: Product) -> Value:
        """A product; factors that are known in an outer loop are multiplied there."""
        factors = [self._load(o) if isinstance(o, Operand) else self._bracket(o) for o in product.operands]
        scalar = self._scalar(product)
        if scalar is not None:
            factors.insert(0, scalar)
        loop = max(value.loop for value in factors)
        done: Value | None = None
        for level in range(-1, loop + 1):
            own = [value for value in factors if value.loop == level]
            if not own:
                continue
            if done is not None:
                own.insert(0, Value(self._hoist(done, done.loop), done.loop, done.label))
            label = "_".join([value.label for value in own if value.label][:2])
            done = Value(" * ".join(value.text for value in own), level, label)
        assert done is not None
        return done._replace(negative=product.coefficient < 0)

    def _bracket(self, bracket: Sum) -> Value:
        value = self.sum(bracket.products)
        if value.loop < self.rank - 1:
            return Value(self._hoist(value, value.loop), value.loop, value.label)
        return value._replace(text=f"({value.text})")

    def _scalar(self, product: Product) -> Value | None:
        """Coefficient, hyperparameters and width ratio."""
        size = abs(product.coefficient)
        parts = (
            [] if size == 1 and (product.operands or product.couplings or product.width_power) else [number_text(size)]
        )
        label = []
        for name, power in product.couplings:
            symbol = self.frame.symbols[name]
            self.symbols[name] = None
            parts += [symbol] * power
            label.append(symbol + (str(power) if power > 1 else ""))
        if product.width_power:
            self.uses_ratio = True
            parts += ["ratio"] * product.width_power
            label.append("ratio" + (str(product.width_power) if product.width_power > 1 else ""))
        return Value(" * ".join(parts), -1, "_".join(label)) if parts else None

    def _hoist(self, value: Value, loop: int) -> str:
        """The name of a constant that is set in an outer loop."""
        if value.text.isidentifier() or value.text in ("0.0", "1.0"):
            return value.text
        key = (value.text, loop)
        if key not in self._named:
            name = self._name(value.label or "factor")
            self._named[key] = name
            self.lines[loop + 1].append(f"const double {name} = {value.text};")
        return self._named[key]

    def _name(self, label: str) -> str:
        return fresh_name(f"k_{label}"[:60], self._names)

    # ---- operands

    def _load(self, operand: Operand) -> Value:
        """An entry of an operand."""
        loop = max(operand.axes)
        label = f"{operand.array.removeprefix('avg_')}_{letters(operand.axes)}"
        axes = sorted(set(operand.axes))
        row = self._row(operand) if loop == self.rank - 1 else None
        if row is not None:
            return Value(f"{row}[{letters((loop,))}]", loop, label)
        view = self.frame.view(operand)
        if view is None:
            base = self._array(operand.array)
        else:
            self.needs[view] = None
            base = self._array(view.name)
        if loop < self.rank - 1:
            return Value(f"{base}[{place_of(axes)}]", loop, label)
        if len(axes) == 1:
            return Value(f"{base}[{letters(axes)}]", loop, label)
        row = self._pointer(f"{operand.array}_{letters(operand.axes)}", f"{base} + {place_of(axes[:-1], True)}")
        return Value(f"{row}[{letters(axes[-1:])}]", loop, label)

    def _row(self, operand: Operand) -> str | None:
        """A pointer to the row of an operand that has all axes of the result; None if a dense copy of all serves it."""
        frame, own = self.frame, self.frame.packing(operand.array)
        name = f"{operand.array}_{letters(operand.axes)}"
        distinct = len(set(operand.axes))
        if not self.buffered or distinct < self.rank:
            return None
        if distinct == len(operand.axes):
            axes = aligned(self.packing, own, operand.axes)
            if axes is not None:
                base = self._array(operand.array)
                return (
                    base if self.rank == 1 else self._pointer(name, f"{base} + {self._start(operand.array, own, axes)}")
                )
        if self.rank < 3 or (distinct < len(operand.axes) and distinct < 4):
            return None
        pointer = f"{name}_tile"
        if pointer not in self.arrays:
            self.arrays[pointer] = ""
            number, self.buffers = self.buffers, self.buffers + 1
            base, packing = self._array(operand.array), frame.packing_name(operand.array)
            self.tiles.append(f"double *const {pointer} = tiles + {number} * size;")
            if self.rank == len(operand.axes) == 4:
                copy = frame.shared.copy(own, operand.axes, self.packing)
                self.tiles.append(f"{copy}({base}, w->tables->{packing}, n, from, to, stride, {pointer});")
            else:
                table, ways = frame.shared.orders(own, operand.axes, self.packing)
                call = f"{frame.shared.use.pt_copy}(&{packing}, w->tables->{packing}, {base}, {table}, {ways}"
                self.tiles += [f"{call}, n, from, to, stride,", f"    {pointer});"]
        return self._pointer(name, f"{pointer} + at")

    def _start(self, array: str, own: Packing, axes: Sequence[int]) -> str:
        """Where the row of an aligned operand starts."""
        if own == self.packing and tuple(axes) == tuple(range(self.rank)):
            return "first"
        if own.is_dense:
            return place_of(axes[:-1], True)
        place = letters(axes[:1])
        for number, axis in enumerate(axes[1:-1]):
            place = f"w->tables->{self.frame.packing_name(array)}[{number}][{place}] + {letters((axis,))}"
        return f"w->tables->{self.frame.packing_name(array)}[{len(axes) - 2}][{place}]"

    def _pointer(self, name: str, text: str) -> str:
        pointer = f"{name}_row"
        if pointer not in self.arrays:
            self.arrays[pointer] = ""
            self.lines[self.rank - 1].append(f"const double *const {pointer} = {text};")
        return pointer

    def _array(self, name: str) -> str:
        """A local name for an array of the frame."""
        if name not in self.arrays:
            self.arrays[name] = f"w->{name}"
            if name in self.frame.temporaries:
                self.needs[name] = None
        return name


def place_of(axes: Sequence[int], row: bool = False) -> str:
    """The place of an entry of a dense array; of the start of a row if only the leading indices are given."""
    text = inner = letters(axes[:1])
    for axis in axes[1:]:
        text = f"{inner} * n + {letters((axis,))}"
        inner = f"({text})"
    return f"{inner} * n" if row else text


def number_text(value: Fraction) -> str:
    """A rational number as a C expression."""
    if value.denominator == 1:
        return f"{value.numerator}.0"
    if value.denominator & (value.denominator - 1) == 0:
        return repr(float(value))
    return f"({value.numerator}.0 / {value.denominator}.0)"
