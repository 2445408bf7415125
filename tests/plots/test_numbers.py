"""Plots show the numbers of the state, in the units that they name."""

from __future__ import annotations

import numpy as np
import pytest

import pertheory as pt
from pertheory import plots
from pertheory.plots.figure import Plot
from pertheory.run.states import Run


def curves(plot: Plot) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    (axes,) = plot.axes
    return {str(line.get_label()): line.get_data() for line in axes.get_lines()}


def test_flow_is_the_component_by_layer(many: Run) -> None:
    plot = plots.flow({"a": many, "b": many}, "F", slots=(0, 1, 2, 1))
    found = curves(plot)
    assert list(found) == ["a", "b"]
    layers, values = found["a"]
    assert list(layers) == [1, 2, 3]
    assert list(values) == [state.at("F", z=(0, 2), H=(1, 1)) for state in many]
    assert plot.axes[0].get_ylabel() == "$F$ at inputs 0, 1, 2, 1"


def test_a_logarithmic_axis_leaves_out_zeros(many: Run) -> None:
    plot = plots.flow(many, "V", log=True)
    assert plot.axes[0].get_yscale() == "log"
    ((_, values),) = curves(plot).values()
    assert list(np.isnan(values)) == [True, False, False]


def test_kernel_is_the_default(many: Run) -> None:
    ((_, values),) = curves(plots.flow(many)).values()
    assert list(values) == [state["K"][0, 0] for state in many]


#: (tensor, powers of K and Theta of its unit) as the book forms its dimensionless ratios, chapters 5, 9 and 11, and the
#: power of 1/n.
RATIOS = {
    "V": (2, 0, 1),
    "G{1}": (1, 0, 1),
    "H{1}": (0, 1, 1),
    "D": (1, 1, 1),
    "F": (1, 1, 1),
    "A": (0, 2, 1),
    "P": (0, 2, 1),
    "R": (-1, 3, 1),
    "K": (1, 0, 0),
}


@pytest.mark.parametrize("name", RATIOS)
def test_ratios_have_the_units_of_the_book(deep: Run, name: str) -> None:
    k, theta, power = RATIOS[name]
    ((depth, values),) = curves(plots.ratio(deep, 64, name)).values()
    own = [float(s[name][0] / (s["K"][0] ** k * s["Theta"][0] ** theta * 64**power)) for s in deep]
    assert values == pytest.approx(own, rel=1e-13)
    assert depth == pytest.approx([layer / 64 for layer in range(1, 61)])


def test_ratio_goes_to_the_slope_at_criticality(deep: Run) -> None:
    """V/(n K^2) = 2/3 l/n for tanh: the plot against what `asymptotics` solves, and the line against both."""
    leading, kernel = (pt.asymptotics("mlp", name, "tanh").value.subs("l", 1) for name in ("V", "K"))
    slope = leading / kernel**2
    found = curves(plots.ratio(deep, 64, slopes={"2/3": float(slope)}))
    (depth, values), (ends, line) = found["$V/(n\\,K^{2})$"], found["slope 2/3"]
    assert line[-1] / ends[-1] == pytest.approx(2 / 3)
    late = (values[-1] - values[-11]) / (depth[-1] - depth[-11])
    assert late == pytest.approx(2 / 3, rel=0.03)


def test_labels_of_ratios(deep: Run) -> None:
    labels = {"V": "$V/(n\\,K^{2})$", "R": "$R\\,K/(n\\,\\Theta^{3})$", "G{1}": "$G^{\\{1\\}}/(n\\,K)$"}
    for name, said in labels.items():
        assert plots.ratio(deep, 64, name).axes[0].get_ylabel() == said


def test_heat_map_is_the_tensor_over_two_inputs(many: Run) -> None:
    def cells(*what: object) -> np.ndarray:
        mesh = plots.kernel(*what).axes[0].collections[0]
        return np.asarray(mesh.get_array())

    assert cells(many) == pytest.approx(many[3]["K"])
    assert cells(many[2], "V")[1, 2] == many[2].at("V", z=(1, 1, 2, 2))
    assert cells(many[2], "F", "abab")[1, 2] == many[2].at("F", z=(1, 1), H=(2, 2))
    assert len(plots.kernel([many[1], many[3]]).axes) == 4  # with the scales


def test_cells_say_their_numbers_where_there_are_few(many: Run) -> None:
    texts = [text.get_text() for text in plots.kernel(many).axes[0].texts]
    assert texts == [f"{value:.2g}" for value in many[3]["K"].ravel()]


def test_phase_diagram_has_its_lines_where_susceptibilities_are_one() -> None:
    """For relu chi_perp = chi_parallel = C_W/2 whatever C_b is; made up here, a product, so that the line is curved."""
    b, w = np.linspace(0.5, 1.5, 41), np.linspace(0.5, 3.0, 51)
    both = np.multiply.outer(b, w)
    plot = plots.phase_diagram(b, w, both, both**2, both, points=[(0.5, 2.0)])
    chi, kernel = plot.axes[:2]
    for axes in (chi, kernel):
        lines = [path.vertices for contour in axes.collections[1:] for path in contour.get_paths()]
        assert len(lines) == 2
        for vertices in lines:
            assert vertices[:, 0] * vertices[:, 1] == pytest.approx(np.ones(len(vertices)), rel=2e-3)
    assert np.asarray(chi.collections[0].get_array()) == pytest.approx(np.log10(both**2))
    assert chi.get_lines()[0].get_data() == ([2.0], [0.5])


def test_phase_diagram_marks_where_there_is_no_fixed_point() -> None:
    table = np.array([[0.5, 2.0], [0.7, np.nan]])
    plot = plots.phase_diagram([0, 1], [1, 2], table, table)
    assert "no fixed point" in [text.get_text() for text in plot.legends[0].get_texts()]
    assert np.ma.getmaskarray(plot.axes[0].collections[0].get_array()).sum() == 1
