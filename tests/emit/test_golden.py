"""The text of a few small recursions, NumPy and C side by side in one file that a person can review.

After a change that is meant to change text: ``python -m tests.emit.test_golden`` writes the file anew; read the diff.
"""

from pathlib import Path

import pertheory as pt
from pertheory.emit.c.printer import print_c
from pertheory.emit.numpy.printer import print_numpy
from pertheory.kernels.lower import lower

GOLDEN = Path(__file__).parent / "golden.md"


def python_function(text, name):
    start = text.index(f"def {name}(")
    return text[start : text.index("\n\n\n", start)]


def c_function(text, name):
    """A function with the comment above it."""
    at = text.index(f"static void {name}(")
    start = text.rindex("/* ", 0, at)
    return text[start : text.index("\n}\n", at) + 2]


def golden():
    parts = ["# Emitted text, NumPy and C\n\nWritten by `python -m tests.emit.test_golden`; compared by the test.\n"]
    program = lower(pt.theory("mlp", ["V", "F"], 1))
    numpy, c = print_numpy(program), print_c(program).source
    shown = [("G", "recursion_G", "recursion_G_0"), ("V", "recursion_V", "recursion_V_0")]
    shown.insert(1, ("H", "recursion_H", "recursion_H_0"))
    shown.append(("F", "recursion_F", "recursion_F_0"))
    for temporary in program.levels[0].temporaries[:1]:
        shown.insert(2, (temporary.name, f"temporary_{temporary.name}", f"fill_{temporary.name}_0"))
    for title, python_name, c_name in shown:
        parts.append(f"## {title}\n\n```python\n{python_function(numpy, python_name)}\n```\n")
        parts.append(f"```c\n{c_function(c, c_name)}\n```\n")
    one = lower(pt.theory("mlp", "V", 1), "one", kinked=True)
    parts.append("## V, one input, kinks\n")
    parts.append(f"```python\n{python_function(print_numpy(one), 'recursion_V')}\n```\n")
    parts.append(f"```c\n{c_function(print_c(one).source, 'recursion_V_0')}\n```\n")
    return "\n".join(parts)


def test_the_text_is_the_reviewed_one():
    assert golden() == GOLDEN.read_text(encoding="utf-8")


if __name__ == "__main__":
    GOLDEN.write_text(golden(), encoding="utf-8")
