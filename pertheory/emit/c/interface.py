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
from pertheory.kernels.language import Program, operands_of
from pertheory.kernels.packing import packing_of


def print_interface(
    program: Program, name: str, frames: Sequence[Frame], levels: Sequence[LevelText], activation: str, undefined: bool
) -> str:
    """The functions that the header declares."""
    parts = [_sizes(name, frames)]
    for frame, text in zip(frames, levels, strict=True):
        parts += [_lay(frame), _update(program, name, frame, text)]
    parts += [_first_layer(program, name, frames[-1]), print_layers(program, name, frames, bool(activation), undefined)]
    return "\n".join(parts)


def _sizes(name: str, frames: Sequence[Frame]) -> str:
    lines = ["/* ---- states ---- */", ""]
    for frame in frames:
        own = (frame.shared.name(packing_of(k.symmetry), k.function) for k in frame.level.kernels)
        lines.append(
            f"static const pt_packing *const {frame.result.packings}[] = {{{', '.join('&' + p for p in own)}}};"
        )
    state = frames[-1].result
    count = len(state.places)
    lines.append(f"""
size_t {name}_state_size(size_t inputs)
{{
    const size_t size = inputs == 0 ? 0 : {state.size("inputs")};
    return size > (size_t)-1 / sizeof(double) ? 0 : size;
}}
""")
    for what, value in (
        ("size", f"pt_entries({state.packings}[tensor], inputs)"),
        ("offset", f"pt_state_size({state.packings}, tensor, inputs)"),
    ):
        lines.append(f"""size_t {name}_tensor_{what}(int tensor, size_t inputs)
{{
    if (tensor < 0 || tensor >= {count} || {name}_state_size(inputs) == 0)
        return 0;
    return {value};
}}
""")
    for what, read, written in (("unpack", "packed", "dense"), ("pack", "dense", "packed")):
        lines.append(f"""int {name}_{what}(int tensor, size_t inputs, const double *{read}, double *{written})
{{
    if (tensor < 0 || tensor >= {count} || inputs == 0 || packed == NULL || dense == NULL)
        return PT_BAD_ARGUMENT;
    if ({name}_state_size(inputs) == 0)
        return PT_TOO_LARGE;
    pt_{what}({state.packings}[tensor], inputs, {read}, {written});
    return PT_OK;
}}
""")
    return "\n".join(lines)


def _lay(frame: Frame) -> str:
    """Divides the workspace of a level; without memory it only counts."""
    number, level = frame.number, frame.level
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
        lines.append(f"    w->{name} = below + {frame.source.start(tensor.key, 'n')};")
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
    lines = [
        "/* All tensors of a level; it has been laid and bound. */",
        f"static void compute_level_{number}(struct level_{number} *w, double *above)",
        "{",
        "    const size_t n = w->n;",
        *text.fill(text.recursions),
    ]
    for kernel, function in zip(level.kernels, text.recursions, strict=True):
        lines.append(f"    {function.name}(w, above + {frame.result.start(kernel.key, 'n')});")
    lines += ["}", ""]
    lines += _judge(frame)

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
            f"    if (!pt_is_room(workspace, workspace_size, below, {frame.source.size('inputs')}) ||",
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

    lines += entry(
        "",
        "above",
        frame.result.size("inputs"),
        _given(len(level.averages)),
        [f"    compute_level_{number}(&w, above);"],
    )
    for kernel, function in zip(level.kernels, text.recursions, strict=True):
        read = _averages_read(frame, kernel.averages, kernel.temporaries)
        missing = [f"averages[{n}] == NULL" for n, average in enumerate(level.averages) if average.name in read]
        check = [f"    if ({' || '.join(missing)})", "        return PT_BAD_ARGUMENT;"] if missing else []
        compute = [*text.fill([function], "&w", "w."), f"    {function.name}(&w, result);"]
        lines += entry(kernel.function, "result", frame.result.entries(kernel.key, "inputs"), check, compute)
    return "\n".join(lines)


def _judge(frame: Frame) -> list[str]:
    """What results of a level are worth."""
    number, averages = frame.number, frame.level.averages
    packings = ", ".join(f"&{frame.packing_name(average.name)}" for average in averages) or "NULL"
    return [
        "/* How averages are stored. */",
        f"static const pt_packing *const averages_{number}[] = {{{packings}}};",
        "",
        "/* Whether results of a level are finite; if not, why: see pt_judged. */",
        f"static int judge_level_{number}(const double *values, size_t count, int found, const double *below,",
        "    double *const *averages, size_t n)",
        "{",
        f"    return pt_judged(values, count, found, below, {frame.source.size('n')},",
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


def _first_layer(program: Program, name: str, last: Frame) -> str:
    one = program.inputs == "one"
    places = {name: place for place, (name, _) in enumerate(program.hyperparameters)}
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
    for item in program.initial:
        if not item.constant and not item.gram:
            continue
        lines += [
            f"    {{ /* {c_comment(item.key)} */",
            f"        double *out = state + {last.result.start(item.key, 'inputs')};",
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
