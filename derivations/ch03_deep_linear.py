# %% [markdown]
# # Chapter 3: deep linear networks
#
# The one network that is solved to the end at any width. Its moments are products over layers, (3.25), (3.43), (3.47),
# so every coefficient that the expansion in $1/n$ produces can be compared with an exact number, and one can watch what
# the expansion does when depth and width grow together.

# %%
import os
from math import comb
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.polynomial import Polynomial

import pertheory as pt

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "font.size": 10})


def check(statement, holds):
    """State a result, and stop if it does not hold."""
    assert holds, f"not so: {statement}"
    print("checked:", statement)


# %% [markdown]
# ## The definition
#
# $z' = W z$, $\mathrm{Var}\, W = C_W/n$, no biases: (3.1). With $C_W = 1$ the kernel is the same in all layers. The
# program knows no linear networks; it derives recursions for any function $s$ and we put $s(z) = z$.
#
# ## The graph and its moves
#
# $G_4$, the moment of four preactivations, is $G_2^2 + V/n$, with $V$ the cumulant of a forest of four dots in two
# pairs. Why does the exact recursion (3.24), $G_4' = C_W^2 (1 + 2/n)\, G_4$, have just one correction? The two sums
# over neurons either stay apart or meet:

# %%
V = pt.derive("mlp", "V")
for number, diagram in enumerate(V.diagrams, start=1):
    print(f"diagram {number}")
    print(V.explain(diagram), "\n")
check("V has two diagrams: meeting on a neuron, or tied together by the V below", len(V.diagrams) == 2)

# %% [markdown]
# For $s(z) = z$ the first gives $\langle z^2 ; z^2 \rangle = 2 K^2$, the second $V$ itself times $\frac14 \cdot 2 \cdot
# 2 = 1$: at leading order $V' = V + 2K^2$, thus $V = 2(\ell - 1) K^2$, which is (3.28). The next orders know the rest.
#
# ## All recursions to order $1/n^3$
#
# `V{k}` is the coefficient of $1/n^k$ in $V$. `V6` is the cumulant of six preactivations in three pairs, and the
# recursions of $V$ need it, and that of eight, at higher orders.

# %%
theory = pt.theory("mlp", ["G", "V", "V6"], order=3)
print("closed under its recursions:", ", ".join(tensor.name for tensor, _ in theory.tensors))
depth = 8
state = theory.compile(inputs="one")([[1.0]], activation="linear", depth=depth, C_b=0.0, C_W=1.0)
table = {name: np.array([layer[name][0] for layer in state]) for name in ("V", "V{1}", "V{2}", "V6", "V6{1}")}
for name, column in table.items():
    print(f"{name:<6}", *(f"{value:9.0f}" for value in column))

# %% [markdown]
# ## Against the exact moments
#
# With $c_{2m}(n) = \prod_{s=1}^{m-1} (1 + 2s/n)$ for every layer, (3.46), the moments are $G_{2m} =
# c_{2m}^{\ell-1} K^m$, (3.47), and the cumulants are the combinations (3.56), (3.57):
# $V/n = G_4 - G_2^2$ and $V_6/n^2 = G_6 - 3 G_4 G_2 + 2 G_2^3$. As polynomials in $x = 1/n$:

# %%
x = Polynomial([0, 1])
same = []
for layer in range(1, depth + 1):
    G4 = (1 + 2 * x) ** (layer - 1)
    G6 = ((1 + 2 * x) * (1 + 4 * x)) ** (layer - 1)
    four = np.append((G4 - 1).coef, np.zeros(4))  # V x
    six = np.append((G6 - 3 * G4 + 2).coef, np.zeros(4))  # V6 x^2
    same.append(np.allclose([table[f"V{mark}"][layer - 1] for mark in ("", "{1}", "{2}")], four[1:4], rtol=1e-12))
    same.append(np.allclose([table[f"V6{mark}"][layer - 1] for mark in ("", "{1}")], six[2:4], rtol=1e-12))
check("(3.25) and (3.43) to order 1/n^3 at all layers", all(same))
check(
    "V{k} = 2^(k+1) binomial(l - 1, k + 1), the expansion of (3.25)",
    all(round(table[f"V{m}"][7]) == 2 ** (k + 1) * comb(7, k + 1) for k, m in enumerate(("", "{1}", "{2}"))),
)
check("V6 = 12 (l - 1)(l - 2) + 8 (l - 1), the expansion of (3.43)", round(table["V6"][7]) == 12 * 7 * 6 + 8 * 7)
check("G is not corrected at any order", all(np.all(layer[f"G{{{k}}}"] == 0) for layer in state for k in (1, 2, 3)))

# %% [markdown]
# ## Depth over width
#
# The coefficients grow like $V\{k\} \to (2\ell)^{k+1}/(k+1)!$. What matters is therefore $r = \ell/n$, and the series
# sums up to $G_4 - G_2^2 = (e^{2r} - 1)\, G_2^2$ as $\ell, n \to \infty$ together, (3.55), (3.56). At $r \sim 1$
# truncation fails, however wide the network.

# %%
deep = theory.compile(inputs="one")([[1.0]], activation="linear", depth=400, C_b=0.0, C_W=1.0)[400]
limit = [deep[f"V{mark}"][0] / 400 ** (k + 1) for k, mark in enumerate(("", "{1}", "{2}"))]
print("V{k} / l^(k+1) at l = 400:", np.round(limit, 4), " limits 2, 2, 4/3, up to 6/l")
check("V{k} goes to (2l)^(k+1)/(k+1)!, the series of exp(2r) - 1", np.allclose(limit, [2, 2, 4 / 3], rtol=6 / 400))

# %% [markdown]
# ## Against networks
#
# Drawn matrices, as always the last word. $\mathbb{E}\, z_i^2 z_j^2$ for two neurons is $G_4$. The distribution over
# networks gets heavy tails with depth: at $r = 1$ the few largest networks decide the mean, and the error bars of
# many of them are not to be trusted. We stop at $r = 1/2$.


# %%
def sample(width, depth, networks, seed):
    """E z_i^2 z_j^2 for i != j at layers 1 .. depth, with standard errors; K = 1."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((networks, width))
    rows = []
    for _ in range(depth):
        mixed = (np.sum(z**2, axis=1) ** 2 - np.sum(z**4, axis=1)) / (width * (width - 1))
        rows.append((np.mean(mixed), np.std(mixed) / np.sqrt(networks)))
        z = np.einsum("rij,rj->ri", rng.standard_normal((networks, width, width), dtype=np.float32), z) / np.sqrt(width)
    return np.array(rows).T


width, last = 16, 9
moment, error = sample(width, last, networks=20_000, seed=3)
exact = (1 + 2 / width) ** np.arange(last)
print("(measured - exact) / standard error:", np.round((moment - exact) / error, 1))
check("G_4 of drawn linear networks is (1 + 2/n)^(l - 1)", np.all(np.abs(moment - exact) < 4 * error))

# %% [markdown]
# ## A picture

# %%
figure, axis = plt.subplots(figsize=(6.4, 4))
ratio = np.linspace(0, 2, 200)
axis.plot(ratio, np.exp(2 * ratio), color="0.7", lw=5, label=r"limit $e^{2r}$")
layers = np.arange(1, 33)
axis.plot((layers - 1) / width, (1 + 2 / width) ** (layers - 1.0), color="k", lw=1.5, label="exact, n = 16")
wide = theory.compile(inputs="one")([[1.0]], activation="linear", depth=33, C_b=0.0, C_W=1.0)
total = np.ones(33)
for k, mark in enumerate(("", "{1}", "{2}")):
    total = total + np.array([layer[f"V{mark}"][0] for layer in wide]) / width ** (k + 1)
    axis.plot(np.arange(33) / width, total, color=f"C{k}", lw=1, label="to order $1/n" + ("", "^2", "^3")[k] + "$")
axis.errorbar(np.arange(last) / width, moment, error, fmt="o", ms=4, color="C3", label="drawn networks")
axis.set(xlabel=r"$r = (\ell - 1)/n$", ylabel=r"$G_4 / G_2^2$", yscale="log", xlim=(0, 2), ylim=(0.9, 60))
axis.set(title="Deep linear network: depth over width is the expansion parameter")
axis.legend()
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "ch03_moments.png", dpi=150)
