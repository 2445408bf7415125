# %% [markdown]
# # Chapter ∞: the end of training
#
# To follow training to its end at order $1/n$ one needs the second differentials of the tangent kernel too. They are
# trees of four vertices, there are two of them, and their means are four tensors $R$, $S$, $T$, $U$. Here they are
# derived, compared with the book's recursions, and measured: the curvature of the tangent kernel along a step of
# gradient descent.

# %%
import os
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import pertheory as pt

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "font.size": 10})


def check(statement, holds):
    """State a result, and stop if it does not hold."""
    assert holds, f"not so: {statement}"
    print("checked:", statement)


# %% [markdown]
# ## The graphs
#
# A step of gradient descent grafts a new leaf onto every vertex. From a dot it makes an edge ($z \to H$), from an
# edge a path ($H \to dH$), and from the path 1-0-2 either a star, when the leaf goes to the centre, or a longer path,
# when it goes to an end:
#
# $$ dd_{\mathrm I}H_{0123}: \text{star with centre } 0, \qquad dd_{\mathrm{II}}H_{1234}:
#    \text{path } 3\text{-}1\text{-}2\text{-}4. $$
#
# Each has four vertices and so a mean already, of order $1/n$. The star can be paired in three ways, all alike: $R$.
# The path can be paired in three ways that all differ: inner with inner ($S$), each inner vertex with its own leaf
# ($T$), or with the other's ($U$).

# %%
star, path = pt.ddH_I(0, 1, 2, 3), pt.ddH_II(1, 2, 3, 4)
graphs = {
    "R": (star, [(0, 1), (2, 3)]),
    "S": (path, [(1, 2), (3, 4)]),
    "T": (path, [(1, 3), (4, 2)]),
    "U": (path, [(1, 4), (2, 3)]),
}
tensors = {name: pt.derive("mlp", forest, pairs=pairs) for name, (forest, pairs) in graphs.items()}
for name, recursion in tensors.items():
    print(f"{name}: {recursion.tensor.observable}, {recursion.tensor.kind.symmetry_order} symmetries")
    check(f"this is {name}", recursion.tensor.kind == pt.derive("mlp", name).tensor.kind)

# %% [markdown]
# ## Six moves
#
# $U$ is the simplest and shows how these tensors start. Its pairs are not edges, so only weights can join them. The
# inner vertices carry two derivatives each: either both act on one $z$, or on two. The tensor below must tie the
# result together.

# %%
for diagram in tensors["U"].diagrams:
    print(tensors["U"].explain(diagram), "\n")
check("U has two diagrams", len(tensors["U"].diagrams) == 2)

# %% [markdown]
# ## The recursions

# %%
for name in tensors:
    print(pt.derive("mlp", name))

# %% [markdown]
# ## Against the printed formulas
#
# On one input, with $X = \lambda_W \langle s's'\rangle + C_W \Theta \langle s''s''\rangle$:
#
# $$ \begin{aligned}
#    R' &= \chi_\perp^2 R + \lambda_W C_W \langle s'' s' s' s\rangle \Theta^2 + C_W^2 \langle s''' s'^3\rangle \Theta^3
#          + \chi_\perp [\lambda_W \langle s'' s\rangle + C_W \Theta \langle s''' s'\rangle](B + P) + \chi_\perp X P, \\
#    S' &= \chi_\perp^2 S + C_W\lambda_W \langle s'^4\rangle\Theta^2 + C_W^2 \langle s''^2 s'^2\rangle\Theta^3
#          + \chi_\perp X B, \qquad
#    U' = \chi_\perp^2 U + C_W^2 \langle s''^2 s'^2\rangle\Theta^3, \\
#    T' &= \chi_\perp^2 T + 2 C_W\lambda_W \langle s'' s' s' s\rangle\Theta^2 + C_W^2 \langle s''^2 s'^2\rangle \Theta^3
#          + \lambda_W^2 \langle s'^2 s^2\rangle \Theta \\ &\quad + [\lambda_W \langle z s' s\rangle + C_W \Theta
#          \langle z s'' s'\rangle]^2 F/K^2 + 2\chi_\perp [\lambda_W \langle s'' s\rangle + C_W \Theta \langle s'''
#          s'\rangle + X] Q .
#    \end{aligned} $$

# %%
C_b, C_W, lambda_b, lambda_W = 0.2, 1.3, 0.4, 0.9
theory = pt.theory("mlp", "all", order=1).compile(inputs="one")
state = theory([[0.9]], activation="tanh", depth=6, C_b=C_b, C_W=C_W, lambda_b=lambda_b, lambda_W=lambda_W)
x = np.linspace(-9, 9, 401)
weight = np.exp(-(x**2) / 2) / np.sum(np.exp(-(x**2) / 2))
same = {name: [] for name in "RSTU"}
for below, above in pairwise(state):
    K, H, F, B, P, Q, R, S, T, U = (below[name][0] for name in ("G", "H", "F", "B", "P", "Q", "R", "S", "T", "U"))
    z = np.sqrt(K) * x
    s0 = np.tanh(z)
    s1 = 1 - s0**2
    s2, s3 = -2 * s0 * s1, -2 * s1**2 + 4 * s0**2 * s1
    chi = C_W * s1**2 @ weight
    X = lambda_W * s1**2 @ weight + C_W * H * s2**2 @ weight
    bent = lambda_W * (s2 * s0) @ weight + C_W * H * (s3 * s1) @ weight
    start = C_W**2 * (s2**2 * s1**2) @ weight * H**3
    mixed = C_W * lambda_W * (s2 * s1 * s1 * s0) @ weight * H**2
    leg = lambda_W * (z * s1 * s0) @ weight + C_W * H * (z * s2 * s1) @ weight
    printed = {
        "R": chi**2 * R + mixed + C_W**2 * (s3 * s1**3) @ weight * H**3 + chi * bent * (B + P) + chi * X * P,
        "S": chi**2 * S + C_W * lambda_W * s1**4 @ weight * H**2 + start + chi * X * B,
        "T": chi**2 * T
        + 2 * mixed
        + start
        + lambda_W**2 * (s1**2 * s0**2) @ weight * H
        + leg**2 * F / K**2
        + 2 * chi * (bent + X) * Q,
        "U": chi**2 * U + start,
    }
    for name, value in printed.items():
        same[name].append(np.isclose(above[name][0], value, rtol=1e-9))
for name, answers in same.items():
    check(f"the recursion of {name} on one input", all(answers))

# %% [markdown]
# ## Against networks that learn
#
# The setting of chapter 11: one input, one output, target $y = 0$, and the tangent kernel along the line
# $\theta(\eta) = \theta - \eta\, \lambda\, z\, dz/d\theta$. Its second derivative grafts two leaves,
#
# $$ \mathbb{E}\left.\frac{d^2 H}{d\eta^2}\right|_0 = 2\, \mathbb{E}[(dd_{\mathrm I}H + dd_{\mathrm{II}}H)\, z z]
#    = \frac{2K}{n} (3R + S + T + U) + O(1/n^2) . $$
#
# At order $1/n^2$ the forests are a tree and two dots, six vertices with 15 pairings each. Any of them can be asked
# for by its graph:


# %%
def pairings(labels):
    """All ways to put labels in pairs."""
    if not labels:
        return [[]]
    first, rest = labels[0], labels[1:]
    return [
        [first + other, *others] for other in rest for others in pairings([label for label in rest if label != other])
    ]


forests = ("ddH_I(0;1,2,3) z(4) z(5)", "ddH_II(0,1;2,3) z(4) z(5)")
wanted = [f"{forest} @ {','.join(pairs)}" for forest in forests for pairs in pairings(list("012345"))]
check("there are 15 pairings of each", len(wanted) == 30)
print("the first of them:")
print(pt.derive("mlp", wanted[0]).to_text())

# %% [markdown]
# With a single output neuron all deltas are one. The moment is the product of the means plus the cumulant,
# $\mathbb{E}[dd H\, z z] = \mathbb{E}[ddH]\, \mathbb{E}[zz] + \kappa$, each to the order that contributes:

# %%
depth = 4
leading = pt.theory("mlp", ["G", "R", "S", "T", "U", *wanted], order=2)
top = leading.compile(inputs="one")([[1.0]], activation="tanh", depth=depth)[depth]
means = {mark: 3 * top[f"R{mark}"][0] + sum(top[f"{name}{mark}"][0] for name in "STU") for mark in ("", "{1}")}
cumulant = sum(top[pt.derive("mlp", text).tensor.name][0] for text in wanted)
first = 2 * means[""] * top["G"][0]
second = 2 * (means["{1}"] * top["G"][0] + means[""] * top["G{1}"][0] + cumulant)
print(f"d^2H/d eta^2 = {first:.4f}/n + {second:.4f}/n^2 + ...")

# %% [markdown]
# Now the same from networks, as in chapter 11, with a second difference.


# %%
def gradients(weights):
    """Output z (R,) and its derivatives with respect to each weight array, for R networks at one input x = 1."""
    values = [weights[0][:, :, 0]]
    for W in weights[1:]:
        values.append(np.einsum("rij,rj->ri", W, np.tanh(values[-1])))
    back = np.ones_like(values[-1])
    found = [None] * len(weights)
    for layer in range(len(weights) - 1, 0, -1):
        s = np.tanh(values[layer - 1])
        found[layer] = back[:, :, None] * s[:, None, :]
        back = np.einsum("ri,rij->rj", back, weights[layer]) * (1 - s**2)
    found[0] = back[:, :, None]
    return values[-1][:, 0], found


def kernel(found, width):
    """The tangent kernel with lambda_W = 1, lambda_b = 0."""
    return sum(np.sum(g**2, axis=(1, 2)) / (1 if number == 0 else width) for number, g in enumerate(found))


def curvature(width, networks, seed, step=3e-3, batch=2000):
    """The mean of d^2H/d eta^2 at eta = 0 over drawn networks, with its standard error."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(networks // batch):
        sizes = [1] + [width] * (depth - 1) + [1]
        weights = [rng.standard_normal((batch, out, into)) / np.sqrt(into) for into, out in pairwise(sizes)]
        z, found = gradients(weights)
        along = []
        for eta in (-step, 0.0, step):
            scale = eta * z[:, None, None]
            rates = (1 if number == 0 else width for number in range(depth))
            shifted = [W - scale * g / into for W, g, into in zip(weights, found, rates, strict=True)]
            along.append(kernel(gradients(shifted)[1], width))
        values.append((along[0] - 2 * along[1] + along[2]) / step**2)
    values = np.concatenate(values)
    return np.mean(values), np.std(values) / np.sqrt(len(values))


measured = {}
for width, networks in ((8, 40_000), (16, 30_000), (32, 16_000)):
    value, error = measured[width] = curvature(width, networks, seed=12)
    expected = first / width + second / width**2
    print(f"width {width:>2}: {value:.5f} +- {error:.5f}, theory {expected:.5f}, leading {first / width:.5f}")
    allowed = 4 * error + 10 / width**3
    check(f"the tangent kernel curves as R, S, T, U say, width {width}", abs(value - expected) < allowed)

# %% [markdown]
# ## Training to the end
#
# What all these tensors are for: the mean prediction of a network of finite width when training has ended. The trees
# close a hierarchy, a step of gradient descent acts on it by grafting leaves, and summing all steps gives the book's
# (∞.154): $z(T)$ in terms of the network at the start, with "algorithm projectors" $Z$ that know $\eta$ and $\Theta$
# only. (`pertheory check --chapter inf` decides these formulas by machine.) Averaged over networks,
#
# $$ \mathbb{E}\, z_b(T) = \frac{H_{ba}}{H_{aa}}\, y + \frac1n \Big(M_b - \frac{\Theta_{ba}}{\Theta_{aa}} M_a\Big), $$
#
# here for one training input $a$, one test input $b$ and one output, with $H = \Theta + H^{\{1\}}/n$ and $M$ a sum of
# four parts: from $A, B$; from $P, Q$; from $R$; and from $S, T, U$. With a single training input the projectors are
# numbers:

# %%
depth, y = 3, 1.5
inputs = np.array([[1.0, 0.6], [0.2, 1.2]])
everything = pt.theory("mlp", "all", order=1)
top = everything.compile()(inputs, activation="tanh", depth=depth)[depth]
a, b = 0, 1
theta = top["H"]
h = theta[a, a]
eta = 0.6 / h
X2, X3 = 1 / (2 * h - eta * h**2), eta / (1 - (1 - eta * h) ** 3)  # sums over steps of squares and cubes of errors
Y1, Y2 = (X2 - X3) / h, 1 / h**2 - X2 / h
Y3, Y4 = 1 / h**3 - 2 * X2 / h**2 + X2 * X3 / h, X2 / h - X2 * X3
Z_A, Z_B = Y2, Y2 + eta / 2 * X2
Z_IA, Z_IB = -Y3 - eta / 2 * Y4, -Y3 - eta / 2 * (Y1 + Y4) - eta**2 / 6 * X3
Z_IIA, Z_IIB = -Y3, -3 * Y3 - eta * (Y1 + Y4)


def shift(d):
    """The four parts of M at input d."""
    A, B, P, Q, R, S, T, U = (top[name] for name in "ABPQRSTU")
    cubes = y**3 + 3 * y * top["G"][a, a]  # of errors at the start: the mean of (z - y)^3, with the other sign
    return np.array(
        [
            -(A[d, a, a, a] + 2 * B[d, a, a, a]) / h**2 * y,
            -(P[d, a, a, a] + 2 * Q[d, a, a, a]) * 2 * Z_B * y
            - 2 * (P[a, d, a, a] + Q[a, d, a, a] + Q[a, a, d, a]) * Z_A * y,
            -(3 * R[d, a, a, a] * Z_IB + (R[a, d, a, a] + R[a, a, a, d] + R[a, a, d, a]) * Z_IA) * cubes,
            -((S + T + U)[d, a, a, a] * Z_IIB + (S[a, a, d, a] + T[a, d, a, a] + U[a, a, a, d]) * Z_IIA) * cubes,
        ]
    )


parts = shift(b) - theta[b, a] / h * shift(a)
print("infinite width:", theta[b, a] / h * y)
print("1/n from A B, from P Q, from R, from S T U:", np.round(parts, 3), "together", round(parts.sum(), 3))

# %% [markdown]
# For any number of inputs, outputs and steps `pt.trained` makes these projectors by itself, from the rule that a step
# grafts leaves (docs/trained.md):

# %%
made = pt.trained(everything, inputs[:1], [[y]], inputs[1:], eta=eta, steps="inf", activation="tanh", depth=depth)
own = [made.mean.parts[part].item() for part in ("AB", "PQ", "RSTU")]
print("pt.trained:", np.round(own, 3))
check("the projectors that are made are these", np.allclose(own, [parts[0], parts[1], parts[2] + parts[3]]))

# %% [markdown]
# And now networks that are trained, by gradient descent with this $\eta$, until nothing moves any more. Most of the
# noise is removed by what is known: the outputs and the tangent kernel at the start enter linearly, with means that
# are known ($\Theta$ and $H^{\{1\}}$; subtracting the latter leaves just $M$), and a network whose last layer has the
# other sign is as likely as the network itself. What is left is extrapolated in $1/n$ by a straight line; the next
# order is not small at these widths.


# %%
def gradients_at(weights, x):
    """Output and derivatives, for R networks at one input."""
    values = [weights[0] @ x]
    for W in weights[1:]:
        values.append(np.einsum("rij,rj->ri", W, np.tanh(values[-1])))
    back = np.ones_like(values[-1])
    found = [None] * depth
    for layer in range(depth - 1, 0, -1):
        s = np.tanh(values[layer - 1])
        found[layer] = back[:, :, None] * s[:, None, :]
        back = np.einsum("ri,rij->rj", back, weights[layer]) * (1 - s**2)
    found[0] = back[:, :, None] * x
    return values[-1][:, 0], found


def trained(width, networks, seed, steps=25, batch=500):
    """n times what finite width adds to the mean prediction, the known linear terms taken off; with its error."""
    rng = np.random.default_rng(seed)
    found = []
    sizes = [inputs.shape[1]] + [width] * (depth - 1) + [1]
    for _ in range(networks // batch):
        start = [rng.standard_normal((batch, out, into)) / np.sqrt(into) for into, out in pairwise(sizes)]
        total = 0.0
        for sign in (1, -1):
            weights = [*start[:-1], sign * start[-1]]
            (z_a, g_a), (z_b, g_b) = (gradients_at(weights, x) for x in inputs)
            H_aa = sum(np.sum(g * g, axis=(1, 2)) / n for g, n in zip(g_a, sizes, strict=False))
            H_ba = sum(np.sum(f * g, axis=(1, 2)) / n for f, g, n in zip(g_b, g_a, sizes, strict=False))
            for _ in range(steps):
                z, g = gradients_at(weights, inputs[a])
                rates = [eta / n for n in sizes[:-1]]
                weights = [
                    W - rate * (z - y)[:, None, None] * own for W, rate, own in zip(weights, rates, g, strict=True)
                ]
            linear = theta[b, a] / h * y + (z_b - theta[b, a] / h * z_a) + y * (H_ba / h - theta[b, a] * H_aa / h**2)
            total = total + gradients_at(weights, inputs[b])[0] - linear
        found.append(total / 2)
    found = width * np.concatenate(found)
    return np.mean(found), np.std(found) / np.sqrt(len(found))


ends = {width: trained(width, networks, seed=13) for width, networks in ((16, 2500), (24, 2000), (48, 1500))}
for width, (value, error) in ends.items():
    print(f"width {width}: {value:.3f} +- {error:.3f}, theory for large width {parts.sum():.3f}")
count = np.array(list(ends))
fit, spread = np.polyfit(
    1 / count, [v for v, _ in ends.values()], 1, w=[1 / e for _, e in ends.values()], cov="unscaled"
)
print(f"extrapolated to infinite width: {fit[1]:.3f} +- {np.sqrt(spread[1, 1]):.3f}")
check("trained networks end where the theory says", abs(fit[1] - parts.sum()) < 4 * np.sqrt(spread[1, 1]))
for number, name in ((1, "P, Q"), (2, "R"), (3, "S, T, U")):
    without = parts.sum() - parts[number]
    check(f"without {name} the theory would be off", abs(fit[1] - without) > 4 * np.sqrt(spread[1, 1]))

# %% [markdown]
# ## A picture

# %%
figure, (axis, end) = plt.subplots(1, 2, figsize=(10.5, 4))
inverse = np.linspace(0, 0.135, 50)
axis.plot(inverse, first * inverse, color="C0", ls="--", lw=1, label=r"$2K(3R + S + T + U)/n$")
axis.plot(inverse, first * inverse + second * inverse**2, color="C0", label="next order")
points = np.array([(1 / width, *found) for width, found in measured.items()]).T
axis.errorbar(*points, fmt="o", ms=5, color="C3", label="drawn networks")
axis.axhline(0, color="0.8", lw=0.8, zorder=0)
axis.set(xlabel="$1/n$", ylabel=r"$\mathbb{E}\,d^2H/d\eta^2$", xlim=(0, 0.135))
axis.set(title="Curvature of the tangent kernel in a step")
axis.legend()
end.plot(0, parts.sum(), "k*", ms=11, clip_on=False, label="theory")
end.plot(inverse, np.polyval(fit, inverse), color="0.7", lw=1, ls="--", label="straight line through the points")
points = np.array([(1 / width, *found) for width, found in ends.items()]).T
end.errorbar(*points, fmt="o", ms=5, color="C3", label="trained networks")
end.set(xlabel="$1/n$", ylabel="$n$ times what finite width adds", xlim=(0, 0.08), ylim=(0, None))
end.set(title="Mean prediction at the end of training")
end.legend(loc="lower left")
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "inf_training.png", dpi=150)
