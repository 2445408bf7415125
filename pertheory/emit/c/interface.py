"""The functions that other programs call, in C."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from pertheory.algebra.monomial import Powers
from pertheory.emit.c.frame import Frame
from pertheory.emit.c.header import at_level, signature
from pertheory.emit.c.layers import print_layers
from pertheory.emit.c.levels import LevelText
from pertheory.emit.c.loops import number_text
from pertheory.emit.quoting import c_comment
from pertheory.kernels.language import Level, Program, operands_of
from pertheory.kernels.packing import packing_of


def print_interface(
    program: Program, name: str, frames: Sequence[Frame], levels: Sequence[LevelText], activation: str, undefined: bool
) -> str:
    """The functions that the header declares."""
    parts = [
        _sizes(program, name, frames),
    ]
    for frame, text in zip(frames, levels, strict=True):
        parts.append(_lay(program, frame))
        parts.append(_update(program, name, frame, text))
    parts.append(_first_layer(program, name))
    parts.append(print_layers(program, name, frames, bool(activation), undefined))
    return "\n".join(parts)


def _names(frame: Frame, level: Level) -> list[str]:
    return [frame.shared.name(packing_of(k.symmetry), k.function) for k in level.kernels]


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
        "    w->tiles_size = 0;",
        *(
            f"    w->tiles_size = {frame.shared.use.pt_most}(w->tiles_size, pt_times({copies}, pt_tile(n, {rank})));"
            for rank, copies in frame.copies
        ),
        "    w->tiles = pt_take(memory, &used, pt_times(PT_THREADS, w->tiles_size));",
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
    below = f"state_{(number - 1) % len(program.levels)}, {len(program.levels[number - 1].kernels)}"
    whole = f"pt_state_size(state_{number}, {len(level.kernels)}, inputs)"
    lines = [
        "/* All tensors of a level; it has been laid and bound. */",
        f"static void compute_level_{number}(struct level_{number} *w, double *above)",
        "{",
        "    const size_t n = w->n;",
        *text.fill(text.recursions),
    ]
    for place, function in enumerate(text.recursions):
        lines.append(f"    {function.name}(w, above + pt_state_size(state_{number}, {place}, n));")
    lines += ["}", ""]
    lines += _judge(program, frame)

    def entry(kernel: str, result: str, count: str, checks: list[str], compute: list[str]) -> list[str]:
        """A function of given averages; where they have NaN is looked up only if the result is not finite."""
        return [
            signature(name, at, kernel),
            "{",
            "    struct tables tables;",
            f"    struct level_{number} w;",
            f"    double *own[{max(len(level.averages), 1)}];",
            "    size_t scratch, used;",
            f"    if (inputs == 0 || below == NULL || averages == NULL || hyper == NULL || {result} == NULL ||",
            "        workspace == NULL)",
            "        return PT_BAD_ARGUMENT;",
            f"    if ({name}_workspace_size(inputs) == 0)",
            "        return PT_TOO_LARGE;",
            f"    if (workspace_size < {name}_workspace_size(inputs))",
            "        return PT_SHORT_WORKSPACE;",
            f"    if (!pt_is_room(workspace, workspace_size, below, pt_state_size({below}, inputs)) ||",
            f"        !pt_is_room(workspace, workspace_size, {result}, {count}))",
            "        return PT_BAD_ARGUMENT;",
            f"    if (!pt_is_finite(hyper, {len(program.hyperparameters)}) || !pt_is_finite(&ratio, 1))",
            "        return PT_NOT_FINITE;",
            *checks,
            "    used = lay_tables(inputs, workspace, &tables);",
            f"    (void)lay_level_{number}(inputs, workspace + used, &w, own, &scratch);",
            f"    bind_level_{number}(&w, inputs, &tables, below, averages, hyper, ratio);",
            *compute,
            f"    if (pt_is_finite({result}, {count}))",
            "        return PT_OK;",
            f"    return judge_level_{number}({result}, {count}, pt_given(averages, averages_{number}, "
            f"{len(level.averages)}, inputs), below, averages, inputs);",
            "}",
            "",
        ]

    lines += entry("", "above", whole, _given(len(level.averages)), [f"    compute_level_{number}(&w, above);"])
    for place, (kernel, function) in enumerate(zip(level.kernels, text.recursions, strict=True)):
        read = _averages_read(frame, kernel.averages, kernel.temporaries)
        missing = [f"averages[{n}] == NULL" for n, average in enumerate(level.averages) if average.name in read]
        check = [f"    if ({' || '.join(missing)})", "        return PT_BAD_ARGUMENT;"] if missing else []
        compute = [*text.fill([function], "&w", "w."), f"    {function.name}(&w, result);"]
        count = f"pt_entries(state_{number}[{place}], inputs)"
        lines += entry(kernel.function, "result", count, check, compute)
    return "\n".join(lines)


def _judge(program: Program, frame: Frame) -> list[str]:
    """What results of a level are worth."""
    number, averages = frame.number, frame.level.averages
    from_level = (number - 1) % len(program.levels)
    packings = ", ".join(f"&{frame.packing_name(average.name)}" for average in averages) or "NULL"
    return [
        "/* How averages are stored. */",
        f"static const pt_packing *const averages_{number}[] = {{{packings}}};",
        "",
        "/* Whether results of a level are finite; if not, why: see pt_judged. */",
        f"static int judge_level_{number}(const double *values, size_t count, int found, const double *below,",
        "    double *const *averages, size_t n)",
        "{",
        f"    return pt_judged(values, count, found, below, pt_state_size(state_{from_level}, "
        f"{len(program.levels[from_level].kernels)}, n),",
        f"        averages, averages_{number}, {len(averages)}, n);",
        "}",
        "",
    ]


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
            f"    {{ /* {c_comment(item.key)} */",
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
    lines += ["    return pt_is_finite(state, size) ? PT_OK : PT_OVERFLOW;", "}", ""]
    return "\n".join(lines)


def _scalar(parts: Sequence[tuple[Fraction, Powers]], places: dict[str, int]) -> str:
    texts = []
    for coefficient, powers in parts:
        factors = [] if coefficient == 1 and powers else [number_text(coefficient)]
        factors += [f"hyper[{places[symbol]}]" for symbol, power in powers for _ in range(power)]
        texts.append(" * ".join(factors))
    return " + ".join(texts) or "0.0"
