"""Posteriors of theories: what comes back, on the command line as well, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from pertheory.book.chapters import chapters
from pertheory.book.check import select
from pertheory.book.deciders import DECIDERS
from pertheory.infer.writing import QUANTITIES, written
from tests.cli.conftest import Command, folder, pertheory  # noqa: F401

TRAIN, TARGETS, TEST = [[0.8, -0.5], [-0.3, 1.2]], [[0.7, -0.2], [-0.4, 0.5]], [[0.5, 0.6], [1.0, -1.0]]
HYPER = {"C_b": 0.1, "C_W": 1.3}


@pytest.fixture(scope="module")
def theory():
    return pt.theory("mlp", ["G", "V"], order=1)


@pytest.fixture(scope="module")
def found(theory):
    return pt.posterior(theory, TRAIN, TARGETS, TEST, 0.1, activation="tanh", depth=3, width=50, **HYPER)


def test_shapes_and_totals(found):
    assert [own.shape for own in found.mean] == [(2, 2)] * 2
    assert [own.shape for own in found.covariance] == [(2, 2, 2, 2)] * 2
    assert found.total("mean") == pytest.approx(found.mean[0] + found.mean[1] / 50)
    assert found.covariance[1] == pytest.approx(found.covariance[1].transpose(2, 3, 0, 1))
    assert found.covariance[0][0, 0, 0, 1] == 0 != found.covariance[1][0, 0, 0, 1]


def test_other_tensors_of_a_theory_are_left_alone(found):
    """All thirteen tensors are in the theory; only the outputs' cumulants are computed, to the same numbers."""
    every = pt.theory("mlp", order=1)
    other = pt.posterior(every, TRAIN, TARGETS, TEST, 0.1, activation="tanh", depth=3, **HYPER)
    assert all(np.array_equal(one, two) for one, two in zip(other.mean, found.mean, strict=True))
    assert set(other.layers[-1].cumulants) == {(1, 1), (2, 0)}


def test_evidence_of_every_depth_is_that_of_the_shallower_networks(theory, found):
    two = pt.posterior(theory, TRAIN, TARGETS, TEST, 0.1, activation="tanh", depth=2, width=50, **HYPER)
    one = found.evidence()
    assert [own.depth for own in one] == [1, 2, 3]
    assert one[1].coefficients == pytest.approx(two.log_evidence)
    assert one[2].total == pytest.approx(found.total("log_evidence"))
    assert [own.width for own in found.evidence([20, 40])] == [20, 40] * 3
    for wrong in (["a"], [0], [float("nan")], 20):
        with pytest.raises(pt.InputError, match="widths must be"):
            found.evidence(wrong)


def test_a_depth_at_which_the_kernel_is_singular_has_no_evidence(theory):
    """Three inputs in the plane without a bias: their kernel has rank two until a nonlinear layer has acted."""
    train, targets = [*TRAIN, [1.0, 1.0]], [[0.1], [0.2], [0.3]]
    deep = pt.posterior(theory, train, targets, TEST, activation="tanh", depth=2)
    assert deep.evidence()[0].coefficients is None
    assert deep.record()["evidence"][0] == {"depth": 1, "leading": None, "first": None}


def test_widths_enter_as_ratios(theory):
    """A first layer three times as wide has a third of the fluctuations: linear in 1/n_1 and 1/n_2."""
    options = {"activation": "tanh", "depth": 3, **HYPER}
    equal = pt.posterior(theory, TRAIN, TARGETS, TEST, **options).log_evidence[1]
    last = pt.posterior(theory, TRAIN, TARGETS, TEST, widths=[10**9, 10], **options).log_evidence[1]
    wide = pt.posterior(theory, TRAIN, TARGETS, TEST, widths=[30, 10], **options)
    assert wide.log_evidence[1] == pytest.approx(last + (equal - last) / 3, rel=1e-6)
    assert wide.width == 10


def test_kinked_activations_have_posteriors_and_hidden_kernels(theory):
    found = pt.posterior(theory, TRAIN, TARGETS, TEST[:1], 0.1, activation="relu", depth=3, C_b=0.2, C_W=1.6)
    leading, first = found.kernel(2)
    assert leading.shape == first.shape == (3, 3)
    assert np.isfinite(first).all()
    assert first == pytest.approx(first.T)


def test_training_of_the_last_layer_alone_agrees_with_bayes_at_infinite_width():
    """Then the tangent kernel is the kernel, and the mean prediction after training is the posterior mean."""
    rates = {"lambda_b": [0, 0, HYPER["C_b"]], "lambda_W": [0, 0, HYPER["C_W"]]}
    state = pt.theory("mlp", ["G", "H"], order=0).compile()(TRAIN + TEST, "tanh", 3, **HYPER, **rates)[3]
    theta = state["Theta"]
    assert theta == pytest.approx(state["K"], rel=1e-12)
    found = pt.posterior(pt.theory("mlp", ["G"], order=0), TRAIN, TARGETS, TEST, activation="tanh", depth=3, **HYPER)
    assert found.mean[0] == pytest.approx(theta[2:, :2] @ np.linalg.solve(theta[:2, :2], TARGETS))
    assert np.array_equal(found.last_layer[0], found.mean[0])


def test_a_rule_that_is_not_sound_marks_its_posterior(pertheory: Command, data) -> None:  # noqa: F811
    status, out, err = pertheory(*data, "--network", "skip", "--closure", "pairs", "--format", "json")
    assert status == 0
    assert json.loads(out)["closure"] == "pairs"
    assert "approximation" in err
    assert "an approximation" in pertheory(*data, "--network", "skip", "--closure", "pairs").out.splitlines()[0]


def test_inputs_that_are_given_twice_say_the_same_twice(theory):
    twice = pt.posterior(theory, TRAIN, TARGETS, [TRAIN[0], TEST[0], TEST[0]], 0.1, depth=3, **HYPER)
    assert twice.mean[1][1] == pytest.approx(twice.mean[1][2])
    shift = twice.kernel(2)[1]
    assert shift[3, 0] == pytest.approx(shift[4, 0])
    assert shift[2, 1] == pytest.approx(shift[0, 1])


def test_it_shows_itself(found):
    page = found._repr_html_()
    assert "log evidence, first" in page
    assert "<script" not in page
    assert repr(found) == "Posterior(mlp of depth 3 to order 1/n^1; 2 test points, 2 outputs, noise 0.1)"


def test_a_nearly_singular_kernel_is_said(theory):
    near = [[0.8, -0.5], [0.8, -0.5 + 1e-6]]
    with pytest.warns(UserWarning, match=r"nearly singular, so that the posterior is known to 0\.00"):
        pt.posterior(theory, near, [[0.1], [0.2]], TEST, 3e-7, depth=2)


def test_a_large_expansion_parameter_is_said(theory):
    with pytest.warns(UserWarning, match="expansion parameter is .* at width 4"):
        pt.posterior(theory, TRAIN, [[5.0, 0], [0, 5.0]], TEST, activation="tanh", depth=3, width=4, **HYPER)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"noise": -0.1}, "noise is a variance, a finite number from 0, not -0.1"),
        ({"targets": [0.7, -0.4]}, "targets must have one row per input and one column per output"),
        ({"targets": [[0.7]]}, "targets has 1 row, train has 2"),
        ({"test": [[1.0]]}, "test has 1 number a row, train has 2"),
        ({"test": [[1.0, np.nan]]}, "test: row 1 holds NaN"),
        ({"train": [[1.0, 2.0]] * 2}, "singular with noise 0"),
        ({"width": 1}, "more outputs than the last hidden layer has neurons, 1"),
        ({"width": 8, "widths": [8, 9]}, "width is the last of widths, 9, not 8"),
        ({"theory": "mlp"}, "a theory is made by pt.theory"),
        ({"theory": pt.theory("mlp", ["V"], order=1)}, "the theory has no G{1}"),
        ({"depth": 0}, "depth"),
        ({"gamma": 1}, "no hyperparameter 'gamma'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_makes_no_sense_is_one_line(theory, changes, words):
    given = {"theory": theory, "train": TRAIN, "targets": TARGETS, "test": TEST, "depth": 3} | changes
    with pytest.raises(pt.InputError) as caught:
        pt.posterior(**given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_what_is_written_is_what_the_book_s_decider_says(quantity):
    """The text of the order 1/n, read as a statement of chapter 6; with another coefficient it is none."""
    equation = select(chapters(), [], ["6.mean"])[0][1]
    heads = {
        "log_evidence": "log_p = eps [",
        "mean": "mean(1) = phi(1) + eps [",
        "covariance": "cov(1,2) = GG(1,2) + eps [",
        "kernel": "kernel(1,2) = K(1,2) + eps [",
    }
    text = written(quantity).replace("a_i(", "a(").replace("a_j(", "a(").replace("delta_ij ", "")
    decide = DECIDERS["posterior"].decide
    assert decide(equation, heads[quantity] + text.replace("n_L^2", "n_L n_L") + "]").status == "verified"
    assert decide(equation, heads[quantity] + text.replace("1/2", "1/3") + "]").status == "mismatch"


def test_six_points_and_orders_are_written_in_latex():
    text = written("log_evidence", 2, latex=True)
    assert r"V_{(6)}{}_{abcdef}" in text
    assert r"V^{\{1\}}{}_{abcd}" in text
    with pytest.raises(pt.InputError, match="none of log_evidence"):
        written("entropy")


@pytest.fixture
def data(folder: Path) -> list[str]:  # noqa: F811
    for name, table in (("X", TRAIN), ("Y", TARGETS), ("T", TEST)):
        Path(f"{name}.csv").write_text("\n".join(",".join(map(str, row)) for row in table))
    flags = ["--train", "X.csv", "--targets", "Y.csv", "--test", "T.csv", "--activation", "tanh", "--depth", "3"]
    return ["infer", *flags, "--C_b", "0.1", "--C_W", "1.3", "--noise", "0.1", "--no-cache"]


def test_the_command_writes_the_promised_record(pertheory: Command, data, found) -> None:  # noqa: F811
    status, out, err = pertheory(*data, "--width", "50", "--format", "json", "--hidden")
    assert (status, err) == (0, "")
    record = json.loads(out)
    assert record["schema"] == "pertheory.infer/1"
    assert (record["noise"], record["outputs"]) == (0.1, 2)
    for name in ("mean", "covariance", "log_evidence"):
        own = record[name]
        assert np.array(own["leading"]) == pytest.approx(np.array(getattr(found, name)[0]))
        assert np.array(own["total"]) == pytest.approx(np.array(own["leading"]) + np.array(own["first"]) / 50)
    assert [row["depth"] for row in record["evidence"]] == [1, 2, 3]
    assert np.array(record["kernels"][1]["first"]) == pytest.approx(found.kernel(2)[1])


def test_the_command_shows_tables(pertheory: Command, data) -> None:  # noqa: F811
    status, out, _ = pertheory(*data, "--compare", "16,64")
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "posterior of mlp of depth 3 to order 1/n^1, in powers of 1/n"
    evidence = lines[lines.index("log evidence of every depth") + 1 :]
    assert evidence[0].split() == ["depth", "leading", "first", "width", "total"]
    assert [row.split()[0] + " " + row.split()[3] for row in evidence[1:7]] == [
        f"{depth} {width}" for depth in (1, 2, 3) for width in (16, 64)
    ]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--noise", "-1"], "--noise is a variance"),
        (["--train", "no.csv"], "--train no.csv: no such file"),
        (["--targets", "T.csv", "--train", "one.csv"], "--targets has 2 rows, train has 1"),
        (["--width", "1"], "more outputs than"),
        (["--compare", "16,0"], "--compare"),
        (["--order", "3"], "--yes"),
        (["--network", "skip"], "not sound"),
        (["--depth", "0"], "--depth"),
    ],
)
def test_the_command_refuses_in_one_line(pertheory: Command, data, flags, words) -> None:  # noqa: F811
    status, out, err = pertheory(*data, *flags)
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_the_evidence_is_drawn_the_same_every_time(pertheory: Command, data) -> None:  # noqa: F811
    pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib (extra plot)")
    for name in ("one.svg", "two.svg"):
        assert pertheory(*data, "--compare", "16,64", "--plot", name).status == 0
    text = Path("one.svg").read_text()
    assert text == Path("two.svg").read_text()
    assert "n = 16" in text
    status, out, err = pertheory(*data, "--plot", "evidence.png")
    assert (status, out) == (2, "")
    assert "must end in .svg" in err
    status, out, err = pertheory(*data, "--plot", "same.svg", "--out", "./same.svg")
    assert (status, out) == (2, "")
    assert "--plot same.svg: is the file of --out" in err
    assert not Path("same.svg").exists()


def test_aspect_on_the_command_line(pertheory: Command) -> None:  # noqa: F811
    status, out, _ = pertheory("aspect", "relu", "--width", "256", "--format", "json")
    record = json.loads(out)
    assert status == 0
    assert record["schema"] == "pertheory.aspect/1"
    assert record["nu"] == 5
    assert record["r"] == pytest.approx(0.0276, abs=5e-5)
    assert record["depth"] == pytest.approx(256 * record["r"])
    assert [power for power, _ in record["information"]] == [2, 3, 4]
    assert "7.06 weight layers at width 256" in pertheory("aspect", "relu", "--width", "256").out
    status, out, err = pertheory("aspect", "relu", "--network", "skip")
    assert (status, out, len(err.splitlines())) == (2, "", 1)


def test_the_posterior_mean_of_6_88_needs_the_kernel_of_the_action():
    """With the mean of the correlator's kernel in front the book's sum over couplings is not the posterior mean."""
    equation = select(chapters(), [], ["6.88"])[0][1]
    other = equation.statement.replace("m_g(1)", "phi(1)")
    assert DECIDERS["posterior"].decide(equation, equation.statement).status == "verified"
    assert DECIDERS["posterior"].decide(equation, other).status == "mismatch"


def test_networks_whose_kernels_fluctuate_too_much_are_warned_of():
    """A deep ReLU network: V/(n K^2) = 5 (l - 1)/n."""
    theory = pt.theory("mlp", ["G", "V"], order=1)
    with pytest.warns(UserWarning, match=r"V/\(n K\^2\) is 1 at width 20"):
        pt.posterior(theory, [[1.0]], [[0.1]], [[1.0]], 10.0, activation="relu", depth=5, width=20, C_W=2.0)


def test_descent_of_the_last_layer_is_the_plain_average_of_regressions():
    """Two expansions that share no code: chains of events in training, and the diagrams that have one chain alone."""
    rng = np.random.default_rng(3)
    train, test, targets = rng.normal(size=(3, 4)), rng.normal(size=(2, 4)), rng.normal(size=(3, 2))
    options = {"activation": "tanh", "depth": 3, "C_b": 0.2, "C_W": 1.4}
    rates = {"lambda_b": [0, 0, 0.2], "lambda_W": [0, 0, 1.4]}
    trained = pt.trained(pt.theory("mlp", order=1), train, targets, test, eta=0.05, **options, **rates)
    bayes = pt.posterior(pt.theory("mlp", ["G", "V"], order=1), train, targets, test, **options)
    assert trained.mean.leading == pytest.approx(bayes.mean[0], rel=1e-9)
    assert trained.mean.first == pytest.approx(bayes.last_layer[1], rel=1e-8)
    assert np.max(np.abs(bayes.mean[1] - bayes.last_layer[1])) > 0.01


def test_nearly_equal_inputs_without_noise_are_warned_of_and_then_refused():
    theory = pt.theory("mlp", ["G", "V"], order=1)

    def first(d):
        data = [[0.8, -0.5], [0.8, -0.5 + d]], [[0.7], [0.7 + d]], [[0.3, 0.9]]
        return pt.posterior(theory, *data, activation="tanh", depth=2, C_b=0.1).mean[1].item()

    with pytest.warns(UserWarning, match="known to 0.00"):
        assert first(1e-3) == pytest.approx(first(1e-2), rel=0.02)
    with pytest.raises(pt.InputError, match="nearly singular"):
        first(3e-4)


@pytest.mark.parametrize("rule", ["projection", "residual"])
def test_no_best_depth_where_a_variance_would_be_negative(rule):
    with pytest.raises(pt.UnsupportedError, match="C_W would be -"):
        pt.aspect("relu", rule, gamma=2)
