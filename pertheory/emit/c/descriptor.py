"""What an emitted theory says of itself: tensors, requests, hyperparameters, the hash of its source."""

from __future__ import annotations

from pertheory.emit.quoting import c_string
from pertheory.kernels.language import Program
from pertheory.rulebook.names import checked


def print_descriptor(program: Program, name: str, activation: str, digest: str) -> str:
    """The const tables and the descriptor that points to them."""
    what = {key: (observable, title) for key, observable, _, title in program.glossary}
    lines = ["/* ---- descriptor ---- */", "", "/* permutations of the slots */"]
    rows = []
    for kernel in program.levels[-1].kernels:
        flat = ", ".join(str(g) for element in kernel.symmetry for g in element)
        lines.append(f"static const unsigned char symmetry_{checked(kernel.function)}[] = {{{flat}}};")
        observable, title = what[kernel.key]
        rows.append(
            f"    {{{c_string(kernel.key)}, {c_string(observable)},\n     {c_string(title)}, {kernel.rank}, "
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
                f"    {{{c_string(average.name)}, {number}, {fields.index(average.field)}, {average.rank}, "
                f"{len(average.classes)}, {sizes}}},"
            )
    lines += ["static const pt_request all_requests[] = {", *requests, "};"]
    lines.append("static const char *const hyperparameters[] = {")
    lines += [f"    {c_string(symbol)}," for symbol, _ in program.hyperparameters]
    lines += ["};", "static const double hyperparameter_defaults[] = {"]
    lines += [f"    {float(value)!r}," for _, value in program.hyperparameters]
    lines.append("};")
    lines += [
        f"const pt_theory {name}_theory = {{",
        "    PERTHEORY_ABI,",
        f"    {c_string(name)},",
        f"    {c_string(program.network)},",
        f"    {c_string(activation)},",
        f'    "{digest}",',
        f"    {program.order}, {int(program.closure == 'exact')}, {int(program.inputs == 'one')},",
        f"    {len(program.levels[-1].kernels)}, tensors,",
        f"    {len(program.hyperparameters)}, hyperparameters, hyperparameter_defaults,",
        f"    {len(program.levels)}, {len(requests)}, all_requests",
        "};",
        "",
    ]
    return "\n".join(lines)
