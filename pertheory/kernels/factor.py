"""Factoring: common factors are taken out of sums, and sums of fewer samples become shared temporaries.

Two moves, on the products of each case of each kernel:

collect   what depends on few samples only is summed first: with M(3,4) = lambda <s_3 s_4> + C H(3,4) <s'_3 s'_4>, the
          products of D that differ in nothing else become one product with M.
take out  an array that several products share is taken out in front of a bracket, the one that saves most first.

A sum that depends on fewer samples than the result, from either move, becomes a `Temporary` of the level, shared by all
kernels, whatever they call its samples and up to a scale. The value is the same as without factoring, up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, permutations
from typing import NamedTuple

from pertheory.algebra.monomial import Powers, multiply_powers
from pertheory.kernels.language import (
    Case,
    Kernel,
    Level,
    Operand,
    Product,
    Program,
    Sum,
    Symmetry,
    Temporary,
    alike,
    axes_of,
    fresh_name,
    operands_of,
    renamed,
)

#: The number of inputs at which costs are compared.
TYPICAL_INPUTS = 16
#: Axes that a temporary may have; more would take more memory than the tensors.
MOST_AXES = 3


class Scale(NamedTuple):
    """A factor that several products have in common."""

    coefficient: Fraction
    couplings: Powers
    width_power: int


def factor(program: Program) -> Program:
    """The program with common factors taken out."""
    return program._replace(levels=tuple(_level(level) for level in program.levels))


def _level(level: Level) -> Level:
    symmetries: dict[str, Symmetry] = {t.name: t.symmetry for kernel in level.kernels for t in kernel.tensors}
    table = _Table(symmetries, {a.name: a.classes for a in level.averages})
    kernels = [_kernel(kernel, table) for kernel in level.kernels]
    return level._replace(kernels=tuple(kernels), temporaries=tuple(table.made))


def _kernel(kernel: Kernel, table: _Table) -> Kernel:
    cases: list[Case] = []
    for case, like in zip(kernel.cases, alike([c.pattern for c in kernel.cases], kernel.symmetry), strict=True):
        if like is None:
            axes = tuple(sorted(set(case.pattern)))
            products = [table.normal(product) for product in case.products]
            done = _factored(_collected(products, axes, table), axes, table)
        else:
            named = [table.normal(renamed(product, like.names)) for product in cases[like.place].products]
            done = tuple(sorted(named, key=_standing))
        cases.append(case._replace(products=done))
    read = {operand.array for case in cases for operand in operands_of(case.products)}
    made = {temporary.name for temporary in table.made}
    return kernel._replace(
        cases=tuple(cases),
        tensors=tuple(t for t in kernel.tensors if t.name in read),
        averages=tuple(name for name in kernel.averages if name in read),
        temporaries=tuple(sorted(read & made)),
    )


@lru_cache(maxsize=100_000)
def _text(item: Operand | Sum | Product | tuple[object, ...]) -> str:
    """A fixed order for what cannot be compared."""
    return repr(tuple(item))


class _Table:
    """The temporaries of a level, each once whatever its axes are called."""

    def __init__(self, symmetries: Mapping[str, Symmetry], classes: Mapping[str, Sequence[int]]) -> None:
        self._symmetries = symmetries
        self._classes = classes
        self._known: dict[tuple[Product, ...], Operand] = {}
        self._standard: dict[Operand, Operand] = {}
        self._names: set[str] = set()
        self.made: list[Temporary] = []

    def normal(self, product: Product) -> Product:
        """Operands in a fixed order, the axes of each the smallest that its symmetry allows."""
        operands = [self._normal(operand) for operand in product.operands]
        if len(operands) > 1:
            operands.sort(key=_text)
        return Product(product.coefficient, product.couplings, product.width_power, tuple(operands))

    def _normal(self, operand: Operand | Sum) -> Operand | Sum:
        if isinstance(operand, Sum):
            return Sum(tuple(sorted([self.normal(p) for p in operand.products], key=_text)))
        found = self._standard.get(operand)
        if found is None:
            found = self._standard[operand] = operand._replace(axes=self._smallest(operand))
        return found

    def _smallest(self, operand: Operand) -> tuple[int, ...]:
        symmetry = self._symmetries.get(operand.array)
        if symmetry is not None:
            return min(tuple(operand.axes[g] for g in element) for element in symmetry)
        axes: list[int] = []
        for size in self._classes.get(operand.array, ()):
            axes += sorted(operand.axes[len(axes) : len(axes) + size])
        return tuple(axes) or operand.axes

    def operand(self, products: Sequence[Product]) -> Operand:
        """The temporary that holds a sum, as an operand with the axes of the sum."""
        axes = axes_of(products)
        forms = []
        for order in permutations(range(len(axes))):
            forms.append((order, self._renamed(products, dict(zip(axes, order, strict=True)))))
        for order, form in forms:
            if form in self._known:
                array = self._known[form].array
                place = dict(zip(order, axes, strict=True))
                return Operand(array, tuple(place[number] for number in range(len(axes))))
        _, form = forms[0]
        name = self._name(form)
        self.made.append(Temporary(name, len(axes), form))
        self._known[form] = Operand(name, tuple(range(len(axes))))
        return Operand(name, axes)

    def _renamed(self, products: Iterable[Product], names: Mapping[int, int]) -> tuple[Product, ...]:
        return tuple(sorted([self.normal(renamed(product, names)) for product in products], key=_text))

    def _name(self, products: Sequence[Product]) -> str:
        """What it holds: the arrays in it, tensors first."""
        arrays = dict.fromkeys(operand.array.removeprefix("sum_") for operand in operands_of(products))
        parts = sorted((name.removeprefix("avg_") for name in arrays), key=lambda part: (part[0] in "sdz", part))
        return fresh_name("sum_" + "_".join(parts[:3]), self._names)


def _scale(products: Sequence[Product]) -> tuple[Scale, list[Product]]:
    """What all products have in common of coefficients, hyperparameters and widths, and the products without it."""
    shared = dict(products[0].couplings)
    for product in products[1:]:
        own = dict(product.couplings)
        shared = {symbol: min(power, own[symbol]) for symbol, power in shared.items() if symbol in own}
    width = min(product.width_power for product in products)
    first = min(products, key=lambda p: (_text(p.operands), _text(p.couplings)))
    rest = []
    alone = first.coefficient == 1
    for product in products:
        powers = {symbol: power - shared.get(symbol, 0) for symbol, power in product.couplings}
        rest.append(
            Product(
                product.coefficient if alone else product.coefficient / first.coefficient,
                tuple(sorted((symbol, power) for symbol, power in powers.items() if power)),
                product.width_power - width,
                product.operands,
            )
        )
    return Scale(first.coefficient, tuple(sorted(shared.items())), width), rest


def _times(scale: Scale, operands: Iterable[Operand | Sum]) -> Product:
    return Product(scale.coefficient, scale.couplings, scale.width_power, tuple(operands))


def _collected(products: list[Product], axes: Sequence[int], table: _Table) -> list[Product]:
    """Sum over what depends on few samples only, as long as that leaves fewer products."""
    sizes = range(1, min(len(axes), MOST_AXES + 1))
    subsets = [sum(1 << axis for axis in chosen) for size in sizes for chosen in combinations(axes, size)]
    while True:
        saving = []
        for subset in subsets:
            saved = sum(len(group) - 1 for group in _alike_outside(products, subset))
            if saved:
                saving.append((-saved, subset))
        if not saving:
            return products
        for _, subset in sorted(saving):  # the one that saves most first; each may leave less for the next
            groups = [group for group in _alike_outside(products, subset) if len(group) > 1]
            replaced = {id(product) for group in groups for product in group}
            products = [product for product in products if id(product) not in replaced]
            for group in groups:
                outside = [o for o in group[0].operands if _mask(o) & ~subset]
                inside = [p._replace(operands=tuple(o for o in p.operands if not _mask(o) & ~subset)) for p in group]
                products.append(_shared(outside, inside, axes, table))


def _alike_outside(products: Iterable[Product], subset: int) -> list[list[Product]]:
    """Products with both arrays inside and outside a set of axes, grouped by those outside."""
    groups: dict[tuple[Operand | Sum, ...], list[Product]] = {}
    for product in products:
        outside = tuple([operand for operand in product.operands if _mask(operand) & ~subset])
        if outside and len(outside) < len(product.operands):
            groups.setdefault(outside, []).append(product)
    return list(groups.values())


@lru_cache(maxsize=100_000)
def _mask(operand: Operand | Sum) -> int:
    """The axes of an operand as a set of bits."""
    axes = axes_of(operand.products) if isinstance(operand, Sum) else set(operand.axes)
    return sum(1 << axis for axis in axes)


def _shared(outside: Sequence[Operand | Sum], inside: Sequence[Product], axes: Sequence[int], table: _Table) -> Product:
    """outside * (sum of inside), the sum as a temporary if it depends on fewer samples than the result."""
    scale, rest = _scale(inside)
    own = axes_of(rest)
    inner = _factored([table.normal(product) for product in rest], own, table)
    bracket: tuple[Operand | Sum, ...]
    if len(inner) == 1:  # it came out as one product
        single = inner[0]
        scale = Scale(
            scale.coefficient * single.coefficient,
            multiply_powers((scale.couplings, single.couplings)),
            scale.width_power + single.width_power,
        )
        bracket = single.operands
        if 0 < len(own) < min(len(axes), MOST_AXES + 1) and len(bracket) > 1:
            bracket = (table.operand([single._replace(coefficient=Fraction(1), couplings=(), width_power=0)]),)
    elif 0 < len(own) < min(len(axes), MOST_AXES + 1):
        bracket = (table.operand(inner),)
    else:
        bracket = (Sum(inner),)
    return table.normal(_times(scale, (*outside, *bracket)))


class _Left:
    """What is left of a sum: its products by number, which of them have an array, and what taking it out would save.

    Only the arrays of products that come or go have to be looked at again.
    """

    def __init__(self, products: Iterable[Product], axes: Sequence[int]) -> None:
        self._last = axes[-1] if axes else -1
        self.products: dict[int, Product] = {}
        self._masks: dict[int, dict[Operand, tuple[int, int]]] = {}
        self._having: dict[Operand, dict[int, None]] = {}
        self._gains: dict[Operand, tuple[int, bool, int]] = {}
        self._number = 0
        self._changed: set[Operand] = set()
        for product in products:
            self.put(product)

    def put(self, product: Product) -> None:
        """One more product."""
        self.products[self._number] = product
        masks = [_mask(operand) for operand in product.operands]
        own: dict[Operand, tuple[int, int]] = {}
        for place, operand in enumerate(product.operands):
            if isinstance(operand, Operand) and operand not in own:
                without = 0
                for other, mask in enumerate(masks):
                    if other != place:
                        without |= mask
                own[operand] = (without, without | masks[place])
                self._having.setdefault(operand, {})[self._number] = None
        self._masks[self._number] = own
        self._changed |= own.keys()
        self._number += 1

    def take(self, operand: Operand) -> list[Product]:
        """Take away the products that have an array."""
        numbers = list(self._having[operand])
        for number in numbers:
            own = self._masks.pop(number)
            self._changed |= own.keys()
            for other in own:
                del self._having[other][number]
        return [self.products.pop(number) for number in numbers]

    def best(self) -> Operand | None:
        """The array that saves most; None if none saves anything."""
        for operand in self._changed:
            gain = self._gain(operand)
            if gain is None:
                self._gains.pop(operand, None)
            else:
                self._gains[operand] = gain
        self._changed.clear()
        if not self._gains:
            return None
        most = max(self._gains.values())
        return min(operand for operand, gain in self._gains.items() if gain == most)

    def _gain(self, operand: Operand) -> tuple[int, bool, int] | None:
        """Multiplications that are saved, each sum evaluated for the samples on which it depends; what breaks ties."""
        numbers = self._having[operand]
        if len(numbers) < 2:
            return None
        saved, whole = 0, 0
        for number in numbers:
            without, mask = self._masks[number][operand]
            count = len(self.products[number].operands)
            saved += count * _entries(mask) - (count - 1) * _entries(without)
            whole |= mask
        saved -= _entries(whole)
        return (saved, self._last in operand.axes, len(set(operand.axes))) if saved > 0 else None


def _entries(mask: int) -> int:
    """The entries of an array with these axes."""
    entries: int = TYPICAL_INPUTS ** mask.bit_count()
    return entries


def _factored(products: Sequence[Product], axes: Sequence[int], table: _Table) -> tuple[Product, ...]:
    """Take out common arrays, the one that saves most first."""
    left = _Left(products, axes)
    while (taken := left.best()) is not None:
        left.put(_shared([taken], [_without(p, taken) for p in left.take(taken)], axes, table))
    return tuple(sorted(left.products.values(), key=_standing))


def _without(product: Product, operand: Operand) -> Product:
    operands = list(product.operands)
    operands.remove(operand)
    return Product(product.coefficient, product.couplings, product.width_power, tuple(operands))


def _standing(product: Product) -> tuple[int, int, str]:
    """Products with the fewest powers of the width ratio first, as in the recursion."""
    return (product.width_power, len(product.operands), _text(product))
