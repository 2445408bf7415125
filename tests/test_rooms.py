"""Which part of the package may import which, and that importing the package costs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pertheory

ROOT = Path(pertheory.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
EVERYWHERE = {"errors"}
# The grammar of names, which whoever reads rules and whoever writes code asks.
SHARED = {"pertheory.rulebook.names"}

# What the files of a folder may import of ours, besides their own folder and the error types. A folder that is not
# listed may import all but the command line.
ALLOWED = {
    "graphs": set(),
    "algebra": {"graphs"},
    "derive": {"graphs", "algebra", "rulebook"},
    "rulebook": {"graphs", "algebra"},
    "averages": {"kernels", "algebra", "rulebook", "graphs"},
    "emit": {"kernels", "algebra", "averages"},
    "training": {"graphs", "algebra", "rulebook"},
    "solve": {"graphs", "algebra", "rulebook", "recursion", "closure", "averages", "work", "remembered"},
    "book": {
        "training",
        "solve",
        "remembered",
        "graphs",
        "algebra",
        "rulebook",
        "derive",
        "recursion",
        "typeset",
        "work",
        "closure",
        "numeric",
        "averages",
    },
}


def room(path):
    inside = path.relative_to(ROOT)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imported(path):
    """Every module that a file imports when it runs, wherever in the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if is_type_checking(node):
            waiting.extend(node.orelse)
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import hides where it leads"
            yield from (
                [f"{node.module}.{a.name}" for a in node.names] if node.module == "pertheory" else [node.module]
            )


def rooms_of(path):
    for module in imported(path):
        parts = module.split(".")
        if parts[0] == "pertheory" and len(parts) > 1 and module not in SHARED:
            yield parts[1], module


@pytest.mark.parametrize("name", ALLOWED)
def test_a_room_imports_only_what_lies_below_it(name):
    own = [path for path in FILES if room(path) == name]
    assert own
    for path in own:
        for other, module in rooms_of(path):
            assert other in ALLOWED[name] | EVERYWHERE | {name}, f"{path.relative_to(ROOT)} imports {module}"


# the language of kernels, where entries of packed arrays stand, and the data of a routine for averages
PRINTABLE = {
    "pertheory.kernels.language",
    "pertheory.kernels.packing",
    "pertheory.averages.plan",
}


def test_printers_know_the_kernel_language_and_nothing_else_of_the_kernels():
    for path in FILES:
        if room(path) == "emit":
            for other, module in rooms_of(path):
                assert other not in {"kernels", "averages"} or module in PRINTABLE, f"{path.name} imports {module}"


def module(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def links():
    """For each file those that it imports, wherever in it; a folder that is imported for a file in it is not one."""
    known = {module(path): path for path in FILES}
    found = {}
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {
            f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        own = set(imported(path)) - {name.rpartition(".")[0] for name in named & set(known)}
        found[path] = {known[name] for name in (named & set(known)) | own if name in known}
    return found


# Rooms in which no two files hold each other.
WITHOUT_CIRCLES = {"algebra", "graphs", "rulebook", "derive", "solve", "training", "book"}


def test_no_two_files_hold_each_other():
    graph = links()

    def reached(start):
        waiting, seen = [start], set()
        while waiting:
            for other in graph[waiting.pop()]:
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return seen

    for path in FILES:
        if room(path) in WITHOUT_CIRCLES:
            assert path not in reached(path), f"{path.relative_to(ROOT)} imports what imports it"


def test_nothing_imports_the_command_line():
    for path in FILES:
        if room(path) != "cli":
            for other, module in rooms_of(path):
                assert other != "cli", f"{path.relative_to(ROOT)} imports {module}"


def test_only_the_command_line_imports_the_book():
    for path in FILES:
        if room(path) not in {"cli", "book"}:
            for other, module in rooms_of(path):
                assert other != "book", f"{path.relative_to(ROOT)} imports {module}"


def test_graphs_and_derivation_use_no_algebra_package():
    heavy = {"sympy", "symengine", "numpy", "scipy", "networkx", "mpmath"}
    for path in FILES:
        if room(path) == "book" and path.parent.name == "settings":
            continue  # compares in exact algebra, carries arrays or puts numbers in
        if room(path) in {"graphs", "algebra", "derive", "forms", "kernels", "emit", "book"}:
            found = {module.split(".")[0] for module in imported(path)} & heavy
            assert not found, f"{path.relative_to(ROOT)} imports {found}"


def loaded_by(code):
    listing = "import sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{listing}"], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    return set(result.stdout.split())


HEAVY = {"sympy", "scipy", "numpy", "symengine", "networkx", "mpmath"}


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_by("import pertheory")
    assert "pertheory" in loaded
    assert not loaded & HEAVY


def test_deriving_and_writing_a_recursion_loads_nothing_heavy():
    code = "import pertheory as pt; r = pt.derive('mlp', 'V', order=1); r.to_text(); r.to_latex(); r.to_json()"
    assert not loaded_by(code) & HEAVY


def test_a_public_function_is_not_hidden_by_the_folder_of_the_same_name():
    code = (
        "import pertheory as pt, pertheory.derive.layer\n"
        "assert callable(pt.derive), pt.derive\n"
        "assert len(pt.derive('mlp', 'G').terms) == 2"
    )
    assert "pertheory" in loaded_by(code)


def test_every_public_name_can_be_reached():
    for name in pertheory.__all__:
        assert getattr(pertheory, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pertheory.nothing  # noqa: B018
