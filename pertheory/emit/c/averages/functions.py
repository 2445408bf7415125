"""Derivatives of functions as one C function."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pertheory.averages.plan import AveragePlan, Instruction, PieceCode

#: Functions with their C expression; the second argument of tanh and of its slope is exp(-2 |u|), which they share.
CALLS = {
    "exp": "exp({0})",
    "expm1": "expm1({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "tan": "tan({0})",
    "sinh": "sinh({0})",
    "cosh": "cosh({0})",
    "tanh": "avg_tanh({0}, {1})",
    "sech2": "avg_sech2({1})",
    "logistic": "avg_logistic({0})",
    "softplus": "avg_softplus({0})",
    "erf": "erf({0})",
    "log": "log({0})",
    "reciprocal": "1.0 / {0}",
    "sqrt": "sqrt({0})",
    "abs": "fabs({0})",
    "drop": "-expm1(-{0})",
    "copysign": "copysign({0}, {1})",
    "angle": "avg_angle({0}, {1})",
}
HELPERS = {
    "tanh": """/* tanh(u) where tail = exp(-2 |u|) */
static double avg_tanh(double u, double tail)
{
    return fabs(u) < 0.3 ? tanh(u) : copysign((1 - tail) / (1 + tail), u);
}
""",
    "sech2": """/* 1 / cosh(u)^2 where tail = exp(-2 |u|) */
static double avg_sech2(double tail)
{
    return 4 * tail / ((1 + tail) * (1 + tail));
}
""",
    "angle": """/* The angle of a point in the half plane x >= 0: atan2 to a unit or two in the last place; without
 * branches, so that many points go together. It is measured from 0, 45 or 90 degrees, whichever is nearest; the
 * quotient of polynomials is that of Moshier's Cephes. */
static inline double avg_angle(double y, double x)
{
    const double t = fabs(y), u = 0.5 + copysign(0.5, 2.41421356237309504880 * x - t); /* zero or one */
    const double v = 0.5 - copysign(0.5, 0.66 * x - t), turns = v - u + 1;
    const double z = (u * t - v * x) / (v * t + u * x + DBL_MIN), s = z * z;
    const double p = (((-8.750608600031904122785e-1 * s - 1.615753718733365076637e1) * s - 7.500855792314704667340e1) *
                          s - 1.228866684490136173410e2) * s - 6.485021904942025371773e1;
    const double q = ((((s + 2.485846490142306297962e1) * s + 1.650270098316988542046e2) * s +
                       4.328810604912902668951e2) * s + 4.853903996359136964868e2) * s + 1.945506571482613964425e2;
    return copysign(turns * (0.25 * AVG_PI) + ((z * (s * p / q) + turns * 3.061616997868382943065e-17) + z), y);
}
""",
    "logistic": """static double avg_logistic(double u)
{
    const double tail = exp(-fabs(u));
    return (u < 0 ? tail : 1.0) / (1 + tail);
}
""",
    "softplus": """static double avg_softplus(double u)
{
    return fmax(u, 0.0) + log1p(exp(-fabs(u)));
}
""",
}


def number(value: float) -> str:
    """A double as a C constant."""
    if math.isinf(value):
        return "HUGE_VAL" if value > 0 else "-HUGE_VAL"
    return repr(float(value))


def print_functions(plan: AveragePlan) -> str:
    """A C function that evaluates all lines at up to AVG_BLOCK points."""
    used = {i.operation for function in plan.functions for piece in function.pieces for i in piece.instructions}
    text = [HELPERS[name] for name in HELPERS if name in used]
    text.append(
        "/* All lines at n points: AVG_BLOCK numbers for each line. */\n"
        "static void avg_lines(size_t n, const double *x, double *out)\n{\n"
        "    size_t k;\n"
        "    for (k = 0; k < n; k++) {\n"
        "        const double z = x[k];\n"
        "        out[k] = z;"
    )
    for function in plan.functions:
        place = {line: n for n, line in enumerate(plan.lines)}
        rows = [place[function.name, order] for order in function.orders]
        for n, piece in enumerate(function.pieces):
            last = n == len(function.pieces) - 1
            if len(function.pieces) > 1:
                condition = "" if last else f"if (z <= {number(piece.upper)}) "
                text.append("        " + ("else " if n else "") + condition + "{")
            else:
                text.append("        {")
            text += ["            " + line for line in _piece(piece, rows)]
            text.append("        }")
    text.append("    }\n}\n")
    return "\n".join(text)


def print_edges(plan: AveragePlan) -> str:
    """Where panels of quadrature should end, where functions change fast and over which width, and kinks."""
    edges = sorted({edge for function in plan.functions for edge in function.edges})
    kinks = sorted({piece.upper for function in plan.functions for piece in function.pieces[:-1]})
    places = sorted({place for function in plan.functions for place in function.places})
    tables = (
        ("double avg_edges[]", "AVG_EDGES", "0", [number(edge) for edge in edges]),
        ("double avg_kinks[]", "AVG_KINKS", "0", [number(kink) for kink in kinks]),
        (
            "double avg_places[][2]",
            "AVG_PLACES",
            "{0}",
            [f"{{{number(place)}, {number(width)}}}" for place, width in places],
        ),
    )
    return "".join(
        f"#define {size} {len(rows)}\nstatic const {name} = {{\n{table_rows(rows or [none])}}};\n"
        for name, size, none, rows in tables
    )


def table_rows(rows: Iterable[str]) -> str:
    """Rows of a table, as many on a line as fit."""
    lines, line = [], "   "
    for row in rows:
        if len(line) + len(row) > 118:
            lines.append(line)
            line = "   "
        line += f" {row},"
    return "\n".join([*lines, line]) + "\n"


def _piece(piece: PieceCode, rows: list[int]) -> list[str]:
    """Statements of one piece: a constant for each instruction that is used, then the results."""
    needed = needed_of(piece.instructions, piece.results)
    names: dict[int, str] = {}
    tails: dict[str, str] = {}
    lines = []
    for n, instruction in enumerate(piece.instructions):
        if n not in needed:
            continue
        if instruction.operation == "x":
            names[n] = "z"
            continue
        if instruction.operation == "constant":
            names[n] = number(instruction.value)
            continue
        arguments = [names[operand] for operand in instruction.operands]
        if instruction.operation in ("tanh", "sech2"):
            if arguments[0] not in tails:
                tails[arguments[0]] = f"e{n}"
                lines.append(f"const double e{n} = exp(-2 * fabs({arguments[0]}));")
            arguments.append(tails[arguments[0]])
        names[n] = f"v{n}"
        lines.append(f"const double v{n} = {expression(instruction, arguments)};")
    return lines + [f"out[{row} * AVG_BLOCK + k] = {names[n]};" for row, n in zip(rows, piece.results, strict=True)]


def needed_of(instructions: Sequence[Instruction], results: Iterable[int]) -> set[int]:
    """Numbers of the instructions that some results need."""
    needed = set(results)
    for n in range(len(instructions) - 1, -1, -1):
        if n in needed:
            needed.update(instructions[n].operands)
    return needed


def expression(instruction: Instruction, arguments: list[str]) -> str:
    """An instruction as a C expression."""
    match instruction.operation:
        case "add":
            return " + ".join(arguments)
        case "multiply":
            return " * ".join(arguments)
        case "scale":
            return f"{number(instruction.value)} * {arguments[0]}"
        case "power":
            return f"pow({arguments[0]}, {number(instruction.value)})"
    return CALLS[instruction.operation].format(*arguments)
