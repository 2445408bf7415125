# %% [markdown]
# # Chapter 4: preactivations at finite width
#
# A network of width $n$ is a statistical field theory with $n$ fields, and $1/n$ is its coupling. This text derives by
# machine the two recursions on which the book's chapter 4 ends, (4.118) for the kernel $K$ and (4.119) for the
# four-point vertex $V$, with the correction $G^{\{1\}}$ of (4.115), and then asks three witnesses whether they are
# right: the formulas as they are printed, exact limits, and networks that are really drawn.

# %%
import os
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
# $$ z'_{i;a} = b_i + \sum_{j=1}^{n} W_{ij}\, s(z_{j;a}), \qquad \mathrm{Var}\, b_i = C_b, \quad
#    \mathrm{Var}\, W_{ij} = C_W / n, $$
#
# with $a$ the input and $i, j$ the neurons. This is all that the program is told; it stands in
# `rules/networks/mlp.toml`.
#
# Two neurons of one layer see the same neurons below, so they are not independent. What ties them together are the
# connected correlators. Since $W$ and $b$ are Gaussian and fresh in every layer, neuron indices can only come in pairs:
#
# $$ \kappa(z_{i_1;1}, z_{i_2;2}, z_{i_3;3}, z_{i_4;4}) = \frac1{n_{\mathrm{prev}}}
#    \left[\delta_{i_1 i_2}\delta_{i_3 i_4} V_{1234} + \delta_{i_1 i_3}\delta_{i_2 i_4} V_{1324}
#        + \delta_{i_1 i_4}\delta_{i_2 i_3} V_{1423}\right]. $$

# %% [markdown]
# ## The graph
#
# An observable is a forest: one vertex for each preactivation, an edge for each contracted pair of derivatives (none as
# yet). A tensor is a forest with a pairing of its vertices into neurons. For $V$: four vertices, pairs 12 and 34. Its
# symmetries are those of the graph: 1 with 2, 3 with 4, and one pair with the other, eight in all.

# %%
V = pt.derive("mlp", "V")
print(V.tensor.observable)
check("V has the eight symmetries of two pairs of dots", V.tensor.kind.symmetry_order == 8)

# %% [markdown]
# ## Six moves
#
# The recursion is a sum over diagrams, and a diagram is six choices: how each **pair** is joined by parameters of the
# new layer; how derivatives **refine** the functions below (nothing to do without edges); which sites **coincide** on a
# neuron; which tensors of the layer below are **inserted**; whether all hangs together (**connect**); and what is equal
# by symmetry (**collect**). Here is the story of one term, the third of eleven:

# %%
print(V.explain(3))

# %% [markdown]
# All choices together give two diagrams. In the first both sums over neurons meet on one neuron, which then carries
# the joint cumulant `<s_1 s_2 ; s_3 s_4>`: written out, the two terms $\langle s_1 s_2 s_3 s_4\rangle - \langle s_1
# s_2\rangle\langle s_3 s_4\rangle$. In the second they stay apart, and only a $V$ of the layer below ties them
# together:

# %%
print(V)
check("V consists of two diagrams, three when the joint cumulant is written out", len(V.diagrams) == 2)
check("with all derivatives carried out it has 11 terms", len(V.terms) == 11)

# %% [markdown]
# $1/4$ is one over the symmetries of the four legs; the power of $n/n_{\mathrm{prev}}$ comes from $V$ being normalised
# by the width below it. The kernel and its first correction come out in the same way. At order $1/n$ a single neuron
# sum is corrected by one $V$ with all its legs on that neuron, or by the correction of the kernel below:

# %%
G = pt.derive("mlp", "G", order=1)
print(G)
check("the kernel recursion has the two terms of (4.118)", len([d for d in G.diagrams if d.order == 0]) == 2)

# %% [markdown]
# ## Against the printed formulas
#
# The book writes derivatives with the inverse kernel, by Stein's lemma $\langle \partial_b f \rangle = K^{-1}_{bc}
# \langle z_c f \rangle$. In this form (4.119) reads
#
# $$ V'_{1234} = C_W^2\left[\langle s_1 s_2 s_3 s_4\rangle - \langle s_1 s_2\rangle\langle s_3 s_4\rangle\right]
#    + \frac{n}{n_{\mathrm{prev}}} \frac{C_W^2}{4}\, V^{b_1 b_2 b_3 b_4}\,
#    \langle s_1 s_2 (z_{b_1} z_{b_2} - K_{b_1 b_2})\rangle \langle s_3 s_4 (z_{b_3} z_{b_4} - K_{b_3 b_4})\rangle . $$
#
# Let us evaluate this as it stands, with nothing but NumPy, and let the compiled theory take the same step. Two
# inputs, unequal widths, $\tanh$. Gaussian averages by the trapezoid rule, which converges exponentially for analytic
# functions.

# %%
C_b, C_W, widths = 0.1, 1.4, [30, 50, 20]
inputs = [[1.0, 0.5, -0.3], [0.4, -1.0, 0.8]]
theory = pt.theory("mlp", order=1)
state = theory.compile()(inputs, activation="tanh", depth=4, widths=widths, C_b=C_b, C_W=C_W)


def gaussian(K, steps=80, reach=8.0):
    """Points z of shape (2, M) and weights of the two-dimensional Gaussian with covariance K."""
    x = np.linspace(-reach, reach, steps + 1)
    w = np.exp(-(x**2) / 2)
    x1, x2 = np.meshgrid(x, x, indexing="ij")
    return np.linalg.cholesky(K) @ np.stack([x1.ravel(), x2.ravel()]), np.outer(w, w).ravel() / w.sum() ** 2


for layer, ratio in ((2, 50 / 30), (3, 20 / 50)):
    K, V_low, G1 = state[layer]["G"], state[layer]["V"], state[layer]["G{1}"]
    z, w = gaussian(K)
    ss = np.einsum("am,bm->abm", np.tanh(z), np.tanh(z))
    zz = np.einsum("am,bm->abm", z, z) - K[:, :, None]
    up = np.linalg.inv(K)
    V_up = np.einsum("abcd,ai,bj,ck,dl->ijkl", V_low, up, up, up, up)
    G1_up = up @ G1 @ up
    mean = ss @ w
    tilt = np.einsum("abm,xym,m->abxy", ss, zz, w)

    kernel = C_b + C_W * mean  # (4.118)
    vertex = C_W**2 * (np.einsum("abm,cdm,m->abcd", ss, ss, w) - np.einsum("ab,cd->abcd", mean, mean))
    vertex += ratio * C_W**2 / 4 * np.einsum("ijkl,abij,cdkl->abcd", V_up, tilt, tilt)  # (4.119)
    shift = 1 / 2 * np.einsum("ij,abij->ab", G1_up, tilt)
    shift += 1 / 8 * np.einsum("ijkl,abm,ijm,klm,m->ab", V_up, ss, zz, zz, w, optimize=True)
    shift += 1 / 4 * np.einsum("ikjl,kl,abij->ab", V_up, K, -2 * tilt - np.einsum("ab,ij->abij", mean, K))
    shift *= ratio * C_W  # (4.115)

    above = state[layer + 1]
    check(f"(4.118) gives K at layer {layer + 1}", np.allclose(above["G"], kernel, rtol=1e-10))
    check(f"(4.119) gives V at layer {layer + 1}", np.allclose(above["V"], vertex, rtol=1e-10))
    check(f"(4.115) gives G{{1}} at layer {layer + 1}", np.allclose(above["G{1}"], shift, rtol=1e-9, atol=1e-14))

# %% [markdown]
# $G^{\{1\}}$ is checked against a formula with three terms, while the program's has two: by Stein's lemma they are the
# same. In the last term of (4.115) the bracket is $-2 z_{b_1} z_{b_2} + K_{b_1 b_2}$; with $z z = (z z - K) + K$ it
# becomes what stands in the code above.
#
# ## Against networks
#
# Now no theory at all: draw weights, run the network, and measure. $V/n$ is the covariance of $z_i^2$ and $z_j^2$ for
# $i \ne j$, over networks.


# %%
def sample(width, depth, networks, seed):
    """V at layers 1 .. depth from drawn networks at one input with K = 1, C_b = 0, C_W = 1, with standard errors."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((networks, width))
    rows = []
    for _ in range(depth):
        square = np.mean(z**2, axis=1)
        mixed = (width * square**2 - np.mean(z**4, axis=1)) / (width - 1)  # mean of z_i^2 z_j^2 over i != j
        own = mixed - 2 * np.mean(square) * square
        rows.append((np.mean(mixed) - np.mean(square) ** 2, np.std(own) / np.sqrt(networks), np.mean(square)))
        weights = rng.standard_normal((networks, width, width), dtype=np.float32) / np.sqrt(width)
        z = np.einsum("rij,rj->ri", weights, np.tanh(z))
    return np.array(rows).T * np.array([[width], [width], [1.0]])


depth = 10
exact = pt.theory("mlp", ["V"], order=2).compile(inputs="one")([[1.0]], activation="tanh", depth=depth)
K = np.array([layer["G"][0] for layer in exact])
V0 = np.array([layer["V"][0] for layer in exact])
V1 = np.array([layer["V{1}"][0] for layer in exact])

measured = {width: sample(width, depth, networks, seed=4) for width, networks in ((16, 10_000), (48, 2_500))}
for width, (vertex, error, _) in measured.items():
    pull = (vertex - V0 - V1 / width)[1:] / error[1:]
    print(f"width {width}: (measured - theory) / standard error at layers 2 .. {depth}:", np.round(pull, 1))
    check(f"V + V{{1}}/n agrees with {width} neurons a layer", np.all(np.abs(pull) < 4))

# %% [markdown]
# The layers of one network are not independent measurements, so their pulls lean to the same side together.
#
# ## A picture
#
# First the moves of the third term as graphs: what $V$ is, what stands on which site, and what ties the two neurons
# together. Then the four-point vertex as it grows with depth.

# %%
((_, steps),) = V.explain(3).diagrams
HEIGHT = {"vertex": 1.0, "site": 1.0, "neuron": 0.0, "tensor": 1.0}
SHAPE = {"vertex": "circle", "site": "round", "neuron": "round", "tensor": "circle"}
COLOUR = {"vertex": "#cfe2f3", "site": "#fce5cd", "neuron": "#fce5cd", "tensor": "#d9ead3"}


def draw(axis, graph, title):
    """One of the graphs of an explanation."""
    place = {}
    for kind in HEIGHT:
        row = [name for name, _, own in graph.nodes if own == kind]
        for number, name in enumerate(row):
            place[name] = ((number + 0.5) * 4 / len(row), HEIGHT[kind])
    drawn = {}
    for first, second, kind in graph.edges:
        many = drawn[first, second] = drawn.get((first, second), -1) + 1
        bend = -0.45 if kind == "pair" else (0.12 - 0.24 * many if kind == "slot" else 0.0)
        style = {"arrowstyle": "-", "connectionstyle": f"arc3,rad={bend}", "color": "0.35", "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", place[first], place[second], arrowprops=style | {"linestyle": ":" if kind == "pair" else "-"})
    for name, label, kind in graph.nodes:
        box = {"boxstyle": SHAPE[kind], "facecolor": COLOUR[kind], "edgecolor": "0.35"}
        text = label.replace("j", "j_").replace("<", r"\,\langle ").replace(">", r"\rangle")
        axis.text(*place[name], f"${text}$", ha="center", va="center", fontsize=12, bbox=box)
    axis.set(xlim=(-0.2, 4.2), ylim=(-0.4, 1.3), title=title)
    axis.axis("off")


moves, axes = plt.subplots(1, 4, figsize=(12, 2.1))
for axis, number, title in zip(
    axes,
    (0, 2, 3, 4),
    ("forest and pairing", "pair, refine: sites", "coincide: neurons", "insert: a tensor"),
    strict=True,
):
    draw(axis, steps[number].graph, title)
moves.tight_layout()

# %%
growth, axis = plt.subplots(figsize=(6.4, 4))
layers = np.arange(1, depth + 1)
for colour, (width, (vertex, error, square)) in zip(("C0", "C3"), measured.items(), strict=True):
    axis.errorbar(layers, vertex / (width * square**2), error / (width * square**2), fmt="o", ms=4, color=colour)
    axis.plot(layers, V0 / (width * K**2), color=colour, lw=1, ls="--")
    size = K + np.array([layer["G{1}"][0] for layer in exact]) / width
    axis.plot(layers, (V0 + V1 / width) / (width * size**2), color=colour, lw=1.5, label=f"n = {width}")
axis.plot([], [], color="0.4", lw=1, ls="--", label="leading order")
axis.plot([], [], color="0.4", lw=1.5, label="next order")
axis.errorbar([], [], [], fmt="o", ms=4, color="0.4", label="drawn networks")
axis.set(xlabel="layer", ylabel=r"$V/(n K^2)$", title="Four-point vertex of a tanh network, $C_W = 1$", ylim=(0, None))
axis.legend()
growth.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the pictures
    Path(folder).mkdir(parents=True, exist_ok=True)
    moves.savefig(Path(folder) / "ch04_moves.png", dpi=150)
    growth.savefig(Path(folder) / "ch04_vertex.png", dpi=150)
