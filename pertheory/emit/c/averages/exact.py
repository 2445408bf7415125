"""Closed forms of averages over two inputs as C functions over blocks of pairs."""

from __future__ import annotations

from pertheory.averages.plan import AveragePlan, ExactCode
from pertheory.emit.c.averages.functions import expression, needed_of, number

_INPUTS = {"a": "a", "b": "bs[p]", "k": "ks[p]", "gap": "gaps[p]"}


def print_exact(plan: AveragePlan) -> str:
    """Two functions for each group that has closed forms."""
    return "\n".join(
        _function(f"avg_group{n}_{name}", code)
        for n, group in enumerate(plan.groups)
        for name, code in (("singles", group.singles), ("pairs", group.pairs))
        if code is not None
    )


def _function(name: str, code: ExactCode) -> str:
    """One statement for each value that is used; the compiler takes those of `a` alone out of the loop."""
    needed = needed_of(code.instructions, code.results)
    names: dict[int, str] = {}
    body = []
    for n, instruction in enumerate(code.instructions):
        if n not in needed:
            continue
        if instruction.operation == "constant":
            names[n] = number(instruction.value)
        elif instruction.operation in _INPUTS:
            names[n] = instruction.operation
            if instruction.operation != "a":
                body.append(f"const double {instruction.operation} = {_INPUTS[instruction.operation]};")
        else:
            names[n] = f"v{n}"
            body.append(f"const double v{n} = {expression(instruction, [names[m] for m in instruction.operands])};")
    body += [f"out[{place}][p] = {names[n]};" for place, n in enumerate(code.results)]
    used = {code.instructions[n].operation for n in needed}
    unused = "".join(
        f" (void){argument};"
        for operation, argument in (("a", "a"), ("b", "bs"), ("k", "ks"), ("gap", "gaps"))
        if operation not in used
    )
    if not code.results:
        unused += " (void)n; (void)out;"
    head = (
        f"static void {name}(size_t n, double a, const double *bs, const double *ks, const double *gaps,\n"
        f"{' ' * (len(name) + 13)}double *const *out)\n{{\n"
    )
    loop = "    size_t p;\n    for (p = 0; p < n; p++) {\n" + "".join(f"        {line}\n" for line in body) + "    }\n"
    return (
        head
        + (f"   {unused}\n" if unused and not code.results else "")
        + (
            (loop if not unused else loop.replace("    size_t p;\n", f"    size_t p;\n   {unused}\n"))
            if code.results
            else ""
        )
        + "}\n"
    )
