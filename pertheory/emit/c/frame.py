"""Where the arrays of a level are: what the C code of one sublayer keeps in its workspace, and under which names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pertheory.emit.c.support import Support
from pertheory.kernels.language import Level, Operand, Program
from pertheory.kernels.packing import Packing, needed_orders, packing_of, packing_of_classes
from pertheory.rulebook.names import checked, local_names

LETTERS = "abcdefghijklmnop"
#: Words of C (the later standards' too), names that compilers define, and what the functions of a file call their own.
_WORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int
long register restrict return short signed sizeof static struct switch typedef union unsigned void
volatile while alignas alignof asm bool constexpr false nullptr static_assert thread_local true typeof typeof_unqual
linux unix i386 sun mips hpux vax sparc arm math_errhandling
at count first from n out row result ratio size slots stride tables tiles to w
"""
RESERVED = frozenset(_WORDS.split())
#: Families of names in an emitted file. A name in capitals is how C spells macros (C_W stays as it is); a letter is an
#: index, a capital with a _ the start of a block.
_FAMILIES = re.compile(
    r"[a-z]|[A-Z]_|I|M_.*|(?![A-Z]_[A-Z]\d*$)[A-Z][A-Z0-9_]*[A-Z][A-Z0-9_]*|.*_(row|tile)|"
    r"(pt|k|avg|sum|first|count|end|row|from|to|step|copy|orders|classes|like|state|level|symmetry|omp)_.*",
    re.ASCII,
)


class View(NamedTuple):
    """A dense copy of an array with given axes: ``view[a][b] = array[a, a, b, b]`` has the axes (0, 0, 1, 1)."""

    array: str
    axes: tuple[int, ...]

    @property
    def rank(self) -> int:
        """Number of its own axes."""
        return len(set(self.axes))

    @property
    def name(self) -> str:
        """As the array with letters for the axes: V_aabb."""
        return f"{self.array}_{letters(self.axes)}"


def letters(axes: Iterable[int]) -> str:
    """The axes as loop indices."""
    return "".join(LETTERS[axis] for axis in axes)


class State(NamedTuple):
    """A state in C: the packings of its tensors, and the place of each by its key."""

    packings: str
    places: dict[str, int]

    @staticmethod
    def after(program: Program, number: int) -> State:
        """The one that a sublayer makes; that of the last one is also below the first."""
        number %= len(program.levels)
        kernels = program.levels[number].kernels
        return State(f"state_{number}", {kernel.key: place for place, kernel in enumerate(kernels)})

    def size(self, n: str) -> str:
        """Doubles for n inputs."""
        return f"pt_state_size({self.packings}, {len(self.places)}, {n})"

    def start(self, key: str, n: str) -> str:
        """Where a tensor starts."""
        return f"pt_state_size({self.packings}, {self.places[key]}, {n})"

    def entries(self, key: str, n: str) -> str:
        """Doubles of a tensor."""
        return f"pt_entries({self.packings}[{self.places[key]}], {n})"


class Shared:
    """What the functions of a file share: it hands out names, and what was named is written before the functions.

    Attributes:
        use: pieces of support code.
        copies: functions that copy operands, by their arguments of `copy`.
    """

    def __init__(self) -> None:
        self.use = Support()
        self.copies: dict[tuple[Packing, tuple[int, ...], Packing], str] = {}
        self._names: dict[Packing, str] = {}
        self._called: set[Packing] = set()
        self._orders: dict[tuple[tuple[int, ...], ...], str] = {}

    def orders(self, packing: Packing, axes: tuple[int, ...], result: Packing) -> tuple[str, int]:
        """The name and the length of the table by which `pt_copy` reads an array with given indices on its axes."""
        table = tuple(needed_orders(packing, axes, result))
        return self._orders.setdefault(table, f"orders_{len(self._orders)}"), len(table)

    def copy(self, own: Packing, axes: tuple[int, ...], result: Packing) -> str:
        """The name of the function that copies an operand for a block of a result."""
        return self.copies.setdefault((own, axes, result), f"copy_{len(self.copies)}")

    def tables(self) -> str:
        """The tables of all orders."""
        lines = []
        for table, name in self._orders.items():
            rows = ",\n    ".join(", ".join(str(axis) for axis in order) for order in table)
            lines.append(f"static const unsigned char {name}[] = {{\n    {rows}}};")
        return "\n".join(lines)

    def meet(self, packing: Packing, like: str) -> str:
        """As `name`, for an array that may turn out to be read without its packing."""
        known = "_".join(str(size) for size in packing.classes)
        return self._names.setdefault(packing, f"classes_{known}" if known else f"like_{like}")

    def name(self, packing: Packing, like: str) -> str:
        """The name of a packing; ``like`` names the array that needs it, in case it is new."""
        self._called.add(packing)
        return self.meet(packing, like)

    def packings(self) -> list[tuple[Packing, str]]:
        """Those that are called, and all that have tables of offsets, in the order in which they came up."""
        return [item for item in self._names.items() if item[0] in self._called or not item[0].is_dense]


class Frame:
    """The arrays of one level.

    Attributes:
        number: of the level.
        level: what is printed.
        shared: what all levels of the file share.
        source: the state that is read.
        result: the state that is made.
        below: the tensors of the level below that are read, by name.
        views: all views that are needed.
        temporaries: by name.
        copies: for functions that copy operands for a block of entries, the rank of the result and how many.
    """

    def __init__(self, program: Program, number: int, shared: Shared) -> None:
        self.number = number
        self.level: Level = program.levels[number]
        self.shared = shared
        self.source = State.after(program, number - 1)
        self.result = State.after(program, number)
        self.below = {t.name: t for kernel in self.level.kernels for t in kernel.below}
        self.temporaries = {t.name: t for t in self.level.temporaries}
        self.views: dict[View, None] = {}
        self.copies: tuple[tuple[int, int], ...] = ()
        self._averages = {a.name: a for a in self.level.averages}
        arrays = [checked(name) for name in (*self.below, *self._averages, *self.temporaries)]
        array = re.compile(rf"({'|'.join(arrays or ['-'])})(_[{LETTERS}]+)?")  # itself, or one of its views
        self.symbols = local_names(
            (name for name, _ in program.hyperparameters), lambda s: is_taken(s) or array.fullmatch(s) is not None
        )
        for name in (*sorted(self.below), *self._averages):
            shared.meet(self.packing(name), name)

    def packing(self, array: str) -> Packing:
        """How an array is stored; temporaries are dense."""
        if array in self.below:
            return packing_of(self.below[array].symmetry)
        if array in self._averages:
            return packing_of_classes(self._averages[array].classes)
        return packing_of_classes((1,) * self.temporaries[array].rank)

    def packing_name(self, array: str) -> str:
        """The name of the packing of an array in the C code."""
        return self.shared.name(self.packing(array), array)

    def view(self, operand: Operand) -> View | None:
        """The view through which an operand is read; None if its array is dense and has these axes already."""
        order = {axis: number for number, axis in enumerate(sorted(set(operand.axes)))}
        view = View(operand.array, tuple(order[axis] for axis in operand.axes))
        if view.axes == tuple(range(len(view.axes))) and self.packing(operand.array).is_dense:
            return None
        self.views[view] = None
        return view


def is_taken(name: str) -> bool:
    """Whether a name means something else in C, or in the functions of an emitted file."""
    return name in RESERVED or _FAMILIES.fullmatch(name) is not None
