"""What other programs call: the header of a theory, and the functions behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pertheory.algebra.monomial import Powers
from pertheory.emit.c.frame import Frame
from pertheory.kernels.language import Initial, Level, Program
from pertheory.kernels.packing import packing_of

if TYPE_CHECKING:
    from pertheory.emit.c.printer import LevelText

GUARD_ARGUMENTS = "size_t inputs"


def at_level(program: Program, number: int) -> str:
    """What functions of one sublayer carry at the end of their name."""
    return f"_at_{number}" if len(program.levels) > 1 else ""


def print_header(program: Program, name: str, built_in: bool, activation: str) -> str:
    """NAME.h."""
    one = program.inputs == "one"
    upper = name.upper()
    last = program.levels[-1]
    tensors = [f"    {name}_{kernel.function} = {number}," for number, kernel in enumerate(last.kernels)]
    symbols = [f"    {name}_{symbol} = {number}," for number, (symbol, _) in enumerate(program.hyperparameters)]
    per_level = []
    for number, level in enumerate(program.levels):
        at = at_level(program, number)
        per_level.append(
            f"int {name}_update{at}(size_t inputs, const double *below, double *const *averages, const double *hyper,\n"
            f"    double ratio, double *above, double *workspace, size_t workspace_size);"
        )
        for kernel in level.kernels:
            per_level.append(
                f"int {name}_recursion_{kernel.function}{at}(size_t inputs, const double *below, "
                "double *const *averages,\n    const double *hyper, double ratio, double *result, double *workspace, "
                "size_t workspace_size);"
            )
    gram = (
        "inputs x inputs, row-major: x_i . x_j / n_0 (the lower triangle is read)"
        if not one
        else "one value for each input: x . x / n_0"
    )
    builtin = ""
    if built_in:
        builtin = f"""
/* The built-in Gaussian averages, for {activation}; see pt_average_fn. */
int {name}_builtin_average(void *context, size_t inputs, const double *covariance, int field, size_t count,
    const int *requests, double *const *out, double *workspace, size_t workspace_size, double *worst_error);
size_t {name}_builtin_workspace(size_t inputs);
"""
    newline = "\n"
    return f"""/* {name}.h: finite-width recursions to order 1/n^{program.order}; see {name}.c. */
#ifndef PERTHEORY_{upper}_H
#define PERTHEORY_{upper}_H

#include "pertheory.h"

#if PERTHEORY_ABI != 1
#error "this header needs version 1 of pertheory.h"
#endif

#ifdef __cplusplus
extern "C" {{
#endif

/* Tensors, in the order in which they stand in a state. */
enum {{
{newline.join(tensors)}
    {name}_tensors = {len(last.kernels)}
}};

/* Hyperparameters, in the order in which their values are handed in. */
enum {{
{newline.join(symbols)}
    {name}_hyperparameters = {len(program.hyperparameters)}
}};

/* Name, order, tensors, requests, hash of the source, version of the interface. */
extern const pt_theory {name}_theory;

/* All sizes count doubles; 0 means: no inputs, or more than size_t counts. */

/* A state: all tensors of a layer one after the other, each packed (see pt_tensor). */
size_t {name}_state_size(size_t inputs);
size_t {name}_tensor_size(int tensor, size_t inputs);
size_t {name}_tensor_offset(int tensor, size_t inputs);

/* Workspace that step, run, update and the recursions need. */
size_t {name}_workspace_size(size_t inputs);

/* From a packed tensor to a dense row-major one (inputs^rank), and back. */
int {name}_unpack(int tensor, size_t inputs, const double *packed, double *dense);
int {name}_pack(int tensor, size_t inputs, const double *dense, double *packed);

/* The state of layer 1.
 *   gram   {gram}
 *   hyper  hyperparameters of the layer */
int {name}_first_layer(size_t inputs, const double *gram, const double *hyper, double *state);

/* One layer up.
 *   ratio        for each sublayer n / n_prev of the neurons that it sums over; NULL means 1
 *   average      Gaussian averages{"; NULL means the built-in ones" if built_in else ""}
 *   above        the new state; must not overlap the one below
 *   worst_error  may be NULL; is raised to the largest estimated error of an average */
int {name}_step(size_t inputs, const double *below, const double *hyper, const double *ratio,
    pt_average_fn average, void *context, double *above, double *workspace, size_t workspace_size,
    double *worst_error);

/* Layers 1 .. depth.
 *   hyper   depth x hyperparameters
 *   widths  n_0 .. n_(depth-1); NULL means equal ones
 *   states  depth states, layer 1 first */
int {name}_run(size_t inputs, size_t depth, const double *gram, const double *hyper, const double *widths,
    pt_average_fn average, void *context, double *states, double *workspace, size_t workspace_size,
    double *worst_error);

/* One sublayer up, all tensors or one of them, from averages that are given.
 *   averages  a packed array for each request of the sublayer (see pt_average_fn), in their order; a single recursion
 *             reads only those that occur in it, and the others may be NULL
 *   ratio     n / n_prev */
{newline.join(per_level)}
{builtin}
#ifdef __cplusplus
}}
#endif

#endif
"""


def print_interface(
    program: Program, name: str, frames: Sequence[Frame], levels: Sequence[LevelText], activation: str
) -> str:
    """The functions that the header declares."""
    parts = [
        "/* ---- descriptor ---- */\n",
        _descriptor(program, name, frames, activation),
        _sizes(program, name, frames),
    ]
    for frame, text in zip(frames, levels, strict=True):
        parts.append(_lay(program, frame))
        parts.append(_update(program, name, frame, text))
    parts.append(_first_layer(program, name))
    parts.append(_step(program, name, frames, bool(activation)))
    return "\n".join(parts)


def _text(value: str) -> str:
    """A C string literal."""
    safe = "".join(c if c.isascii() and c.isprintable() else "?" for c in value)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"').replace("??", '?""?') + '"'


def _descriptor(program: Program, name: str, frames: Sequence[Frame], activation: str) -> str:
    from pertheory.emit.c.printer import HASH

    what = {key: (observable, title) for key, observable, _, title in program.glossary}
    lines = ["/* permutations of the slots */"]
    rows = []
    for kernel in program.levels[-1].kernels:
        flat = ", ".join(str(g) for element in kernel.symmetry for g in element)
        lines.append(f"static const unsigned char symmetry_{kernel.function}[] = {{{flat}}};")
        observable, title = what[kernel.key]
        rows.append(
            f"    {{{_text(kernel.key)}, {_text(observable)},\n     {_text(title)}, {kernel.rank}, "
            f"{len(kernel.symmetry)}, symmetry_{kernel.function}}},"
        )
    lines += ["static const pt_tensor tensors[] = {", *rows, "};"]
    requests: list[str] = []
    for number, level in enumerate(program.levels):
        fields = [field for field, _ in level.covariances]
        for average in level.averages:
            sizes = f"classes_of_{len(requests)}"
            lines.append(f"static const unsigned char {sizes}[] = {{{', '.join(str(c) for c in average.classes)}}};")
            requests.append(
                f"    {{{_text(average.name)}, {number}, {fields.index(average.field)}, {average.rank}, "
                f"{len(average.classes)}, {sizes}}},"
            )
    lines += ["static const pt_request requests[] = {", *requests, "};"]
    lines.append("static const char *const hyperparameters[] = {")
    lines += [f"    {_text(symbol)}," for symbol, _ in program.hyperparameters]
    lines += ["};", "static const double hyperparameter_defaults[] = {"]
    lines += [f"    {float(value)!r}," for _, value in program.hyperparameters]
    lines.append("};")
    lines += [
        f"const pt_theory {name}_theory = {{",
        "    PERTHEORY_ABI,",
        f"    {_text(name)},",
        f"    {_text(program.network)},",
        f"    {_text(activation)},",
        f'    "{HASH}",',
        f"    {program.order}, {int(program.closure == 'exact')}, {int(program.inputs == 'one')},",
        f"    {len(program.levels[-1].kernels)}, tensors,",
        f"    {len(program.hyperparameters)}, hyperparameters, hyperparameter_defaults,",
        f"    {len(program.levels)}, {len(requests)}, requests",
        "};",
        "",
    ]
    return "\n".join(lines)


def _names(frame: Frame, level: Level) -> list[str]:
    return [frame.packings.name(packing_of(k.symmetry), k.function) for k in level.kernels]


def _sizes(program: Program, name: str, frames: Sequence[Frame]) -> str:
    lines = ["/* ---- states ---- */", ""]
    for frame in frames:
        packings = ", ".join("&" + own for own in _names(frame, frame.level))
        lines += [f"static const pt_packing *const state_{frame.number}[] = {{{packings}}};"]
    last = len(frames) - 1
    count = len(frames[last].level.kernels)
    return (
        "\n".join(lines)
        + f"""

size_t {name}_state_size(size_t inputs)
{{
    const size_t size = inputs == 0 ? 0 : pt_state_size(state_{last}, {count}, inputs);
    return size > (size_t)-1 / sizeof(double) ? 0 : size;
}}

size_t {name}_tensor_size(int tensor, size_t inputs)
{{
    if (tensor < 0 || tensor >= {count} || {name}_state_size(inputs) == 0)
        return 0;
    return pt_entries(state_{last}[tensor], inputs);
}}

size_t {name}_tensor_offset(int tensor, size_t inputs)
{{
    if (tensor < 0 || tensor >= {count} || {name}_state_size(inputs) == 0)
        return 0;
    return pt_state_size(state_{last}, tensor, inputs);
}}

int {name}_unpack(int tensor, size_t inputs, const double *packed, double *dense)
{{
    if (tensor < 0 || tensor >= {count} || inputs == 0 || packed == NULL || dense == NULL)
        return PT_BAD_ARGUMENT;
    if ({name}_state_size(inputs) == 0)
        return PT_TOO_LARGE;
    pt_unpack(state_{last}[tensor], inputs, packed, dense);
    return PT_OK;
}}

int {name}_pack(int tensor, size_t inputs, const double *dense, double *packed)
{{
    if (tensor < 0 || tensor >= {count} || inputs == 0 || packed == NULL || dense == NULL)
        return PT_BAD_ARGUMENT;
    if ({name}_state_size(inputs) == 0)
        return PT_TOO_LARGE;
    pt_pack(state_{last}[tensor], inputs, dense, packed);
    return PT_OK;
}}
"""
    )


def _lay(program: Program, frame: Frame) -> str:
    """Divides the workspace of a level; without memory it only counts."""
    number, level = frame.number, frame.level
    below = program.levels[number - 1]
    places = {kernel.key: place for place, kernel in enumerate(below.kernels)}
    from_level = (number - 1) % len(program.levels)
    lines = [
        f"/* Divides the workspace of level {number}; without memory it only counts. */",
        f"static size_t lay_level_{number}(size_t n, double *memory, struct level_{number} *w, double **averages,",
        "    size_t *scratch)",
        "{",
        "    size_t used = 0;",
    ]
    for place, average in enumerate(level.averages):
        lines.append(
            f"    averages[{place}] = pt_take(memory, &used, pt_entries(&{frame.packing_name(average.name)}, n));"
        )
    lines.append("    *scratch = used; /* the average routine may use all that follows */")
    lines += [f"    w->{view.name} = pt_take(memory, &used, pt_power(n, {view.rank}));" for view in frame.views]
    lines += [f"    w->{t.name} = pt_take(memory, &used, pt_power(n, {t.rank}));" for t in frame.level.temporaries]
    lines += [
        f"    w->rows = pt_take(memory, &used, pt_times(n, (size_t)PT_THREADS * ROWS_{number}));",
        "    return used;",
        "}",
        "",
        "/* Tells a level what it reads. */",
        f"static void bind_level_{number}(struct level_{number} *w, size_t n, const struct tables *tables,",
        "    const double *below, double *const *averages, const double *hyper, double ratio)",
        "{",
        "    w->n = n;",
        "    w->p = hyper;",
        "    w->ratio = ratio;",
        "    w->tables = tables;",
    ]
    for name, tensor in sorted(frame.below.items()):
        lines.append(f"    w->{name} = below + pt_state_size(state_{from_level}, {places[tensor.key]}, n);")
    if not frame.below:
        lines.append("    (void)below;")
    if not level.averages:
        lines.append("    (void)averages;")
    lines += [f"    w->{average.name} = averages[{place}];" for place, average in enumerate(level.averages)]
    lines += ["}", ""]
    return "\n".join(lines)


def _update(program: Program, name: str, frame: Frame, text: LevelText) -> str:
    """The tensors of a level from averages that are given."""
    number, level = frame.number, frame.level
    at = at_level(program, number)
    requests = max(len(level.averages), 1)
    needs = tuple(dict.fromkeys(need for function in text.recursions for need in function.needs))
    lines = [
        "/* All tensors of a level; it has been laid and bound. */",
        f"static void compute_level_{number}(struct level_{number} *w, double *above)",
        "{",
        "    const size_t n = w->n;",
        *(f"    {text.fills[need]}" for need in text.before(needs)),
    ]
    for place, function in enumerate(text.recursions):
        lines.append(f"    {function.name}(w, above + pt_state_size(state_{number}, {place}, n));")
    lines += ["}", ""]
    prepare = [
        "    struct tables tables;",
        f"    struct level_{number} w;",
        f"    double *own[{requests}];",
        "    size_t scratch, used;",
        "    if (inputs == 0 || below == NULL || averages == NULL || hyper == NULL || RESULT == NULL ||",
        "        workspace == NULL)",
        "        return PT_BAD_ARGUMENT;",
        f"    if ({name}_workspace_size(inputs) == 0)",
        "        return PT_TOO_LARGE;",
        f"    if (workspace_size < {name}_workspace_size(inputs))",
        "        return PT_SHORT_WORKSPACE;",
        f"    if (!pt_is_finite(hyper, {len(program.hyperparameters)}) || !pt_is_finite(&ratio, 1))",
        "        return PT_NOT_FINITE;",
    ]
    after = [
        "    used = lay_tables(inputs, workspace, &tables);",
        f"    (void)lay_level_{number}(inputs, workspace + used, &w, own, &scratch);",
        f"    bind_level_{number}(&w, inputs, &tables, below, averages, hyper, ratio);",
    ]
    lines += [
        f"int {name}_update{at}(size_t inputs, const double *below, double *const *averages, const double *hyper,",
        "    double ratio, double *above, double *workspace, size_t workspace_size)",
        "{",
        *(line.replace("RESULT", "above") for line in prepare),
        *_given(len(level.averages)),
        *after,
        f"    compute_level_{number}(&w, above);",
        "    return PT_OK;",
        "}",
        "",
    ]
    for kernel, function in zip(level.kernels, text.recursions, strict=True):
        order = text.before(function.needs)
        read = _averages_read(frame, kernel.averages, kernel.temporaries)
        check = [f"averages[{place}] == NULL" for place, average in enumerate(level.averages) if average.name in read]
        lines += [
            f"int {name}_recursion_{kernel.function}{at}(size_t inputs, const double *below, double *const *averages,",
            "    const double *hyper, double ratio, double *result, double *workspace, size_t workspace_size)",
            "{",
            *(line.replace("RESULT", "result") for line in prepare),
            *([f"    if ({' || '.join(check)})", "        return PT_BAD_ARGUMENT;"] if check else []),
            *after,
            *(f"    {text.fills[need].replace('(w)', '(&w)').replace('w->', 'w.')}" for need in order),
            f"    {function.name}(&w, result);",
            "    return PT_OK;",
            "}",
            "",
        ]
    return "\n".join(lines)


def _given(count: int) -> list[str]:
    """A check that no average is missing."""
    if not count:
        return []
    return [
        f"    for (used = 0; used < {count}u; used++)",
        "        if (averages[used] == NULL)",
        "            return PT_BAD_ARGUMENT;",
    ]


def _averages_read(frame: Frame, direct: Sequence[str], temporaries: Sequence[str]) -> set[str]:
    """All averages that a recursion depends on, through temporaries too."""
    from pertheory.kernels.language import operands_of

    found = set(direct)
    waiting = list(temporaries)
    names = {average.name for average in frame.level.averages}
    while waiting:
        for operand in operands_of(frame.temporaries[waiting.pop()].products):
            if operand.array in frame.temporaries:
                waiting.append(operand.array)
            elif operand.array in names:
                found.add(operand.array)
    return found


def _first_layer(program: Program, name: str) -> str:
    one = program.inputs == "one"
    places = {name: place for place, (name, _) in enumerate(program.hyperparameters)}
    last = len(program.levels) - 1
    lines = [
        f"int {name}_first_layer(size_t inputs, const double *gram, const double *hyper, double *state)",
        "{",
        "    size_t t, size;",
        "    if (inputs == 0 || gram == NULL || hyper == NULL || state == NULL)",
        "        return PT_BAD_ARGUMENT;",
        f"    size = {name}_state_size(inputs);",
        "    if (size == 0)",
        "        return PT_TOO_LARGE;",
        f"    if (!pt_is_finite(hyper, {len(program.hyperparameters)}) || "
        f"!pt_is_finite(gram, {'inputs' if one else 'inputs * inputs'}))",
        "        return PT_NOT_FINITE;",
        "    for (t = 0; t < size; t++)",
        "        state[t] = 0.0;",
    ]
    for place, item in enumerate(program.initial):
        if not item.constant and not item.gram:
            continue
        lines += [
            f"    {{ /* {item.key} */",
            f"        double *out = state + pt_state_size(state_{last}, {place}, inputs);",
            f"        const double constant = {_scalar(item.constant, places)};",
            f"        const double slope = {_scalar(item.gram, places)};",
        ]
        if one:
            lines += [
                "        size_t a;",
                "        for (a = 0; a < inputs; a++)",
                "            *out++ = constant + slope * gram[a];",
            ]
        else:
            lines += [
                "        size_t a, b;",
                "        for (a = 0; a < inputs; a++)",
                "            for (b = 0; b <= a; b++)",
                "                *out++ = constant + slope * gram[a * inputs + b];",
            ]
        lines.append("    }")
    lines += ["    return PT_OK;", "}", ""]
    return "\n".join(lines)


def _scalar(parts: Sequence[tuple[object, Powers]], places: dict[str, int]) -> str:
    from fractions import Fraction

    from pertheory.emit.c.loops import _number

    texts = []
    for coefficient, powers in parts:
        assert isinstance(coefficient, Fraction)
        factors = [] if coefficient == 1 and powers else [_number(coefficient)]
        factors += [f"hyper[{places[symbol]}]" for symbol, power in powers for _ in range(power)]
        texts.append(" * ".join(factors))
    return " + ".join(texts) or "0.0"


def _step(program: Program, name: str, frames: Sequence[Frame], built_in: bool) -> str:
    one = program.inputs == "one"
    last = len(frames) - 1
    symbols = len(program.hyperparameters)
    lines = ["/* ---- whole layers ---- */", ""]
    first = 0
    for frame in frames:
        lines += _advance(program, frame, first, one, f"{name}_builtin_average" if built_in else "")
        first += len(frame.level.averages)
    lines += [f"size_t {name}_workspace_size(size_t inputs)", "{", "    size_t fixed, most = 0;"]
    lines += ["    if (inputs == 0)", "        return 0;"]
    lines += ["    fixed = lay_tables(inputs, NULL, NULL);"]
    for frame in frames[:-1]:
        lines.append(
            f"    fixed = pt_plus(fixed, pt_state_size(state_{frame.number}, {len(frame.level.kernels)}, inputs));"
        )
    for frame in frames:
        lines += [
            "    {",
            f"        struct level_{frame.number} w;",
            f"        double *own[{max(len(frame.level.averages), 1)}];",
            "        size_t scratch;",
            f"        size_t size = lay_level_{frame.number}(inputs, NULL, &w, own, &scratch);",
            *([] if one else ["        scratch = pt_plus(scratch, pt_times(inputs, inputs));"]),
        ]
        if built_in:
            lines.append(f"        scratch = pt_plus(scratch, {name}_builtin_workspace({'1' if one else 'inputs'}));")
        lines += [
            "        size = size > scratch ? size : scratch;",
            "        most = most > size ? most : size;",
            "    }",
        ]
    lines += [
        "    fixed = pt_plus(fixed, most);",
        f"    return fixed > (size_t)-1 / sizeof(double) || {name}_state_size(inputs) == 0 ? 0 : fixed;",
        "}",
        "",
    ]
    arguments = "pt_average_fn average, void *context"
    lines += [
        "/* One layer up, with tables made and everything checked. */",
        "static int advance(size_t n, const struct tables *tables, const double *below, const double *hyper,",
        f"    const double *ratio, {arguments}, double *above, double *memory, size_t size, double *worst)",
        "{",
        "    int status = PT_OK, found;",
    ]
    for frame in frames[:-1]:
        lines += [
            f"    double *const between_{frame.number} = memory;",
            f"    const size_t size_{frame.number} =",
            f"        pt_state_size(state_{frame.number}, {len(frame.level.kernels)}, n);",
            f"    memory += size_{frame.number};",
            f"    size -= size_{frame.number};",
        ]
    for frame in frames:
        source = "below" if frame.number == 0 else f"between_{frame.number - 1}"
        target = "above" if frame.number == last else f"between_{frame.number}"
        lines += [
            f"    found = advance_level_{frame.number}(n, tables, {source}, hyper,",
            f"        ratio == NULL ? 1.0 : ratio[{frame.number}], average, context, {target}, memory, size, worst);",
            "    if (pt_is_error(found))",
            "        return found;",
            "    status = pt_worse(status, found);",
        ]
    lines += ["    return status;", "}", ""]
    choose = (
        ["    if (average == NULL)", f"        average = {name}_builtin_average;"]
        if built_in
        else ["    if (average == NULL)", "        return PT_BAD_ARGUMENT;"]
    )
    lines += [
        f"int {name}_step(size_t inputs, const double *below, const double *hyper, const double *ratio,",
        f"    {arguments}, double *above, double *workspace, size_t workspace_size, double *worst_error)",
        "{",
        "    struct tables tables;",
        "    size_t used, need;",
        "    if (inputs == 0 || below == NULL || hyper == NULL || above == NULL || workspace == NULL)",
        "        return PT_BAD_ARGUMENT;",
        *choose,
        f"    need = {name}_workspace_size(inputs);",
        "    if (need == 0)",
        "        return PT_TOO_LARGE;",
        "    if (workspace_size < need)",
        "        return PT_SHORT_WORKSPACE;",
        f"    if (!pt_is_finite(hyper, {symbols}) || (ratio != NULL && !pt_is_finite(ratio, {len(frames)})))",
        "        return PT_NOT_FINITE;",
        "    used = lay_tables(inputs, workspace, &tables);",
        "    return advance(inputs, &tables, below, hyper, ratio, average, context, above, workspace + used,",
        "        workspace_size - used, worst_error);",
        "}",
        "",
        f"int {name}_run(size_t inputs, size_t depth, const double *gram, const double *hyper, const double *widths,",
        f"    {arguments}, double *states, double *workspace, size_t workspace_size, double *worst_error)",
        "{",
        "    struct tables tables;",
        "    size_t used, need, size, layer;",
        "    int status, found;",
        "    if (inputs == 0 || depth == 0 || gram == NULL || hyper == NULL || states == NULL || workspace == NULL)",
        "        return PT_BAD_ARGUMENT;",
        *choose,
        f"    size = {name}_state_size(inputs);",
        f"    need = {name}_workspace_size(inputs);",
        "    if (need == 0 || size == 0 || pt_times(depth, size) > (size_t)-1 / sizeof(double) ||",
        f"        pt_times(depth, {symbols}) > (size_t)-1 / sizeof(double))",
        "        return PT_TOO_LARGE;",
        "    if (workspace_size < need)",
        "        return PT_SHORT_WORKSPACE;",
        f"    if (!pt_is_finite(hyper, depth * {symbols}) || (widths != NULL && !pt_is_finite(widths, depth)))",
        "        return PT_NOT_FINITE;",
        "    for (layer = 0; widths != NULL && layer < depth; layer++)",
        "        if (!(widths[layer] > 0.0))",
        "            return PT_BAD_ARGUMENT;",
        f"    status = {name}_first_layer(inputs, gram, hyper, states);",
        "    if (status != PT_OK)",
        "        return status;",
        "    used = lay_tables(inputs, workspace, &tables);",
        "    for (layer = 1; layer < depth; layer++) {",
        f"        double ratio[{len(frames)}];",
        f"        for (need = 0; need < {len(frames)}; need++)",
        "            ratio[need] = 1.0;",
        "        if (widths != NULL)",
        "            ratio[0] = widths[layer] / widths[layer - 1];",
        f"        found = advance(inputs, &tables, states + (layer - 1) * size, hyper + layer * {symbols},",
        "            ratio, average, context, states + layer * size, workspace + used,",
        "            workspace_size - used, worst_error);",
        "        if (pt_is_error(found))",
        "            return found;",
        "        status = pt_worse(status, found);",
        "    }",
        "    return status;",
        "}",
        "",
    ]
    return "\n".join(lines)


def _reach(built_in: str, entries: str) -> list[str]:
    """The built-in averages take time that grows with the size of a preactivation: beyond this they are not asked."""
    if not built_in:
        return []
    return [
        f"        if (average == {built_in} && !pt_is_within({entries}, 1e10))",
        "            return PT_UNSUPPORTED;",
    ]


def _advance(program: Program, frame: Frame, first: int, one: bool, built_in: str) -> list[str]:
    """One sublayer up: averages, then tensors."""
    number, level = frame.number, frame.level
    below = program.levels[number - 1]
    places = {kernel.key: place for place, kernel in enumerate(below.kernels)}
    from_level = (number - 1) % len(program.levels)
    lines = [
        f"static int advance_level_{number}(size_t n, const struct tables *tables, const double *below,",
        "    const double *hyper, double ratio, pt_average_fn average, void *context, double *above, double *memory,",
        "    size_t size, double *worst)",
        "{",
        f"    struct level_{number} w;",
        f"    double *averages[{max(len(level.averages), 1)}];",
        "    size_t scratch;",
        "    int status = PT_OK;",
        f"    (void)lay_level_{number}(n, memory, &w, averages, &scratch);",
        f"    bind_level_{number}(&w, n, tables, below, averages, hyper, ratio);",
    ]
    if not level.covariances:
        lines += ["    (void)average;", "    (void)context;", "    (void)size;", "    (void)worst;"]
    for field_number, (field, key) in enumerate(level.covariances):
        chosen = [place for place, average in enumerate(level.averages) if average.field == field]
        lines += [
            f"    {{ /* averages over {field} */",
            f"        static const int wanted[] = {{{', '.join(str(first + place) for place in chosen)}}};",
            f"        const double *covariance = below + pt_state_size(state_{from_level}, {places[key]}, n);",
            f"        double *out[{len(chosen)}];",
            "        int found;",
            f"        if (!pt_is_finite(covariance, pt_entries(state_{from_level}[{places[key]}], n)))",
            "            return PT_OVERFLOW;",
            *_reach(built_in, f"covariance, pt_entries(state_{from_level}[{places[key]}], n)"),
        ]
        count = len(chosen)
        if one:
            lines += [
                "        for (size_t input = 0; input < n; input++) {",
                *(f"            out[{k}] = averages[{place}] + input;" for k, place in enumerate(chosen)),
                f"            found = average(context, 1, covariance + input, {field_number}, {count}, wanted, out,",
                "                memory + scratch, size - scratch, worst);",
                "            if (pt_is_error(found))",
                "                return found;",
                "            status = pt_worse(status, found);",
                "        }",
                "    }",
            ]
        else:
            lines += [
                "        double *const square = memory + scratch;",
                "        pt_square(n, covariance, square);",
                *(f"        out[{k}] = averages[{place}];" for k, place in enumerate(chosen)),
                f"        found = average(context, n, square, {field_number}, {count}, wanted, out, square + n * n,",
                "            size - scratch - n * n, worst);",
                "        if (pt_is_error(found))",
                "            return found;",
                "        status = pt_worse(status, found);",
                "    }",
            ]
    lines += [
        f"    compute_level_{number}(&w, above);",
        f"    if (pt_has_overflow(above, pt_state_size(state_{number}, {len(level.kernels)}, n)))",
        "        return PT_OVERFLOW;",
        "    return status;",
        "}",
        "",
    ]
    return lines


__all__ = ["Initial", "print_header", "print_interface"]
