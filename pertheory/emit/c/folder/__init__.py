"""A folder that stands alone: a theory in C with what builds, checks, explains and uses it.

`selftest`  what the self-test holds, and its text
the rest    templates, one for each file of the folder
"""

from __future__ import annotations

from pertheory.emit.c.folder.selftest import fill, print_selftest, template
from pertheory.emit.c.printer import Source
from pertheory.emit.quoting import fortran, markdown, pkg_config
from pertheory.kernels.language import Program
from pertheory.rulebook.names import checked
from pertheory.witness.records import SelfTest

#: Templates by the name of what becomes of them.
TEMPLATES = {
    "Makefile": "Makefile.in",
    "CMakeLists.txt": "CMakeLists.txt.in",
    "README.md": "README.md.in",
    "example.c": "example.c.in",
    "example.f90": "example.f90.in",
    "example.py": "example.py.in",
}


def print_folder(
    program: Program, source: Source, header: str, values: SelfTest, activation: str, version: str
) -> dict[str, str]:
    """The texts of all files by name; the same bytes for the same program.

    Args:
        program: what is printed.
        source: its C text, with the averages of the activation.
        header: the text of pertheory.h.
        values: what the self-test compares with.
        activation: of the built-in averages, for people.
        version: of pertheory, for pkg-config.
    """
    name = source.name
    kernels = program.levels[-1].kernels
    what = {key: (observable, title) for key, observable, _, title in program.glossary}
    one = program.inputs == "one"
    gram = ("1.0", "0.8") if one else ("1.0", "0.4", "0.4", "0.8")
    kernel = next(number for number, own in enumerate(kernels) if own.key == program.levels[0].covariances[0][1])
    replaced = {
        "NAME": name,
        "ORDER": str(program.order),
        "VERSION": version,
        "APPROXIMATE": ""
        if program.closure == "exact"
        else "\n**An approximation: pairs only, the rule is not sound.**",
        "INPUTS": (
            "Every slot carries\nthe same input: tensors have one index."
            if one
            else "Tensors\nhave one index for each slot, over the inputs."
        ),
        "HYPER": ", ".join(checked(symbol) for symbol, _ in program.hyperparameters),
        "GRAM": ", ".join(gram),
        "FGRAM": ", ".join(f"{x}_c_double" for x in gram),
        "GRAMSIZE": str(len(gram)),
        "DIAGONAL": " (one value an input)" if one else "",
        "COUNT": str(len(program.hyperparameters)),
        "FHYPER": ", ".join(f"{float(value)!r}_c_double" for _, value in program.hyperparameters),
        "FIRST": fortran(kernels[kernel].key),
        "FIRSTNUMBER": str(kernel),
        "TENSORLIST": repr([(own.key, own.rank) for own in kernels]),
        "HYPERDICT": repr({symbol: float(value) for symbol, value in program.hyperparameters}),
        "NETWORK": checked(program.network),
    }
    readme = {
        "TITLE": markdown(program.title.rstrip(".")),
        "ACTIVATION": markdown(activation),
        "TENSORS": "\n".join(
            f"| {markdown(own.key)} | `{markdown(what[own.key][0])}` | {markdown(what[own.key][1])} |"
            for own in kernels
        ),
    }
    texts = {f"{name}.c": source.source, f"{name}.h": source.header, "pertheory.h": header}
    texts["selftest.c"] = print_selftest(program, name, values)
    for target, own in TEMPLATES.items():  # only people read the first one
        texts[target] = fill(template(own), replaced | readme if target == "README.md" else replaced)
    texts[f"{name}.pc"] = fill(template("pkgconfig.in"), replaced | {"ACTIVATION": pkg_config(activation)})
    return texts
