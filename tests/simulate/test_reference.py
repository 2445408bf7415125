"""The sampled networks of tests/reference, drawn by another program, against ours: no theory on either side."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt

FOLDER = Path(__file__).parents[1] / "reference"
RECORDS = json.loads((FOLDER / "sampled_networks.json").read_text(encoding="utf-8"))["records"]
HYPER = ("C_b", "C_W", "lambda_b", "lambda_W")
#: C_b, inputs and layer; tensors, widths and networks; the degree of the fit in 1/n.
PLAN = {
    (0.3, 2, 2): (("G", "H", *"VDFABPQRSTU"), {12: 30_000, 48: 30_000}, 1),
    (0.0, 1, 3): (("G", "V", "V6"), {12: 60_000, 24: 60_000, 48: 30_000}, 2),
}


def records(case):
    return [r for r in RECORDS if (r["C_b"], len(r["inputs"]), r["depth"]) == case]


@cache
def fits(case):
    first, (tensors, plan, degree) = records(case)[0], PLAN[case]
    drawn = [
        pt.simulate(
            "mlp",
            first["inputs"],
            "tanh",
            first["depth"],
            width,
            tensors=list(tensors),
            samples=number,
            layers=[first["depth"]],
            **{name: first[name] for name in HYPER},
        )
        for width, number in plan.items()
    ]
    return drawn[0], pt.extrapolate(drawn, degree=degree)


def pulls(case):
    """Ours less theirs, in units of both standard errors; T stands in the file in the order 1, 3, 2, 4."""
    layer = case[2]
    simulation, found = fits(case)
    place = {(fit.tensor, fit.slots): fit for fit in found}
    for record in records(case):
        name = {"K": "G", "Theta": "H", "G1": "G", "H1": "H"}.get(record["tensor"], record["tensor"])
        if name not in PLAN[case][0]:
            continue
        order = int(record["tensor"] in ("G1", "H1"))
        slots = [int(digit) - 1 for digit in record["sample_pattern"]]
        if name == "T":
            slots = [slots[0], slots[1], slots[3], slots[2]]
        fit = place[name, simulation.at(name, layer, slots).slots]
        yield record, (fit.coefficients[order] - record["value"]) / np.hypot(fit.stderr(order), record["stderr"])


@pytest.mark.parametrize("case", list(PLAN), ids=["two inputs, layer 2", "one input, layer 3"])
def test_sampled_networks_of_another_program_are_reproduced(case):
    """Two inputs at layer 2, all components; one input at layer 3, preactivations to V6: compiling takes long."""
    found = list(pulls(case))
    values = np.array([pull for record, pull in found if abs(record["value"]) > 1e-12])
    worst, pull = max(found, key=lambda pair: abs(pair[1]))
    assert abs(pull) < 4.5, (worst, pull)
    assert np.sqrt(np.mean(values**2)) < 1.5
    assert len(values) > (10 if case[1] == 2 else 2)


def test_the_mean_ntk_of_relu_networks_is_the_one_in_the_file():
    """n (E[H_01] - Theta_01) at n = 12, which the file has from backpropagation written out by hand."""
    record = json.loads((FOLDER / "relu_ntk_samples.json").read_text(encoding="utf-8"))
    stored = next(own for own in record["samples"] if own["n"] == 12)
    found = pt.simulate(
        "mlp",
        record["inputs"],
        "relu",
        record["depth"],
        12,
        tensors=["H"],
        samples=100_000,
        layers=[record["depth"]],
        C_W=record["C_W"],
        lambda_W=record["lambda_W"],
    ).at("H", 4, (0, 1))
    mean, error = 12 * (found.mean - found.orders[0]), 12 * found.stderr
    assert error < 0.06
    assert abs(mean - stored["mean"]) < 3.5 * error
