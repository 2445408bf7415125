"""What a prediction is asked for: data and a course of training, checked before any work."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

import numpy as np

from pertheory.errors import InputError
from pertheory.rulebook.names import shown
from pertheory.rulebook.values import one_of, read_number, whole
from pertheory.run.arguments import check_inputs, check_targets
from pertheory.training.times import Array, Course, Descent, Flow

#: by what a leaf's error is multiplied: eta, or eta over the mean tangent kernel
UPDATES = ("gradient", "newton")
#: eigenvalues of the tangent kernel below this part of the largest are rounding
ROUNDING = 1e-13
#: the leading part of the text of a gradient flow
FLOW = "flow:"
#: the widest network, and the most digits of a number of steps
WIDEST, DIGITS = 10**12, 300


class Data(NamedTuple):
    """A training set and test inputs.

    Attributes:
        train: shape (N, n_0).
        targets: shape (N, n_L).
        test: shape (M, n_0).
    """

    train: Array
    targets: Array
    test: Array

    @property
    def inputs(self) -> Array:
        """All of them, those of the training set first."""
        return np.concatenate([self.train, self.test])


class Schedule(NamedTuple):
    """How training goes.

    Attributes:
        eta: the learning rate; gradient flow needs none.
        steps: how many steps of gradient descent, infinity included; None for gradient flow.
        time: of gradient flow.
        update: one of `UPDATES`.
    """

    eta: float | None
    steps: float | None
    time: float
    update: str

    def __str__(self) -> str:
        if self.steps is None:
            return f"gradient flow to time {self.time:g}"
        return f"{self.given} steps of {self.update} descent, eta {self.eta:g}"

    @property
    def given(self) -> int | str:
        """The steps as people give them: 20, "inf" or "flow:3.5"."""
        if self.steps is None:
            return f"{FLOW}{self.time:g}"
        return "inf" if self.steps == inf else int(self.steps)

    @property
    def ends(self) -> bool:
        """Whether training goes on until nothing moves any more."""
        return inf in (self.steps, self.time)


def check_data(train: Any, targets: Any, test: Any) -> Data:
    """Data as arrays.

    Raises:
        InputError: not tables of finite numbers; shapes that do not go together; equal training inputs with different
            targets.
    """
    tables = {}
    for name, given in (("train", train), ("test", test)):
        try:
            tables[name] = check_inputs(given)
        except InputError as error:
            raise InputError(f"{name}: {str(error).removeprefix('inputs: ')}") from None
    found = Data(tables["train"], check_targets(targets, "targets", len(tables["train"])), tables["test"])
    if found.train.shape[1] != found.test.shape[1]:
        raise InputError(
            f"a training input has {found.train.shape[1]} numbers, a test input {found.test.shape[1]}; both must have "
            "the same"
        )
    seen: dict[bytes, int] = {}
    for row, numbers in enumerate(found.train + 0.0):  # -0 is 0
        before = seen.setdefault(numbers.tobytes(), row)
        if not np.array_equal(found.targets[before], found.targets[row]):
            raise InputError(
                f"rows {before + 1} and {row + 1} of the training set are the same input with different targets, which "
                "no network fits; give it once, with the mean of the targets"
            )
    return found


def check_schedule(eta: Any, steps: Any, update: Any = "gradient") -> Schedule:
    """A course of training as people give it.

    Args:
        eta: the learning rate.
        steps: a whole number, infinity or "inf", or "flow:3.5" for gradient flow to a time.
        update: one of `UPDATES`.

    Raises:
        InputError: none of these; an eta that is not positive; a negative time.
    """
    one_of(UPDATES, update, "update")
    if eta is not None and (isinstance(eta, bool) or not isinstance(eta, int | float | np.number) or not 0 < eta < inf):
        raise InputError(f"eta must be a positive number, not {shown(eta)}")
    if isinstance(steps, str) and steps.startswith(FLOW):
        if update != "gradient":
            raise InputError(f"update {update!r} takes steps; steps={shown(steps)} is gradient flow")
        return Schedule(None if eta is None else float(eta), None, _time(steps), update)
    if eta is None:
        raise InputError("eta is missing: steps of gradient descent need a learning rate; gradient flow does not")
    if isinstance(steps, str | float) and steps in ("inf", inf):
        return Schedule(float(eta), inf, 0.0, update)
    try:
        written = isinstance(steps, str) and steps.isascii() and steps.isdecimal() and len(steps) <= DIGITS
        number = whole(int(steps) if written else steps, "steps", 0, 10**DIGITS)
    except InputError:
        raise InputError(f"steps must be a whole number from 0, inf or flow:TIME, not {shown(steps)}") from None
    return Schedule(float(eta), number, 0.0, update)


def _time(text: str) -> float:
    try:
        time = read_number(text.removeprefix(FLOW))
    except ValueError:
        time = -1.0
    if not time >= 0:
        raise InputError(f"steps={shown(text)}: the time of a gradient flow is a number from 0, as in flow:3.5")
    return time


def course_of(schedule: Schedule, eigenvalues: Array) -> Course:
    """The course of training for a mean tangent kernel with these eigenvalues on the training set.

    Raises:
        InputError: gradient descent diverges at this eta; what stands at the end of training has no meaning because
            the kernel is singular.
    """
    largest = float(eigenvalues.max(initial=0.0))
    if not largest:
        raise InputError("the tangent kernel vanishes on the training set, so that nothing is learned")
    if (schedule.ends or schedule.update == "newton") and not eigenvalues.min() > ROUNDING * largest:
        raise InputError(
            f"the tangent kernel of the training set is singular (eigenvalues from {eigenvalues.min():.3g} to "
            f"{largest:.3g}), so that training does not end; leave out repeated inputs, or give a number of steps"
        )
    if schedule.steps is None or schedule.eta is None:
        return Flow(eigenvalues, np.ones_like(eigenvalues), time=schedule.time)
    newton = schedule.update == "newton"
    stable = 2.0 if newton else 2 / largest
    if schedule.eta >= stable:
        raise InputError(
            f"eta {schedule.eta:g} is beyond stability: gradient descent diverges; on this training set it must be "
            f"below {stable:.6g}"
        )
    over = eigenvalues if newton else np.ones_like(eigenvalues)
    return Descent(eigenvalues, schedule.eta / over, steps=schedule.steps)


def check_width(width: Any) -> int | None:
    """A hidden width, if there is one."""
    if width is None:
        return None
    return whole(int(width) if isinstance(width, float) and width.is_integer() else width, "width", 1, WIDEST)
