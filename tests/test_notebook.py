"""The notebook of a whole session runs, and what it shows is there."""

import ast
from pathlib import Path

import pytest

import pertheory as pt

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("pandas")
pytest.importorskip("xarray")

ROOT = Path(__file__).parents[1]
SESSION = ROOT / "examples" / "session.ipynb"


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """The cells after they have run, in a folder of their own."""
    notebook = nbformat.read(SESSION, as_version=4)
    place = tmp_path_factory.mktemp("session")
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(place)}}
    ).execute()
    assert not list(place.iterdir())  # nothing is left behind
    return notebook


def shown(session, start):
    """What the cell shows whose text starts so."""
    (cell,) = (cell for cell in session.cells if cell.cell_type == "code" and cell.source.startswith(start))
    (output,) = (output for output in cell.outputs if output.output_type == "execute_result")
    return output.data


def test_the_notebook_is_kept_without_its_outputs():
    notebook = nbformat.read(SESSION, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)


def test_no_cell_writes_an_error_or_a_warning(session):
    for cell in session.cells:
        for output in cell.get("outputs", []):
            told = output.get("name") == "stdout" or "left" in output.get("text", "") or "%" in output.get("text", "")
            assert output.output_type == "execute_result" or told, output


@pytest.mark.parametrize(
    ("start", "kind", "words"),
    [
        ("V = ", "text/latex", r"V^{(\ell+1)\{0\}}_{1 2 3 4}"),
        ("V = ", "text/html", "<summary>2 diagrams as pictures</summary>"),
        ("V.explain", "text/html", "insert"),
        ("V.single_input()", "text/latex", r"\chi_{\parallel}^{2}\, \frac{n_{\ell}}{n_{\ell-1}}\, {V^{(\ell)}}"),
        ('V.single_input().for_activation("relu")', "text/latex", r"\frac{5}{4}\, \left(C_{W}^{(\ell+1)}\right)^{2}"),
        ('V.where("1=2", "3=4")', "text/latex", r"{V^{(\ell)}_{1 1 3 3}}"),
        ("from sympy import", "text/plain", "asin("),
        ("pt.asymptotics", "text/plain", "value=1/(6*l)"),
        ("difference = ", "text/html", "<figure"),
        ("pt.describe", "text/html", "z(1) z(2) H(3,4) @ 13,24"),
        ("pt.name", "text/latex", r"X^{(\ell+1)\{0\}}"),
        ("theory = ", "text/html", "four-point vertex"),
        ("rule = ", "text/html", "z&#39; = b + W s(z) + U z"),
        ("import sympy", "text/html", "here at input 0 in every slot"),
        ("run[5]", "text/html", "layer 5"),
        ("frame = ", "text/html", "slot 4"),
        ("import tempfile", "text/plain", "mlp_order1.py"),
    ],
)
def test_objects_show_themselves(session, start, kind, words):
    start = f"{start}\n" if start in ("run[5]", "V.single_input()") else start
    cells = [c for c in session.cells if c.cell_type == "code" and f"{c.source}\n".startswith(start)]
    (output,) = (output for output in cells[0].outputs if output.output_type == "execute_result")
    assert words in output.data[kind]
    assert len(output.data["text/plain"]) < 1000


def test_the_changed_rule_gives_other_numbers(session):
    numbers = ast.literal_eval(shown(session, "other = ")["text/plain"])
    assert set(numbers) == set("VABDF")
    usual = pt.theory("mlp", "V").compile()([[1.0, 0.5, 0.2]], "tanh", 5, C_b=0.0, C_W=1.0)
    assert numbers["V"][0] == pytest.approx(usual[5]["V"].item(), rel=1e-9)
    assert all(first != second for first, second in numbers.values())
