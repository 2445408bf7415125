"""Prints a program as one readable Python module that needs nothing but NumPy."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from pertheory.algebra.monomial import Powers
from pertheory.emit.quoting import python_docstring, python_string
from pertheory.kernels.language import Initial, Kernel, Operand, Product, Program, Sum, Temporary, axes_of, operands_of
from pertheory.rulebook.names import checked, local_names

AXES = "abcdefghijklmnopqrstuvwxyz"
#: What the functions of a module call their own things.
_OWN = re.compile(r"(np|state|p|avg|ratio|total|result|part)|(avg|sum|part)_.*")


def print_numpy(program: Program) -> str:
    """The module as text; the same bytes for the same program."""
    parts = [_header(program)]
    for number, level in enumerate(program.levels):
        parts += [_temporary(temporary, number, program) for temporary in level.temporaries]
        parts += [_kernel(kernel, number, program) for kernel in level.kernels]
    parts.append(_tables(program))
    one = program.inputs == "one"
    parts.append("".join(_FOOTER if one else _FOOTER[::2]))
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _header(program: Program) -> str:
    shape = (
        "Arrays have one axis per slot over the inputs."
        if program.inputs == "many"
        else "Every slot carries the same input: arrays hold one value for each input."
    )
    warning = "" if program.closure == "exact" else "\n\nAn approximation: pairs only, the rule is not sound."
    glossary = "\n".join(
        f"    {key:<8} {python_docstring(text)} ({python_docstring(title)})" for key, text, _, title in program.glossary
    )
    return f'''
"""Finite-width recursions of the network "{checked(program.network)}" to order 1/n^{program.order}.

{python_docstring(program.title)}. Written by pertheory; derived from the definition of the network.{warning}

A cumulant of 2p preactivations (or of trees of their derivatives) at layer l is n_(l-1)^-(p-1) times a sum over
pairings of Kronecker deltas times a tensor T = T{{0}} + T{{1}}/n_(l-1) + ...; "T{{k}}" below is the coefficient of the
k-th power, n_(l-1) the width of the layer below. {shape}

Tensors:
{glossary}

In the formulas sigma is the activation, n the width of the layer that is summed over, n_prev the one below it;
beta_1, beta_2, ... are summed over the samples on which they act as derivatives; products separated by semicolons in an
average are a joint cumulant, and an index behind one of them derives the whole average in which it ends up.
"""

import numpy as np
'''


def _kernel(kernel: Kernel, level: int, program: Program) -> str:
    name = _function_name(kernel, level, program)
    lines = [f"def {name}(state, p, avg):"]
    formula = "\n".join("    " + line for line in python_docstring(kernel.formula, raw=True).splitlines())
    lines.append(
        f'    r"""{python_docstring(kernel.title)}: {python_docstring(kernel.key)} one layer up.\n\n{formula}\n    """'
    )
    lines += [f"    {checked(t.name)} = state[{python_string(t.key)}]" for t in kernel.tensors]
    lines += [f"    {checked(a)} = avg[{python_string(a)}]" for a in (*kernel.averages, *kernel.temporaries)]
    symbols = _local_names(program, level)
    lines += _parameters([product for case in kernel.cases for product in case.products], level, symbols)
    one = program.inputs == "one"
    if len(kernel.cases) == 1:
        return "\n".join(
            [
                *lines,
                *_sum("total", _renamed(kernel.cases[0].products, symbols), range(kernel.rank), one),
                "    return total",
            ]
        )
    if not kernel.starts_whole:
        lines.append(f"    result = np.full(_shape(state, {kernel.rank}), np.nan)")
    for number, case in enumerate(kernel.cases):
        lines.append(f"    # slots {' '.join(_axes(case.pattern))}: equal letters carry the same input")
        if number == 0 and kernel.starts_whole:
            lines += _sum("result", _renamed(case.products, symbols), case.pattern, one)
            continue
        lines += _sum("total", _renamed(case.products, symbols), sorted(set(case.pattern)), one)
        lines.append(f'    result = _placed(result, "{_axes(case.pattern)}", total)')
    lines.append("    return result")
    return "\n".join(lines)


def _temporary(temporary: Temporary, level: int, program: Program) -> str:
    """A function for a sum that several recursions share."""
    here = program.levels[level]
    keys = {t.name: t.key for kernel in here.kernels for t in kernel.below}
    lines = [
        f"def {_temporary_name(temporary, level, program)}(state, p, avg):",
        f'    """{temporary.name}, which depends on {temporary.rank} samples; recursions share it."""',
    ]
    for array in sorted({operand.array for operand in operands_of(temporary.products)}):
        source = f"state[{python_string(keys[array])}]" if array in keys else f"avg[{python_string(array)}]"
        lines.append(f"    {checked(array)} = {source}")
    symbols = _local_names(program, level)
    lines += _parameters(temporary.products, level, symbols)
    lines += _sum("total", _renamed(temporary.products, symbols), range(temporary.rank), program.inputs == "one")
    return "\n".join([*lines, "    return total"])


def _local_names(program: Program, level: int) -> dict[str, str]:
    """What each hyperparameter is called in the functions of a level."""
    here = program.levels[level]
    arrays = {t.name for kernel in here.kernels for t in kernel.below}
    symbols = [symbol for symbol, _ in program.hyperparameters]
    return local_names(symbols, lambda s: s in arrays or keyword.iskeyword(s) or _OWN.fullmatch(s) is not None)


def _renamed(products: Sequence[Product], names: Mapping[str, str]) -> list[Product]:
    """Products with the local names of hyperparameters."""
    return [
        product._replace(
            couplings=tuple((names[symbol], power) for symbol, power in product.couplings),
            operands=tuple(
                Sum(tuple(_renamed(own.products, names))) if isinstance(own, Sum) else own for own in product.operands
            ),
        )
        for product in products
    ]


def _parameters(products: Sequence[Product], level: int, names: Mapping[str, str]) -> list[str]:
    """Hyperparameters and the width ratio as local names."""
    symbols: set[str] = set()
    ratio = False
    waiting = list(products)
    for product in waiting:
        symbols |= {symbol for symbol, _ in product.couplings}
        ratio = ratio or bool(product.width_power)
        waiting += [inner for operand in product.operands if isinstance(operand, Sum) for inner in operand.products]
    lines = [f"    {names[symbol]} = p[{python_string(symbol)}]" for symbol in sorted(symbols)]
    return [*lines, f'    ratio = p["ratio"][{level}]'] if ratio else lines


def _function_name(kernel: Kernel, level: int, program: Program) -> str:
    return f"recursion_{checked(kernel.function)}" + (f"_at_{level}" if len(program.levels) > 1 else "")


def _temporary_name(temporary: Temporary, level: int, program: Program) -> str:
    return f"temporary_{checked(temporary.name)}" + (f"_at_{level}" if len(program.levels) > 1 else "")


def _sum(name: str, products: Sequence[Product], axes: Sequence[int], one: bool) -> list[str]:
    """Lines that leave a sum in the array of that name; brackets in it get names of their own first."""
    lines = [f"    {name} = np.zeros(_shape(state, {len(axes)}))"]
    for number, product in enumerate(products):
        arrays: list[Operand] = []
        for operand in product.operands:
            if isinstance(operand, Sum):
                bracket = f"{name}_{number}" if name.startswith("part") else f"part_{number}"
                own = axes_of(operand.products)
                lines += _sum(bracket, operand.products, own, one)
                arrays.append(Operand(bracket, own))
            else:
                arrays.append(operand)
        sign = "-" if product.coefficient < 0 else "+"
        scale = _joined(_number(abs(product.coefficient)), _scalars(product.couplings, product.width_power))
        scale = "" if scale == "1.0" and arrays else scale
        lines.append(f"    {name} {sign}= {_joined(scale, _array(arrays, axes, one))}")
    return lines


def _number(value: Fraction) -> str:
    if value == 1:
        return ""
    return str(value) if value.denominator == 1 else f"{value.numerator} / {value.denominator}"


def _scalars(couplings: Powers, width_power: int) -> str:
    parts = [name if power == 1 else f"{name}**{power}" for name, power in couplings]
    if width_power:
        parts.append("ratio" if width_power == 1 else f"ratio**{width_power}")
    return " * ".join(parts)


def _joined(*parts: str) -> str:
    return " * ".join(part for part in parts if part) or "1.0"


def _array(operands: Sequence[Operand], axes: Sequence[int], one: bool) -> str:
    """The product of arrays, with the axes of the result."""
    if not operands:
        return ""
    if one:
        return " * ".join(operand.array for operand in operands)
    inputs = ",".join(_axes(operand.axes) for operand in operands)
    present = {axis for operand in operands for axis in operand.axes}
    arrays = ", ".join(operand.array for operand in operands)
    missing = [axis for axis in axes if axis not in present]
    if missing:  # a slot that no array carries: the product does not depend on its sample
        inputs += "".join("," + AXES[axis] for axis in missing)
        arrays += ", np.ones(_shape(state, 1))" * len(missing)
    return f'np.einsum("{inputs}->{_axes(axes)}", {arrays})'


def _axes(axes: Iterable[int]) -> str:
    return "".join(AXES[axis] for axis in axes)


def _tables(program: Program) -> str:
    lines = [
        f"NETWORK = {python_string(program.network)}",
        f"ORDER = {program.order}",
        f"CLOSURE = {python_string(program.closure)}",
        f"INPUTS = {python_string(program.inputs)}",
    ]
    lines.append("HYPERPARAMETERS = {")
    lines += [f"    {python_string(name)}: {float(value)!r}," for name, value in program.hyperparameters]
    lines.append("}")
    lines.append(
        "# averages of each sublayer: name -> (field, per axis (derivatives of the product, ((function, order), ...)))"
    )
    averages = [{a.name: f"({python_string(a.field)}, {a.request!r})" for a in own.averages} for own in program.levels]
    lines += _dictionaries("AVERAGES", averages)
    lines.append("# the covariance over which the averages of each field are taken")
    lines.append(f"COVARIANCES = {[dict(level.covariances) for level in program.levels]!r}")
    levels = list(enumerate(program.levels))
    recursions = [{k.key: _function_name(k, number, program) for k in own.kernels} for number, own in levels]
    lines += _dictionaries("RECURSIONS", recursions)
    lines.append("# sums that recursions of a sublayer share, each after those that it needs")
    shared = [{t.name: _temporary_name(t, number, program) for t in own.temporaries} for number, own in levels]
    lines += [*_dictionaries("TEMPORARIES", shared), "", ""]
    lines += _first_layer(program)
    return "\n".join(lines)


def _dictionaries(name: str, tables: Iterable[Mapping[str, str]]) -> list[str]:
    """A list with a dictionary for each sublayer."""
    lines = [f"{name} = ["]
    for table in tables:
        lines += ["    {", *(f"        {python_string(key)}: {value}," for key, value in table.items()), "    },"]
    return [*lines, "]"]


def _first_layer(program: Program) -> list[str]:
    lines = [
        "def first_layer(gram, p):",
        '    """State of layer 1, where the preactivations are exactly Gaussian.',
        "",
        "    gram: x.x / n_0 for all pairs of inputs" + (" (its diagonal)." if program.inputs == "one" else "."),
        "    p: hyperparameters by name; those that are left out have their defaults.",
        '    """',
        '    p = _checked(p, "n", "n_prev")',
        "    inputs = len(gram)",
        "    state = {}",
    ]
    for item in program.initial:
        if item.constant or item.gram:
            lines.append(f"    state[{python_string(item.key)}] = {_initial_value(item)}")
        else:
            lines.append(f"    state[{python_string(item.key)}] = np.zeros((inputs,) * {item.rank})")
    lines.append("    return state")
    return lines


def _initial_value(item: Initial) -> str:
    def symbols(powers: Powers) -> str:
        read = ((f"p[{python_string(symbol)}]", power) for symbol, power in powers)
        return " * ".join(own if power == 1 else f"{own} ** {power}" for own, power in read)

    parts = [_joined(_number(c), symbols(powers)) for c, powers in item.constant]
    parts += [_joined(_number(c), symbols(powers), "gram") for c, powers in item.gram]
    text = " + ".join(parts)
    return text if item.gram else f"({text}) + 0.0 * gram"


#: What follows the tables, in parts; every other one is for one input only.
_FOOTER = (
    '''
def _checked(given, *more):
    """Hyperparameters by name, with the defaults of those that are left out; other names than these are refused."""
    unknown = [name for name in given if name not in HYPERPARAMETERS and name not in more]
    if unknown:
        raise ValueError(f"unknown parameter {unknown[0]!r}; known: {', '.join([*HYPERPARAMETERS, *more])}")
    return {**HYPERPARAMETERS, **given}


def _shape(state, rank):
    """The shape of a tensor with that many axes."""
    return (len(next(iter(state.values()))),) * rank


def _placed(result, slots, values):
    """The result with other values where slots with equal letters carry the same input."""
    index = dict(zip(sorted(set(slots)), np.ogrid[tuple(slice(size) for size in values.shape)]))
    result[tuple(index[letter] for letter in slots)] = values
    return result


def step(state, layer_parameters, averages):
    """One layer up.

    state: dictionary of arrays, as `first_layer` and this function return it.
    layer_parameters: the hyperparameters of the new layer by name; "n", the width of the layer of `state`, and
        "n_prev", the width below that, give the ratio n / n_prev (default 1). A network with several sublayers takes
        a list of widths as "n", one for each sublayer in which neurons are summed.
    averages: a callable averages(covariance, requests) that returns an array for each request. A request has one
        entry an axis, and an entry is (d, ((function, k), ...)): at the input of that axis stands the d-th derivative
        of the product of the k-th derivatives of the functions, by name ("id" is z itself). The array holds, for all
        choices of inputs on its axes, the average of the product of all entries over Gaussian z with that covariance.
        So ((0, (("s", 0),)), (0, (("s", 1),))) asks for <s(z_a) s'(z_b)>. GaussianAverages of
        pertheory.averages.gaussian is such a callable.''',
    """
        Here the covariance is the array of variances, one an input, and a request has a single entry.""",
    '''
    """
    p = _checked(layer_parameters, "n", "n_prev")
    widths = np.atleast_1d(np.asarray(p.get("n", 1.0), dtype=float))
    widths = np.resize(widths, len(RECURSIONS))
    p["ratio"] = widths / np.concatenate([[float(p.get("n_prev", widths[-1]))], widths[:-1]])
    for recursions, wanted, covariances, shared in zip(RECURSIONS, AVERAGES, COVARIANCES, TEMPORARIES):
        avg = {}
        for field, key in covariances.items():
            names = [name for name, (own, _) in wanted.items() if own == field]
            avg.update(zip(names, averages(state[key], [wanted[name][1] for name in names])))
        for name, temporary in shared.items():
            avg[name] = temporary(state, p, avg)
        state = {key: recursion(state, p, avg) for key, recursion in recursions.items()}
    return state


def run(gram, depth, averages, parameters=None, widths=None):
    """All layers.

    gram: x.x / n_0, an array over pairs of inputs.
    depth: number of weight layers, from 1.
    averages: see `step`.
    parameters: hyperparameters by name, or a list of such dictionaries, one a layer.
    widths: n_0, n_1, ..., n_(depth-1); equal widths by default.

    Returns the list of the states of layers 1 .. depth.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")
    parameters = parameters or {}
    layers = list(parameters) if isinstance(parameters, (list, tuple)) else [parameters] * depth
    if len(layers) != depth:
        raise ValueError(f"{len(layers)} sets of parameters for {depth} layers")
    layers = [_checked(own) for own in layers]
    widths = list(widths) if widths is not None else [1.0] * depth
    if len(widths) != depth:
        raise ValueError(f"{len(widths)} widths for depth {depth}: give n_0 .. n_{depth - 1}")
    gram = np.asarray(gram, dtype=float)
''',
    """    gram = np.diagonal(gram) if gram.ndim == 2 else gram
""",
    """    states = [first_layer(gram, layers[0])]
    for layer in range(1, depth):
        p = {**layers[layer], "n": widths[layer], "n_prev": widths[layer - 1]}
        states.append(step(states[-1], p, averages))
    return states
""",
)
