"""What a reader who had not seen the code fell over: each is one line that says what would be right, or right."""

import numpy as np
import pytest

import pertheory as pt
from pertheory.errors import InputError

ROWS = [[1.0, 0.5], [0.2, -1.0]]


@pytest.fixture(scope="module")
def theory():
    return pt.theory("mlp", ["V"], 0)


def refused(command, *words):
    done = command(*words)
    assert done.code == 2
    assert done.err.count("\n") == 1
    return done.err


@pytest.fixture
def command(capsys):
    from pertheory.cli.verbs import execute

    class Done:
        def __init__(self, *words):
            self.code = execute(list(words))
            self.out, self.err = capsys.readouterr()

    return Done


def test_a_row_of_empty_cells_is_no_row_that_may_be_dropped(command, tmp_path):
    path = tmp_path / "inputs.csv"
    path.write_text("1.0,0.5\n,\n0.2,-1.0\n")
    said = refused(command, "run", "--activation", "tanh", "--depth", "1", "--inputs", str(path))
    assert "line 2, column 1: '' is not a number" in said
    path.write_text("1.0,0.5\n\n0.2,-1.0\n \n")  # lines with nothing on them are none
    assert command("run", "--activation", "tanh", "--depth", "1", "--inputs", str(path), "--order", "0").code == 0


def test_paths_that_are_no_files_are_called_so(command, tmp_path):
    assert "is not a file" in refused(command, "derive", "V", "--network", str(tmp_path / ".."))
    (tmp_path / "rule.csv").write_text("name = 1\n")
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    assert "leads nowhere" in refused(command, "run", "--activation", "x", "--depth", "1", "--inputs", str(loop))


def test_orders_and_equations_are_told_apart_from_names(command):
    assert "'V{-1}': an order is a whole number from 0 to 999, not '-1'" in refused(command, "derive", "V{-1}")
    assert "pertheory check --equation 8.97" in refused(command, "describe", "8.97")
    assert "pertheory check --equation 8.97" in refused(command, "describe", "(8.97)")


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("mlp", {"V": 1}), {}, "tensors are names"),
        (("mlp", ["V"]), {"pairs": [(1, 2)]}, "pairs belong to an Observable"),
        (("mlp", "all"), {"pairs": 7}, "pairs belong to an Observable"),
        (("mlp", ["V"]), {"executor": "x"}, "an executor is a concurrent.futures.Executor, not 'x'"),
        (("mlp", ["V"]), {"store": "x"}, "a store is a pertheory.store.Store"),
        (("mlp", ["V"]), {"progress": 3}, "progress must be a function"),
    ],
)
def test_theories_say_what_they_take(arguments, options, words):
    with pytest.raises(InputError, match=words):
        pt.theory(*arguments, 0, **options)


def test_what_has_no_order_is_no_list(theory):
    model = theory.compile()
    with pytest.raises(InputError, match="widths must be a list"):
        model(ROWS, "tanh", 3, widths={64, 128})
    with pytest.raises(InputError, match=r"C_W needs one value .* not an array of shape \(2, 1\)"):
        model(ROWS, "tanh", 2, C_W=np.array([[1.0], [2.0]]))


def test_results_are_not_changed_by_way_of_another_name(theory):
    state = theory.compile()(ROWS, "tanh", 2)[2]
    for name in ("K", "G", "V"):
        with pytest.raises(ValueError, match="read-only"):
            state[name][(0,) * state[name].ndim] = 99.0
    with pytest.raises(KeyError, match=r"no tensor 'V\{1\}' in this state"):
        state["V{1}"]
    with pytest.raises(InputError, match=r"a term of V is a number from 1 to 11, .* not '1'"):
        theory.recursion("V").explain("1")
