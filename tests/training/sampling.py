"""Networks that are trained, many at once, in NumPy: no perturbation theory but what takes noise away.

Each network is trained twice, its last layer with either sign. From mean and covariance what the frozen mean kernel
gives is subtracted for the same network, to first order in what its own tangent kernel differs from it: what is left is
of order 1/n and made of A B, P Q and R S T U. ``python -m tests.training.sampling`` makes the table of docs/trained.md.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np

import pertheory as pt

#: quantities in the order in which a sample holds them, and the parts that make them up
RESIDUAL = ("AB", "PQ", "RSTU")
FUNCTIONS = {
    "tanh": (np.tanh, lambda z, s: 1 - s**2),
    "sin": (np.sin, lambda z, s: np.cos(z)),
    "linear": (lambda z: z, lambda z, s: np.ones_like(z)),
}


@dataclass(frozen=True)
class Task:
    """A network, data and a course of training."""

    activation: str = "tanh"
    depth: int = 3
    C_b: float = 0.3
    C_W: float = 1.7
    lambda_b: float = 0.4
    lambda_W: float = 0.9
    train: tuple = ((0.8, -0.5, 1.1), (-0.3, 1.2, 0.4))
    targets: tuple = ((0.7, 0.2), (-0.4, 1.1))
    test: tuple = ((0.5, 0.5, -0.9), (1.0, 0.0, 0.2))
    eta: float = 0.18
    steps: int = 5

    def predicted(self, parts=RESIDUAL):
        """The coefficients of 1/n of what `sampled` estimates."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        found = pt.trained(pt.theory("mlp", order=1), **given)
        mean, covariance = (sum(own.parts[part] for part in parts) for own in (found.mean, found.covariance))
        size = mean.size
        flat = covariance.reshape(size, size)
        return np.concatenate([mean.ravel(), [flat[pair] for pair in combinations_with_replacement(range(size), 2)]])

    def names(self):
        """What each of these is."""
        places = [f"z_{i}({a})" for a, i in product(range(len(self.test)), range(len(self.targets[0])))]
        return [*places, *(f"{a} {b}" for a, b in combinations_with_replacement(places, 2))]


class Networks:
    """Some networks of one width, over all inputs of a task."""

    def __init__(self, task, width, count, draw):
        self.task = task
        self.inputs = np.array(task.train + task.test)
        outputs = len(task.targets[0])
        sizes = [self.inputs.shape[1], *[width] * (task.depth - 1), outputs]
        self.below = sizes[:-1]
        spread = [np.sqrt(task.C_W / below) for below in self.below]
        self.W = [s * draw.standard_normal((count, sizes[k + 1], sizes[k])) for k, s in enumerate(spread)]
        self.b = [np.sqrt(task.C_b) * draw.standard_normal((count, size, 1)) for size in sizes[1:]]

    def flipped(self):
        """With the last layer of the other sign."""
        other = Networks.__new__(Networks)
        other.task, other.inputs, other.below = self.task, self.inputs, self.below
        other.W, other.b = ([*own[:-1], -own[-1]] for own in (self.W, self.b))
        return other

    def forward(self, inputs):
        """Outputs (R, n_L, inputs), and what enters each layer with its derivative."""
        s, ds = FUNCTIONS[self.task.activation]
        enters, slopes = [np.broadcast_to(inputs.T, (len(self.W[0]), *inputs.T.shape))], []
        for k, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            z = W @ enters[-1] + b
            if k + 1 < len(self.W):
                enters.append(s(z))
                slopes.append(ds(z, enters[-1]))
        return z, enters, slopes

    def step(self):
        """One step of full-batch gradient descent."""
        task = self.task
        z, enters, slopes = self.forward(np.array(task.train))
        back = z - np.array(task.targets).T
        W, b = list(self.W), list(self.b)
        for k in reversed(range(len(W))):
            W[k] = W[k] - task.eta * task.lambda_W / self.below[k] * back @ enters[k].transpose(0, 2, 1)
            b[k] = b[k] - task.eta * task.lambda_b * back.sum(axis=2, keepdims=True)
            if k:
                back = self.W[k].transpose(0, 2, 1) @ back * slopes[k - 1]
        self.W, self.b = W, b

    def kernel(self):
        """The tangent kernel (R, inputs, n_L, inputs, n_L)."""
        task = self.task
        _, enters, slopes = self.forward(self.inputs)
        count, outputs = len(self.W[0]), self.W[-1].shape[1]
        back = np.broadcast_to(np.eye(outputs)[None, :, :, None], (count, outputs, outputs, len(self.inputs)))
        total = 0.0
        for k in reversed(range(len(self.W))):
            own = task.lambda_b + task.lambda_W / self.below[k] * enters[k].transpose(0, 2, 1) @ enters[k]
            flat = back.transpose(0, 3, 1, 2).reshape(count, len(self.inputs) * outputs, -1)
            deltas = (flat @ flat.transpose(0, 2, 1)).reshape(
                count, len(self.inputs), outputs, len(self.inputs), outputs
            )
            total = total + own[:, :, None, :, None] * deltas
            if k:
                back = np.einsum("rmj,rima->rija", self.W[k], back) * slopes[k - 1][:, None]
        return total


def frozen(task, theta, z, kernel):
    """Test outputs after training with the mean kernel, and their first order in what the kernel differs from it."""
    size, outputs = len(task.train), len(task.targets[0])
    y = np.array(task.targets)
    moved, mean = np.zeros_like(z), np.einsum("ab,ij->aibj", theta, np.eye(outputs))
    off = kernel - mean
    for _ in range(task.steps):
        error = z[:, :size] - y
        change = np.einsum("ab,rbi->rai", theta[:, :size], moved[:, :size])
        moved = moved - task.eta * (change + np.einsum("raibj,rbj->rai", off[:, :, :, :size], error))
        z = z - task.eta * np.einsum("ab,rbi->rai", theta[:, :size], error)
    return z[:, size:].reshape(len(z), -1), moved[:, size:].reshape(len(z), -1)


def sampled(task, width, pairs, seed, batch=250):
    """n times mean and covariance of what is left, with their covariance matrix: components as in `Task.predicted`.

    The mean of the frozen part is known, and the product of its zeroth and first order has no terms but G1, H1, D F.
    """
    theory = pt.theory("mlp", ["H", "G"], order=0).compile()
    hyper = {name: getattr(task, name) for name in ("activation", "depth", "C_b", "C_W", "lambda_b", "lambda_W")}
    theta = np.asarray(theory(np.array(task.train + task.test), **hyper)[task.depth]["Theta"])
    places = list(combinations_with_replacement(range(len(task.test) * len(task.targets[0])), 2))
    first, second = np.array(places).T
    rows = []
    draw = np.random.default_rng(seed)
    for _ in range(-(-pairs // batch)):
        one = Networks(task, width, batch, draw)
        kernel = one.kernel()  # of both signs alike
        both = []
        for own in (one, one.flipped()):
            start = own.forward(own.inputs)[0].transpose(0, 2, 1)
            zeroth, linear = frozen(task, theta, start, kernel)
            zero = zeroth - frozen_mean(task, theta)
            for _ in range(task.steps):
                own.step()
            z = own.forward(np.array(task.test))[0].transpose(0, 2, 1).reshape(batch, -1)
            rest = z - zeroth - linear
            off = z - frozen_mean(task, theta)
            product_of = off[:, first] * off[:, second]
            known = (
                zero[:, first] * zero[:, second]
                + zero[:, first] * linear[:, second]
                + linear[:, first] * zero[:, second]
            )
            both.append(np.concatenate([rest, product_of - known], axis=1))
        rows.append((both[0] + both[1]) / 2)
    table = width * np.concatenate(rows)
    return table.mean(axis=0), np.cov(table.T) / len(table)


def frozen_mean(task, theta):
    """The mean of the frozen part."""
    zero = np.zeros((1, len(theta), len(task.targets[0])))
    kernel = np.einsum("ab,ij->aibj", theta, np.eye(zero.shape[2]))[None]
    return frozen(task, theta, zero, kernel)[0]


def extrapolated(estimates, powers=2):
    """A fit in 1/n of estimates {n: (values, their covariance matrix)}: values and errors at 1/n = 0."""
    widths = np.array(sorted(estimates))
    design = np.vander(1 / widths, powers + 1, increasing=True)
    found = []
    for component in range(len(estimates[widths[0]][0])):
        values = np.array([estimates[n][0][component] for n in widths])
        weight = np.array([1 / estimates[n][1][component, component] for n in widths])
        inverse = np.linalg.inv(design.T * weight @ design)
        found.append(((inverse @ (design.T * weight @ values))[0], np.sqrt(inverse[0, 0])))
    return np.array(found).T


TASKS = {
    "tanh, depth 3, 5 steps": Task(),
    "tanh, depth 3, 20 steps": Task(steps=20),
    "tanh, depth 2, 8 steps of eta 0.3": Task(depth=2, steps=8, eta=0.3),
    "tanh, depth 4, 6 steps": Task(depth=4, steps=6),
    "sin, depth 3, 10 steps": Task(activation="sin", C_b=0.1, C_W=1.2, steps=10),
    "sin, depth 3, 3 inputs, 6 steps": Task(
        activation="sin",
        C_W=1.1,
        train=((0.8, -0.5), (-0.3, 1.2), (0.4, 0.5)),
        targets=((0.7,), (-0.4,), (0.9,)),
        test=((0.5, -0.9), (1.0, 0.3)),
        steps=6,
    ),
}
#: pairs of networks at each width
PAIRS = {16: 60_000, 32: 40_000, 64: 16_000, 128: 5_000}


def main(share=1.0):
    """Print the table of docs/trained.md."""
    pulls = []
    print("| network and training | what | theory | networks | error | pull |\n|---|---|---|---|---|---|")
    for title, task in TASKS.items():
        estimates = {n: sampled(task, n, int(share * pairs), seed=n) for n, pairs in PAIRS.items()}
        values, errors = extrapolated(estimates)
        for name, theory, value, error in zip(task.names(), task.predicted(), values, errors, strict=True):
            pulls.append((value - theory) / error)
            print(f"| {title} | {name} | {theory:.4f} | {value:.4f} | {error:.4f} | {pulls[-1]:.2f} |", flush=True)
    print(f"\n{len(pulls)} numbers, rms pull {np.sqrt(np.mean(np.square(pulls))):.2f}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
