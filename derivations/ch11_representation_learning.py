# %% [markdown]
# # Chapter 11: representation learning
#
# At infinite width the tangent kernel does not move: the network is a linear model on frozen features. At finite width
# it moves, and how far is told by $P$ and $Q$, the correlations of its differential with the preactivations. Here they
# are derived, followed to large depth, and then seen at work: we draw networks, take a step of gradient descent, and
# measure how far the tangent kernel went.

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
# ## The definition
#
# $$ dH_{i_0 i_1 i_2;\,012} = \sum_{\mu\nu} \lambda_\mu \lambda_\nu\, \frac{d^2 z_{i_0;0}}{d\theta_\mu d\theta_\nu}\,
#    \frac{d z_{i_1;1}}{d\theta_\mu}\, \frac{d z_{i_2;2}}{d\theta_\nu} , $$
#
# and a step of gradient descent with error $\epsilon$ changes the tangent kernel by $-\eta\, (dH_{i_1 i_2 j} + dH_{i_2
# i_1 j})\, \epsilon_j$ to first order.
#
# ## The graph
#
# The vertex 0 carries two derivatives, so it has two edges: a path 1-0-2. Its mean vanishes, since it has an odd
# number of vertices. With a preactivation it makes a forest of four vertices; 3 shares its neuron either with the
# centre ($P$) or with a leaf ($Q$).

# %%
forest = pt.dH(0, 1, 2) * pt.z(3)
P = pt.derive("mlp", forest, pairs=[(0, 3), (1, 2)])
Q = pt.derive("mlp", forest, pairs=[(0, 1), (2, 3)])
check("the first is P", P.tensor.kind == pt.derive("mlp", "P").tensor.kind)
check("the second is Q", Q.tensor.kind == pt.derive("mlp", "Q").tensor.kind)

# %% [markdown]
# ## Six moves
#
# New here is move 2. The chain rule splits the second derivative of $s(z_0)$: both derivatives act on one $z_0$, with
# line $s'$ and a $dH$ below, or on two, with line $s''$ and two tangent kernels below. The latter is how feature
# learning starts: $P$ and $Q$ vanish in the first layer, $\Theta\Theta$ does not.

# %%
for diagram in P.diagrams:
    print(P.explain(diagram), "\n")
check("P has three diagrams", len(P.diagrams) == 3)

# %% [markdown]
# ## The recursions

# %%
print(P)
print(Q)

# %% [markdown]
# In the recursion of $Q$ the terms with $\lambda_W$ together are $(\lambda_W/C_W) F'$: a leaf that is derived with
# respect to the new weight $W$ leaves behind what $F$ is made of. On one input the book writes
#
# $$ \begin{aligned}
#    P' &= C_W^2\langle s'' s' s' s\rangle \Theta^2 + C_W \chi_\perp \langle s'' s\rangle (B + P) + \chi_\perp^2 P, \\
#    Q' &= C_W^2\langle s'' s' s' s\rangle \Theta^2 + \tfrac{\lambda_W}{C_W} F' + 2h\chi_\parallel \Theta F
#          + [C_W \chi_\perp \langle s'' s\rangle + \chi_\perp^2]\, Q.
#    \end{aligned} $$

# %%
C_b, C_W, lambda_b, lambda_W = 0.2, 1.3, 0.4, 0.9
theory = pt.theory("mlp", "all", order=1).compile(inputs="one")
state = theory([[0.9]], activation="tanh", depth=6, C_b=C_b, C_W=C_W, lambda_b=lambda_b, lambda_W=lambda_W)
x = np.linspace(-9, 9, 401)
weight = np.exp(-(x**2) / 2) / np.sum(np.exp(-(x**2) / 2))
same = []
for below, above in zip(list(state)[:-1], list(state)[1:], strict=True):
    K, H, F, B, P_, Q_ = (below[name][0] for name in ("G", "H", "F", "B", "P", "Q"))
    z = np.sqrt(K) * x
    s, t = np.tanh(z), 1 / np.cosh(z) ** 2
    second = -2 * s * t
    perpendicular = C_W * t**2 @ weight
    parallel = C_W / (2 * K**2) * (s**2 * (z**2 - K)) @ weight
    h = C_W / (4 * K**2) * (t**2 * (z**2 - K)) @ weight
    start = C_W**2 * (second * t * t * s) @ weight * H**2
    bent = C_W * perpendicular * (second * s) @ weight
    P_next = start + bent * (B + P_) + perpendicular**2 * P_
    Q_next = start + lambda_W / C_W * above["F"][0] + 2 * h * parallel * H * F + (bent + perpendicular**2) * Q_
    same += [np.isclose(above["P"][0], P_next, rtol=1e-9), np.isclose(above["Q"][0], Q_next, rtol=1e-9)]
check("the recursions of P and Q on one input", all(same))

# %% [markdown]
# ## Large depth
#
# **Scale-invariant:** $\langle s'' s\rangle = \langle s'' s' s' s\rangle = 0$, a delta function at 0 times $s(0) =
# 0$. So $P = 0$, and $Q = \frac16 \ell(\ell^2 - 1)\, a\, (\lambda_b + u)\, u$ with $u = \lambda_W A_2 K$, $a =
# A_4/A_2^2$. Only through $\lambda_W$, the leaves in the last layers, do the features of a ReLU network move at this
# order.
#
# **$K^* = 0$**, odd functions, $\lambda_b \propto 1/\ell$: $P = -\frac1{12} T^2 \ell$, $Q = \frac1{16} T (w - T)\,
# \ell$ with $w = \lambda_W/(-a_1)$, $T = \lambda_b + w$ at $s_1 = 1$.

# %%
A2 = A4 = 1 / 2
relu = theory([[1.1]], activation="relu", depth=40, C_W=1 / A2, lambda_b=lambda_b, lambda_W=lambda_W)
layers = np.arange(1, 41)
u, a = lambda_W * A2 * relu[1]["G"][0], A4 / A2**2
Q_relu = np.array([layer["Q"][0] for layer in relu])
check("ReLU: P = 0", all(layer["P"][0] == 0 for layer in relu))
check("ReLU: Q in closed form", np.allclose(Q_relu, layers * (layers**2 - 1) / 6 * a * (lambda_b + u) * u, rtol=1e-10))

# %%
deep = np.arange(1.0, 501)
tanh = theory([[1.0]], activation="tanh", depth=500, C_W=1.0, lambda_b=lambda_b / deep, lambda_W=lambda_W)
w = lambda_W / 2
T = lambda_b + w
for name, limit in (("P", -(T**2) / 12), ("Q", T * (w - T) / 16)):
    values = np.array([layer[name][0] for layer in tanh]) / deep
    terms = np.stack([np.ones_like(deep), 1 / deep, np.log(deep) / deep], axis=1)[125:]
    found = np.linalg.lstsq(terms, values[125:], rcond=None)[0][0]
    print(f"tanh: {name}/l -> {found:.5f}, formula {limit:.5f}")
    check(f"large depth of {name}", np.isclose(found, limit, rtol=0.02))

# %% [markdown]
# ## Against networks that learn
#
# One input, one output, target $y = 0$: the error is $\epsilon = z$, the step $\theta \to \theta - \eta\, \lambda\, z\,
# dz/d\theta$. The tangent kernel then moves at the rate
#
# $$ \mathbb{E} \left.\frac{dH}{d\eta}\right|_0 = -2\, \mathbb{E}[dH_{000}\, z] = -\frac2n (P + 2Q) + O(1/n^2), $$
#
# because with a single output neuron all three pairings of the four vertices contribute. The next order is $P^{\{1\}}
# + 2Q^{\{1\}}$. We draw networks with four weight layers, compute gradients by the chain rule, and take the
# derivative with respect to $\eta$ by a difference.


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


def rate(width, depth, networks, seed, step=1e-4, batch=2000):
    """The mean of dH/d eta at eta = 0 over drawn networks, with its standard error."""
    rng = np.random.default_rng(seed)
    rates = []
    for _ in range(networks // batch):
        sizes = [1] + [width] * (depth - 1) + [1]
        weights = [rng.standard_normal((batch, out, into)) / np.sqrt(into) for into, out in pairwise(sizes)]
        z, found = gradients(weights)
        moved = []
        for sign in (1, -1):
            scale = sign * step * z[:, None, None]
            shifted = [
                W - scale * g / (1 if number == 0 else width)
                for number, (W, g) in enumerate(zip(weights, found, strict=True))
            ]
            moved.append(kernel(gradients(shifted)[1], width))
        rates.append((moved[0] - moved[1]) / (2 * step))
    rates = np.concatenate(rates)
    return np.mean(rates), np.std(rates) / np.sqrt(len(rates))


depth = 4
top = pt.theory("mlp", ["P", "Q"], order=2).compile(inputs="one")([[1.0]], activation="tanh", depth=depth)[depth]
first = -2 * (top["P"][0] + 2 * top["Q"][0])
second = -2 * (top["P{1}"][0] + 2 * top["Q{1}"][0])
measured = {}
for width, networks in ((8, 40_000), (16, 30_000), (32, 16_000)):
    value, error = measured[width] = rate(width, depth, networks, seed=11)
    expected = first / width + second / width**2
    print(f"width {width:>2}: dH/d eta = {value:.5f} +- {error:.5f}, theory {expected:.5f}, ", end="")
    print(f"leading order {first / width:.5f}")
    check(f"the tangent kernel moves as P and Q say, width {width}", abs(value - expected) < 4 * error + 4 / width**3)
check("it does move", measured[32][0] > 5 * measured[32][1])

# %% [markdown]
# The tolerance has a term of order $1/n^3$, for what is left out. At infinite width the rate is zero: kernel learning
# without representation learning.
#
# ## A picture

# %%
figure, axis = plt.subplots(figsize=(6.4, 4))
inverse = np.linspace(0, 0.135, 50)
axis.plot(inverse, first * inverse, color="C0", ls="--", lw=1, label=r"$-2(P + 2Q)/n$")
axis.plot(inverse, first * inverse + second * inverse**2, color="C0", label="next order")
axis.errorbar(
    [1 / width for width in measured],
    [value for value, _ in measured.values()],
    [error for _, error in measured.values()],
    fmt="o",
    ms=5,
    color="C3",
    label="drawn networks",
)
axis.plot(0, 0, "k*", ms=11, clip_on=False, label="infinite width: frozen features")
axis.set(xlabel="$1/n$", ylabel=r"$\mathbb{E}\,dH/d\eta$", xlim=(0, 0.135), ylim=(0, None))
axis.set(title="How fast the tangent kernel moves in the first step of training")
axis.legend()
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "ch11_features.png", dpi=150)
