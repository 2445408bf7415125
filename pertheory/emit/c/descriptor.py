"""What an emitted theory says of itself: tensors, requests, hyperparameters, the hash of its source."""

from __future__ import annotations

from collections.abc import Sequence

from pertheory.emit.c.frame import Frame
from pertheory.kernels.language import Program

#: Stands for the hash of the source while that is computed.
HASH = "SHA256-OF-THIS-SOURCE"


def c_text(value: str) -> str:
    """A C string literal."""
    safe = "".join(c if c.isascii() and c.isprintable() else "?" for c in value)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"').replace("??", '?""?') + '"'


def print_descriptor(program: Program, name: str, frames: Sequence[Frame], activation: str) -> str:
    """The const tables and the descriptor that points to them."""
    what = {key: (observable, title) for key, observable, _, title in program.glossary}
    lines = ["/* permutations of the slots */"]
    rows = []
    for kernel in program.levels[-1].kernels:
        flat = ", ".join(str(g) for element in kernel.symmetry for g in element)
        lines.append(f"static const unsigned char symmetry_{kernel.function}[] = {{{flat}}};")
        observable, title = what[kernel.key]
        rows.append(
            f"    {{{c_text(kernel.key)}, {c_text(observable)},\n     {c_text(title)}, {kernel.rank}, "
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
                f"    {{{c_text(average.name)}, {number}, {fields.index(average.field)}, {average.rank}, "
                f"{len(average.classes)}, {sizes}}},"
            )
    lines += ["static const pt_request all_requests[] = {", *requests, "};"]
    lines.append("static const char *const hyperparameters[] = {")
    lines += [f"    {c_text(symbol)}," for symbol, _ in program.hyperparameters]
    lines += ["};", "static const double hyperparameter_defaults[] = {"]
    lines += [f"    {float(value)!r}," for _, value in program.hyperparameters]
    lines.append("};")
    lines += [
        f"const pt_theory {name}_theory = {{",
        "    PERTHEORY_ABI,",
        f"    {c_text(name)},",
        f"    {c_text(program.network)},",
        f"    {c_text(activation)},",
        f'    "{HASH}",',
        f"    {program.order}, {int(program.closure == 'exact')}, {int(program.inputs == 'one')},",
        f"    {len(program.levels[-1].kernels)}, tensors,",
        f"    {len(program.hyperparameters)}, hyperparameters, hyperparameter_defaults,",
        f"    {len(program.levels)}, {len(requests)}, all_requests",
        "};",
        "",
    ]
    return "\n".join(lines)
