"""Which part of the package may import which, and that importing the package costs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pertheory

ROOT = Path(pertheory.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Every room of the house, the lower ones first, with the rooms that its files may import from, wherever in a file the
# import stands. All may import `errors`.
ALLOWED = {
    "errors": "",
    "text": "",
    "html": "text",
    "progress": "text",
    "files": "",
    "graphs": "",
    "algebra": "graphs",
    "draw": "text graphs",
    "rulebook": "text html graphs algebra draw",
    "functions": "text html algebra rulebook",
    "describe": "text html rulebook functions",
    "averages": "algebra functions",
    "derive": "graphs algebra draw rulebook",
    "forms": "graphs algebra rulebook derive",
    "typeset": "text html graphs algebra draw rulebook derive forms",
    "symbols": "progress graphs algebra rulebook averages functions derive typeset",
    "store": "graphs rulebook derive files",
    "worker": "text progress graphs rulebook derive store",
    "recursion": "text html algebra rulebook functions derive forms typeset symbols store worker",
    "closure": "text html progress graphs draw rulebook derive recursion store worker",
    "kernels": "graphs algebra rulebook averages typeset closure worker",
    "witness": "graphs algebra functions recursion closure worker kernels averages",
    "emit": "algebra rulebook functions closure kernels averages witness",
    "run": "text html progress algebra rulebook functions files closure kernels averages emit",
    "plots": "text rulebook run",
    "memo": "",
    "solve": "text html progress graphs algebra rulebook functions symbols typeset worker recursion closure averages "
    "memo",
    "initialise": "text html algebra rulebook functions solve",
    "infer": "text html graphs algebra rulebook functions worker closure averages run solve",
    "targets": "",
    "theory": "progress rulebook functions files store recursion closure kernels targets",
    "simulate": "text progress graphs rulebook functions files run theory",
    "training": "text html progress graphs algebra rulebook functions run theory",
    "book": "text progress graphs algebra rulebook functions derive typeset worker recursion closure memo solve "
    "training infer theory",
    "cli": "progress draw rulebook functions files typeset store worker recursion closure targets theory averages run "
    "simulate book describe solve initialise training infer plots",
    "__main__": "cli",
}
ROOMS = list(ALLOWED)


def room(path):
    inside = path.relative_to(ROOT)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imported(path, names=False):
    """Every module that a file imports when it runs, wherever in the file, or all that it takes of them by name."""
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
            if names or node.module == "pertheory":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def ours(path):
    """The files of ours that a file imports, as (room, module)."""
    for module in imported(path):
        parts = module.split(".")
        if parts[0] == "pertheory" and len(parts) > 1 and not parts[1].startswith("_"):
            yield parts[1], module


def test_every_room_is_listed():
    assert {room(path) for path in FILES} - {"__init__"} == set(ROOMS)


def test_rooms_are_listed_from_the_ground_up():
    for number, name in enumerate(ROOMS):
        assert set(ALLOWED[name].split()) <= set(ROOMS[:number]), name


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_what_lies_below_it(name):
    own = [path for path in FILES if room(path) == name]
    assert own
    for path in own:
        for other, module in ours(path):
            assert other in {*ALLOWED[name].split(), "errors", name}, f"{path.relative_to(ROOT)} imports {module}"


def test_no_two_files_hold_each_other():
    """No circle of imports between files, those inside functions counted."""
    files = {".".join(("pertheory", *path.relative_to(ROOT).with_suffix("").parts)): path for path in FILES}
    files = {name.removesuffix(".__init__"): path for name, path in files.items() if name != "pertheory.__init__"}
    below = {}
    for name, path in files.items():
        named = {alias for module in imported(path, names=True) for alias in (module, module.rpartition(".")[0])}
        below[name] = (named & set(files)) - {name}
    waiting = dict(below)
    while free := [name for name, others in waiting.items() if not others & set(waiting)]:
        for name in free:
            del waiting[name]
    assert not waiting, f"a circle among {sorted(waiting)}"


# What printers know of the rooms below: the language of kernels, where entries of packed arrays stand, the data of a
# routine for averages, and what a self-test holds. The door of a target, its file target.py, may know more.
PRINTABLE = {
    "pertheory.kernels.language",
    "pertheory.kernels.packing",
    "pertheory.averages.plan",
    "pertheory.witness.records",
}


def test_printers_know_the_kernel_language_and_nothing_else_of_the_kernels():
    for path in FILES:
        if room(path) == "emit" and path.name != "target.py":
            for other, module in ours(path):
                below = {"kernels", "averages", "witness", "closure"}
                assert other not in below or module in PRINTABLE, f"{path.name} imports {module}"


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


def test_drawing_loads_nothing_heavy():
    code = "import pertheory as pt; r = pt.derive('mlp', 'V'); r.draw().to_svg(); r.explain(1).to_tikz()"
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
