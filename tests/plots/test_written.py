"""How plots are written: the same bytes, light and dark, no text of a user as a formula; and what is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest

import pertheory as pt
from pertheory import plots
from pertheory.plots.figure import CURVES, INK
from pertheory.run.states import Run
from tests.planted import PAYLOADS


def test_svg_takes_the_colour_of_the_reader(many: Run) -> None:
    for plot in (plots.flow(many, "V"), plots.kernel(many), plots.ratio(many, 8)):
        text = plot.to_svg()
        root = ElementTree.fromstring(text)
        assert root.find("{http://www.w3.org/2000/svg}title").text == plot.about
        assert "prefers-color-scheme:dark" in text
        assert "<style>svg:root" not in plot.to_svg(inline=True)
        assert INK not in text.replace(f"color:{INK}", "", 1)
        assert "date" not in text.lower()
        assert plot._repr_svg_() == text
        named = {element.get("id") for element in root.iter()} - {None}
        used = set(re.findall(r"(?:url\(|href=\")#(\w+)", text))
        assert used <= named
        assert not [name for name in named if re.search(r"_\d+$", name)]  # would stand on a page with every plot
        above = {child: element for element in root.iter() for child in element}
        said = [element for element in root.iter() if element.tag.endswith("}text")]
        assert said
        for element in said:  # without a colour of its own a text is black, on black as well
            styles = element.get("style", "") + above[element].get("style", "")
            assert "fill: currentColor" in styles or "fill: #" in styles, "".join(element.itertext())


def test_curves_are_seen_on_white_and_on_black() -> None:
    for colour in CURVES:  # contrast of 3, as WCAG asks of graphics
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        assert 1.05 / (luminance + 0.05) > 3
        assert (luminance + 0.05) / 0.05 > 3


def test_same_bytes_in_every_process() -> None:
    code = (
        "import numpy as np\nfrom pertheory import plots\n"
        "b = np.linspace(0, 1, 5); t = 0.5 + np.add.outer(b, b)\n"
        "print(plots.phase_diagram(b, b, t, t, t, points=[(0.5, 0.5)]).to_svg())"
    )
    outputs = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1


@pytest.mark.filterwarnings("ignore:Glyph")  # what no font has is shown as a box, with a warning
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_label_is_no_formula_and_no_markup(many: Run, name: str) -> None:
    text = plots.flow({PAYLOADS[name][:200]: many, "$\\frac$": many}, "V").to_svg()
    root = ElementTree.fromstring(text)
    assert not {e.tag.rpartition("}")[2] for e in root.iter()} & {"script", "a", "foreignObject"}
    assert any("$\\frac$" in "".join(e.itertext()) for e in root.iter() if e.tag.endswith("}text"))


def test_nothing_is_shown_and_nothing_global_changes(many: Run) -> None:
    code = (
        "import matplotlib; before = dict(matplotlib.rcParams)\nfrom pertheory import plots\n"
        "plots.phase_diagram([0, 1], [0, 1], [[1, 2], [1, 2]], [[1, 2], [1, 2]]).to_svg()\n"
        "assert dict(matplotlib.rcParams) == before\nassert not matplotlib.get_backend().startswith('module')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_matplotlib_is_said_in_one_line() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\nimport pertheory as pt\n"
        "try:\n    from pertheory import plots\nexcept pt.MissingPackageError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "plots need matplotlib, which is not installed: pip install matplotlib, or pip install 'pertheory[plot]'\n"
    )


@pytest.fixture(scope="module")
def relu() -> Run:
    """R is NaN everywhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pt.theory("mlp", ["V", "R"], 1).compile(inputs="one")([[1.0, 2.0]], "relu", 3, C_W=2.0)


TWO = [[1.0, 2.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda run, _: plots.flow({}), "a flow is drawn of a run"),
        (lambda run, _: plots.flow([run]), "a flow is drawn of a run"),
        (lambda run, _: plots.flow(run, "V6"), "no tensor 'V6'"),
        (lambda run, _: plots.flow(run, "nothing"), "nothing"),
        (lambda run, _: plots.flow(run, "V", slots=(0, 0)), "V has 4 slots, not 2"),
        (lambda run, _: plots.flow(run, "V", slots=(0, 0, 0, 7)), "slots"),
        (lambda run, _: plots.flow(run, "H{1}", log=True), "is negative at some layer"),
        (lambda run, _: plots.flow({str(i): run for i in range(25)}), "25 curves"),
        (lambda _, relu: plots.flow(relu, "V", slots=(0, 0, 0, 1)), "slots"),
        (lambda run, _: plots.flow({"a" * 100: run, "a" * 101: run}), "look alike"),
        (lambda run, _: plots.ratio(run, 64, slopes={"a": "2/3"}), "a slope is a finite number"),
        (lambda run, _: plots.ratio(run, 0), "width"),
        (lambda run, _: plots.ratio(run, 64, "V", at=3), "slots"),
        (lambda run, _: plots.kernel(run, "V", "aab"), "give 4 letters a and b"),
        (lambda run, _: plots.kernel(run, "V", "aaaa"), "give 4 letters a and b"),
        (lambda run, _: plots.kernel([]), "up to 6"),
        (lambda _, relu: plots.kernel(relu), "inputs='many'"),
        (lambda *_: plots.phase_diagram([0, 1], [2, 1], TWO, TWO), "C_W: must be a list"),
        (lambda *_: plots.phase_diagram([0, 1], [1, 2, 3], TWO, TWO), r"\(C_b, C_W\) = \(2, 3\), not \(2, 2\)"),
        (lambda *_: plots.phase_diagram([0, 1], [1, 2], TWO, [["a", 1], [1, 1]]), "array of numbers"),
        (lambda *_: plots.phase_diagram([0, 1], [1, 2], TWO, [[-1, 1], [1, 1]]), "must not be negative"),
        (lambda *_: plots.phase_diagram([0, 1], [1, 2], TWO, np.full((2, 2), np.nan)), "nowhere a number"),
    ],
)
def test_what_cannot_be_drawn_is_refused(many: Run, relu: Run, call: Callable[..., object], said: str) -> None:
    with pytest.raises(pt.InputError, match=said) as caught:
        call(many, relu)
    assert "\n" not in str(caught.value)


def test_a_divergent_tensor_is_an_error_with_its_reason(relu: Run) -> None:
    for draw in (plots.flow, lambda run, name: plots.ratio(run, 64, name)):
        with pytest.raises(pt.DivergentAverageError, match=r"R is NaN at layers 2, 3: .*infinite"):
            draw(relu, "R")
