"""Whole layers: averages and tensors of one sublayer after the other, and all layers of a run."""

from __future__ import annotations

from collections.abc import Sequence

from pertheory.emit.c.frame import Frame
from pertheory.emit.c.support import Support
from pertheory.emit.quoting import c_comment
from pertheory.kernels.language import Program


def print_layers(program: Program, name: str, frames: Sequence[Frame], built_in: bool, undefined: bool) -> str:
    """The size of the workspace, one step, and a run of all layers; `undefined`: averages may have no value."""
    one = program.inputs == "one"
    last = len(frames) - 1
    symbols = len(program.hyperparameters)
    lines = ["/* ---- whole layers ---- */", ""]
    if undefined:
        lines += [
            "static int avg_fill(size_t inputs, const double *covariance, size_t count, const int *requests,",
            "    double *const *out, double *workspace, size_t workspace_size, double *worst_error, double *seed);",
            "",
        ]
    first = 0
    for frame in frames:
        lines += _advance(frame, first, one, f"{name}_builtin_average" if built_in else "", undefined)
        first += len(frame.level.averages)
    lines += [f"size_t {name}_workspace_size(size_t inputs)", "{", "    size_t fixed, most = 0;"]
    lines += ["    if (inputs == 0)", "        return 0;"]
    lines += ["    fixed = lay_tables(inputs, NULL, NULL);"]
    for frame in frames[:-1]:
        lines.append(f"    fixed = pt_plus(fixed, {frame.result.size('inputs')});")
    for frame in frames:
        lines += [
            "    {",
            f"        struct level_{frame.number} w;",
            f"        double *own[{max(len(frame.level.averages), 1)}];",
            "        size_t scratch;",
            f"        size_t size = lay_level_{frame.number}(inputs, NULL, &w, own, &scratch);",
            *([] if one else ["        scratch = pt_plus(scratch, pt_times(inputs, inputs));"]),
        ]
        if undefined:
            lines.append(f"        size = pt_plus(size, {frame.result.size('inputs')});")
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
            f"        {frame.result.size('n')};",
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
    absent = f"average = {name}_builtin_average" if built_in else "return PT_BAD_ARGUMENT"
    choose = ["    if (average == NULL)", f"        {absent};"]
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
        f"    if (!pt_is_room(workspace, workspace_size, below, {name}_state_size(inputs)) ||",
        f"        !pt_is_room(workspace, workspace_size, above, {name}_state_size(inputs)))",
        "        return PT_BAD_ARGUMENT;",
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
        "    if (!pt_is_room(workspace, workspace_size, states, depth * size))",
        "        return PT_BAD_ARGUMENT;",
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
        "        if (!pt_is_finite(ratio, 1))",
        "            return PT_OVERFLOW;",
        f"        found = advance(inputs, &tables, states + (layer - 1) * size, hyper + layer * {symbols},",
        "            ratio, average, context, states + layer * size, workspace + used,",
        "            workspace_size - used, worst_error);",
        "        if (pt_is_error(found)) /* a covariance that is none after averages that were inaccurate is theirs */",
        "            return found == PT_BAD_ARGUMENT && status != PT_OK ? PT_UNSUPPORTED : found;",
        "        status = pt_worse(status, found);",
        "    }",
        "    return status;",
        "}",
        "",
    ]
    return "\n".join(lines)


def _reach(use: Support, built_in: str, entries: str) -> list[str]:
    """Beyond this the built-in averages are not asked: products of two covariances would overflow."""
    if not built_in:
        return []
    return [
        f"        if (average == {built_in} && !{use.pt_is_within}({entries}, 1e140))",
        "            return PT_UNSUPPORTED;",
    ]


def _averages(frame: Frame, first: int, one: bool, built_in: str, undefined: bool) -> list[str]:
    """The averages of a sublayer; with a seed, what has no value becomes numbers."""
    number, level, use = frame.number, frame.level, frame.shared.use
    deep = " " * (12 if one else 8)
    lines = [
        f"/* The averages of level {number}; `memory` is room for the routine."
        f"{' With a seed only what has no value, as numbers.' if undefined else ''} */",
        f"static int average_level_{number}(size_t n, const double *below, pt_average_fn average, void *context,",
        f"    double *const *averages, double *memory, size_t size, double *worst{', double *seed' * undefined})",
        "{",
        "    int status = PT_OK;",
    ]
    if not level.covariances:
        lines.append(
            "    (void)n, (void)below, (void)average, (void)context, (void)averages, (void)memory, (void)size;"
        )
        lines.append("    (void)worst;")
    for field_number, (field, key) in enumerate(level.covariances):
        chosen = [place for place, average in enumerate(level.averages) if average.field == field]
        ends = f"{len(chosen)}, wanted, out, " + ("memory, size" if one else "memory + n * n, size - n * n") + ", worst"
        inputs, covariance = ("1", "covariance + input") if one else ("n", "memory")
        call = f"average(context, {inputs}, {covariance}, {field_number}, {ends})"
        if undefined:
            call = f"seed != NULL ? avg_fill({inputs}, {covariance}, {ends}, seed)\n{deep}    : {call}"
        lines += [
            f"    {{ /* averages over {c_comment(field)} */",
            f"        static const int wanted[] = {{{', '.join(str(first + place) for place in chosen)}}};",
            f"        const double *covariance = below + {frame.source.start(key, 'n')};",
            f"        double *out[{len(chosen)}];",
            "        int found;",
            f"        if (!pt_is_finite(covariance, {frame.source.entries(key, 'n')}))",
            "            return PT_OVERFLOW;",
            *_reach(use, built_in, f"covariance, {frame.source.entries(key, 'n')}"),
            "        for (size_t input = 0; input < n; input++) {"
            if one
            else f"        {use.pt_square}(n, covariance, memory);",
            *(f"{deep}out[{k}] = averages[{place}]{' + input' if one else ''};" for k, place in enumerate(chosen)),
            f"{deep}found = {call};",
            f"{deep}if (pt_is_error(found))",
            f"{deep}    return found;",
            f"{deep}status = pt_worse(status, found);",
            *(["        }"] if one else []),
            "    }",
        ]
    return [*lines, "    return status;", "}", ""]


def _advance(frame: Frame, first: int, one: bool, built_in: str, undefined: bool) -> list[str]:
    """One sublayer up: averages, then tensors."""
    number, level = frame.number, frame.level
    undefined = undefined and bool(level.covariances)
    count = frame.result.size("n")
    compute = [f"    compute_level_{number}(&w, above);"]
    if undefined:
        room = "memory + scratch, size - scratch"
        again = f"(void)average_level_{number}(n, below, NULL, NULL, averages, {room}, NULL, &seed);"
        compute = [
            f"    if ((status == PT_UNDEFINED || status == PT_DIVERGENT) && average == {built_in}) {{",
            "        /* Averages without a value (an input of zeros is at a kink) become numbers, then others:",
            "         * what stays as it is does not depend on them. What multiplies them vanishes with the input. */",
            "        double seed = 1;",
            f"        {again}",
            f"        compute_level_{number}(&w, above);",
            f"        {again}",
            f"        compute_level_{number}(&w, memory + used);",
            f"        {frame.shared.use.pt_agree}(above, memory + used, {count});",
            "    } else",
            f"        compute_level_{number}(&w, above);",
        ]
    return [
        *_averages(frame, first, one, built_in, undefined),
        f"static int advance_level_{number}(size_t n, const struct tables *tables, const double *below,",
        "    const double *hyper, double ratio, pt_average_fn average, void *context, double *above, double *memory,",
        "    size_t size, double *worst)",
        "{",
        f"    struct level_{number} w;",
        f"    double *averages[{max(len(level.averages), 1)}], error = 0.0;",
        f"    size_t scratch{', used' if undefined else ''};",
        "    int status, found;",
        f"    {'used = ' if undefined else '(void)'}lay_level_{number}(n, memory, &w, averages, &scratch);",
        f"    bind_level_{number}(&w, n, tables, below, averages, hyper, ratio);",
        f"    status = average_level_{number}(n, below, average, context, averages, memory + scratch, size - scratch,",
        f"        &error{', NULL' if undefined else ''});",
        "    if (worst != NULL && !(error <= *worst))",
        "        *worst = error;",
        "    if (pt_is_error(status))",
        "        return status;",
        *compute,
        f"    found = judge_level_{number}(above, {count}, status, below, averages, n);",
        "    if (pt_is_error(found))",
        "        return found;",
        "    return pt_worse(found, status == PT_ACCURACY || !(error <= 1e-9) ? PT_ACCURACY : PT_OK);",
        "}",
        "",
    ]
