"""Nearly-kernel methods: the quadratic model, the first one beyond linear regression that learns representations.

z_i = sum_j W_ij phi_j + epsilon/2 sum_jk W_ij W_ik psi_jk, with features phi and meta features psi of the input. To
first order in epsilon its predictions follow from two functions of the inputs: the kernel k(0,1) = phi_0 . phi_1 and
the meta-kernel mu(0;1,2) = epsilon phi_1 . psi_0 . phi_2. They are the tangent kernel and its differential at W = 0,
and a network of finite width is such a model too, one that is drawn anew with each initialisation.

Equation:
    Chapter 11 of the book, on nonlinear models and nearly-kernel methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError
from pertheory.graphs.tensor import TensorType
from pertheory.run.arguments import check_targets, real_array
from pertheory.run.states import LayerState
from pertheory.training.arithmetic import FLOATS
from pertheory.training.contraction import Labelled, contract
from pertheory.training.data import check_schedule, course_of
from pertheory.training.formula import Object
from pertheory.training.growth import grown
from pertheory.training.moments import Moments
from pertheory.training.series import Expansion
from pertheory.training.times import Array


@dataclass(frozen=True)
class QuadraticModel:
    """A quadratic model by its kernel and meta-kernel over samples, those of the training set first.

    Attributes:
        kernel: k, shape (D, D).
        meta: mu, shape (D, D, D), symmetric in the last two; or (D, D, D, n_L, n_L, n_L) where it couples outputs.
        outputs: of the model before it is trained, shape (D, n_L); None for W = 0.
    """

    kernel: Array
    meta: Array
    outputs: Array | None = None

    def __post_init__(self) -> None:
        """See that what was given are arrays of these shapes.

        Raises:
            InputError: they are not.
        """
        kernel, meta = real_array(self.kernel, "kernel"), real_array(self.meta, "meta")
        size = kernel.shape[:1]
        if kernel.shape != size * 2 or meta.shape not in (size * 3, size * 3 + meta.shape[3:4] * 3):
            raise InputError(
                "kernel and meta must have shapes (D, D) and (D, D, D), or (D, D, D, n_L, n_L, n_L), not "
                f"{kernel.shape} and {meta.shape}"
            )
        object.__setattr__(self, "kernel", kernel)
        object.__setattr__(self, "meta", meta)
        if self.outputs is not None:
            object.__setattr__(self, "outputs", check_targets(self.outputs, "outputs", len(kernel)))

    @classmethod
    def from_features(cls, phi: npt.ArrayLike, psi: npt.ArrayLike, epsilon: float = 1.0) -> QuadraticModel:
        """The model of features, shape (D, f), and meta features, shape (D, f, f).

        Raises:
            InputError: other shapes.
        """
        one, two = real_array(phi, "phi"), real_array(psi, "psi")
        if one.ndim != 2 or two.shape != (*one.shape, one.shape[1]):
            raise InputError(f"psi must have shape (D, f, f) where phi has (D, f), not {two.shape} and {one.shape}")
        even = (two + two.transpose(0, 2, 1)) / 2
        return cls(one @ one.T, epsilon * np.einsum("ajk,bj,ck->abc", even, one, one))

    @classmethod
    def from_network(cls, state: LayerState, outputs: npt.ArrayLike, width: float) -> QuadraticModel:
        """The mean model of networks with the same outputs at initialisation: the dictionary from P and Q.

        Of networks with outputs z the differential dH is on average (1/n) (P, Q) K^-1 z, its regression on them: what
        it is for z = 0 is of higher order. The kernel is Theta.

        Args:
            state: the last layer of a run with the tensors K, Theta, P, Q.
            outputs: z over its inputs, shape (D, n_L).
            width: n.

        Raises:
            InputError: another shape; K is singular.
        """
        start = check_targets(outputs, "outputs", state.inputs)
        field = FLOATS.solve(np.asarray(state["K"]), start)
        equal = np.eye(start.shape[1])
        P, Q = np.asarray(state["P"]), np.asarray(state["Q"])
        meta = np.einsum("abcd,di,jk->abcijk", P, field, equal) + np.einsum("abcd,ij,dk->abcijk", Q, equal, field)
        meta += np.einsum("acbd,ik,dj->abcijk", Q, equal, field)
        return cls(np.asarray(state["Theta"]), meta / width, start)

    def effective_kernel(self, targets: npt.ArrayLike) -> Array:
        """The kernel of effective features where training ends, to first order, a kernel for each output.

        phi_E = phi + epsilon W psi at the weights that fit the targets; for models that start at W = 0, shape
        (n_L, D, D).
        """
        wanted, size = self._checked(targets)
        if self.meta.ndim != 3 or self.outputs is not None:
            raise InputError("an effective kernel for each output is that of a model of features at W = 0")
        dual = FLOATS.solve(self.kernel[:size, :size], wanted)
        shift = np.einsum("abc,ci->iab", self.meta[:, :, :size], dual)
        return np.asarray(self.kernel + shift + shift.transpose(0, 2, 1))

    def trained(
        self, targets: npt.ArrayLike, eta: float | None = None, steps: Any = "inf", update: str = "gradient"
    ) -> Expansion:
        """Predictions at the samples beyond the training set, shape (M, n_L); parts: "mu", of first order.

        Arguments and errors as for `pertheory.training.prediction.trained`. The book's "direct optimisation" is one
        step of second order: ``eta=1, update="newton"``.

        Equation:
            (inf.154) with dH for mu and no ddH; the projectors Z_A and Z_B are those of the course of training.
        """
        wanted, size = self._checked(targets)
        values, modes = np.linalg.eigh(self.kernel[:size, :size])
        course = course_of(check_schedule(eta, steps, update), np.maximum(values, 0.0))
        return self._predict(Moments(course, _none, self.kernel[size:, :size] @ modes, modes.T @ wanted), modes)

    def minimal_norm(self, targets: npt.ArrayLike) -> Expansion:
        """Predictions of the model of least norm of W that fits the targets, to first order in the meta-kernel.

        For models that start at W = 0. Gradient descent ends elsewhere: there Z_A is not k^-1 k^-1, nor is Z_B half of
        it; the book's direct optimisation leaves out how the least norm itself moves, Z_A = 0.
        """
        wanted, size = self._checked(targets)
        if self.outputs is not None or self.meta.ndim != 3:
            raise InputError("the least norm is that of a model of features which starts at W = 0")
        dual = FLOATS.solve(self.kernel[:size, :size], wanted)
        moved = np.einsum("oab,ai,bi->oi", self.meta[:, :size, :size], dual, dual) / 2
        moved += np.einsum("aob,ai,bi->oi", self.meta[:size, :, :size], dual, dual)
        undone = FLOATS.solve(self.kernel[:size, :size], moved[:size])
        onto = self.kernel[size:, :size]
        return Expansion(onto @ dual, {"mu": moved[size:] - onto @ undone})

    def _checked(self, targets: npt.ArrayLike) -> tuple[Array, int]:
        wanted = check_targets(targets)
        if not len(wanted) < len(self.kernel):
            raise InputError(f"{len(wanted)} rows of targets leave no sample of {len(self.kernel)} to predict")
        if self.outputs is not None and self.outputs.shape[1] != wanted.shape[1]:
            raise InputError(f"targets have {wanted.shape[1]} columns, the outputs {self.outputs.shape[1]}")
        return wanted, len(wanted)

    def _predict(self, moments: Moments, modes: Array) -> Expansion:
        """The terms of z without fluctuations of the kernel and without second differentials."""
        size, outputs = moments.targets.shape
        start = np.zeros((len(self.kernel), outputs)) if self.outputs is None else self.outputs
        turn = np.eye(len(self.kernel))
        turn[:size, :size] = modes
        meta = np.einsum("abc...,ai,bj,ck->ijk...", self.meta, turn, turn, turn)
        arrays = {"z": turn.T @ start, "r": (turn.T @ start)[:size] - moments.targets, "dH": meta}
        found = [np.zeros((len(self.kernel) - size, outputs))] * 2
        for own in grown("z", "0", moments.course.most):
            names = {item.name for item in own.factors}
            if names <= {"z", "r", "Theta", "dH"}:
                factors = [moments.weight(own)]
                factors += [self._factor(moments, item, arrays) for item in own.factors]
                term = contract(FLOATS, 1.0, factors, "0", outputs, True).value
                found["dH" in names] = found["dH" in names] + term
        return Expansion(found[0], {"mu": found[1]})

    def _factor(self, moments: Moments, item: Object, arrays: dict[str, Array]) -> Labelled:
        if item.name == "Theta":
            return moments.fixed(item)
        array = FLOATS.constant(arrays[item.name][tuple(map(moments.cut, item.labels))])
        if item.name == "dH" and self.meta.ndim == 3:
            a, b, c = item.labels
            return Labelled(array, item.labels, (), ((a, b), (a, c)))
        return Labelled(array, item.labels, item.labels)


def _none(kind: TensorType, order: int) -> Array:
    raise InputError("a model of features has no statistics")  # nothing is averaged here
