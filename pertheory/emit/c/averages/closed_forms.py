"""Closed forms of averages over two inputs as C functions over blocks of pairs, with what rounding did to them."""

from __future__ import annotations

from pertheory.averages.plan import AveragePlan, ExactCode
from pertheory.emit.c.averages.functions import HELPERS, expression, needed_of, number

#: What is given, and its error, in units of rounding; with each the arguments that it reads.
_INPUTS = {
    "a": ("a", "0.0", ("a",), ()),
    "b": ("bs[{at}]", "0.0", ("bs",), ()),
    "k": ("ks[{at}]", "0.0", ("ks",), ()),
    "gap": ("gaps[{at}]", "2 * (gaps[{at}] + 2 * DBL_EPSILON * a * bs[{at}])", ("gaps",), ("a", "bs")),
}
#: What an operation makes of the errors `e`, `f` of its operands `x`, `y`; `v` is its result, whose rounding
#: is added to all.
_ERRORS = {
    "add": "{e} + {f}",
    "multiply": "fabs({x}) * {f} + fabs({y}) * {e}",
    "scale": "{c} * {e}",
    "reciprocal": "{e} * {v} * {v}",
    "sqrt": "({v} > 0 ? {e} / (2 * {v}) : sqrt({e} / DBL_EPSILON))",
    "exp": "{v} * {e}",
    "drop": "(1 - {v}) * {e}",
    "abs": "{e}",
    "copysign": "{e}",
    "angle": "(fabs({y}) * {e} + fabs({x}) * {f}) / ({x} * {x} + {y} * {y} + DBL_MIN)",
}


def print_exact(plan: AveragePlan) -> str:
    """For each group that has closed forms functions of them, with and without errors, in one table."""
    groups = [
        (f"avg_group{n}", group.singles, group.pairs, group.safe)
        for n, group in enumerate(plan.groups)
        if group.singles is not None and group.pairs is not None
    ]
    codes = [code for _, singles, pairs, _ in groups for code in (singles, pairs)]
    called = {code.instructions[n].operation for code in codes for n in needed_of(code.instructions, code.results)}
    return "\n".join([*(HELPERS[own] for own in ("angle",) if own in called), *(_group(*group) for group in groups)])


def _group(name: str, singles: ExactCode, pairs: ExactCode, safe: tuple[float, float]) -> str:
    forms = {"singles": (singles, False), "pairs": (pairs, False), "one": (singles, True), "two": (pairs, True)}
    functions = [_function(f"{name}_{own}", code, bounded) for own, (code, bounded) in forms.items()]
    names = ", ".join(f"{name}_{own}" for own in forms)
    table = f"static const avg_forms {name}_forms = {{{names}, {number(safe[0])}, {number(safe[1])}}};\n"
    return "\n".join([*functions, table])


def _function(name: str, code: ExactCode, bounded: bool) -> str:
    """A statement for each value that is used, and for its error; the compiler takes those of `a` out of the loop.

    Without errors so many pairs at once that compilers make vectors of them: what is given has room for whole ones.
    """
    needed = needed_of(code.instructions, code.results)
    names: dict[int, tuple[str, str]] = {}
    body = []
    read: set[str] = set()
    at = "p" if bounded else "p + k"
    for n, instruction in enumerate(code.instructions):
        if n not in needed:
            continue
        operation, operands, value = instruction
        if operation == "constant":
            names[n] = number(value), number(abs(value))
            continue
        if operation in _INPUTS:
            text, error, *reads = _INPUTS[operation]
            text, error = text.format(at=at), error.format(at=at)
            read.update(*reads[: 1 + bounded])
        else:
            known = [names[m] for m in operands]
            text = expression(instruction, [own for own, _ in known])
            (x, e), (y, f) = known[0], known[-1]
            error = _ERRORS[operation].format(x=x, e=e, y=y, f=f, v=f"v{n}", c=number(abs(value)))
            error = f"{error} + fabs(v{n})"
        names[n] = f"v{n}", f"e{n}" if error != "0.0" else error
        body.append(f"const double v{n} = {text};")
        body += [f"const double e{n} = {error};"] if bounded and error != "0.0" else []
    for place, n in enumerate(code.results):
        value_of, error_of = names[n]
        body.append(f"out[{place}][p] = {value_of};" if bounded else f"own[{place}][k] = {value_of};")
        body += [f"errors[{place}][p] = DBL_EPSILON * ({error_of});"] * bounded
    if body and not bounded:
        count = len(code.results)
        body = [
            f"double own[{count}][AVG_TOGETHER];",
            "const size_t some = n - p < AVG_TOGETHER ? n - p : AVG_TOGETHER;",
            "size_t k;",
            "for (k = 0; k < AVG_TOGETHER; k++) {",
            *(f"    {line}" for line in body),
            "}",
            *(f"memcpy(out[{place}] + p, own[{place}], some * sizeof(double));" for place in range(count)),
        ]
    if code.results:
        read.update(("out", "n"), ("errors",) * bounded)
    unused = [own for own in ("bs", "ks", "gaps", "out", "errors", "a", "n") if own not in read]
    lines = [
        f"static void {name}(size_t n, double a, const double *bs, const double *ks, const double *gaps,",
        f"{' ' * (len(name) + 13)}double *const *out, double *const *errors)",
        "{",
        *(["    size_t p;"] if body else []),
        *(f"    (void){own};" for own in unused),
        *(
            [
                f"    for (p = 0; p < n; {'p++' if bounded else 'p += AVG_TOGETHER'}) {{",
                *(f"        {line}" for line in body),
                "    }",
            ]
            if body
            else []
        ),
        "}",
    ]
    return "\n".join(lines) + "\n"
