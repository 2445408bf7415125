# %% [markdown]
# # Chapter 9: the tangent kernel of deep networks
#
# Chapter 8's recursions on one input, and what they give at criticality and large depth. For scale-invariant
# functions the solutions are polynomials in the depth; for $K^* = 0$ they are powers $\ell^{1-p}$, $\ell^{3-2p}$ with
# coefficients that are known in closed form. In units of $K$ and $\Theta$ everything grows like $\ell/n$.

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
# ## The graphs
#
# $B$ belongs to a forest of two edges whose ends are paired crosswise: a ring of four vertices. Not a single pair is
# joined by an edge, so that move 1 can only use weights, and move 2 leaves one derivative at every vertex. All lines
# are $s'$.

# %%
B = pt.derive("mlp", "B")
print(B.tensor.observable)
for diagram in B.diagrams:
    print(B.explain(diagram), "\n")
check("B has two diagrams", len(B.diagrams) == 2)

# %% [markdown]
# ## One input
#
# With $\chi_\parallel, \chi_\perp, g, h$ of chapter 5 the recursions on one input are
#
# $$ \begin{aligned}
#    \Theta' &= \chi_\perp \Theta + \lambda_b + \lambda_W g, \\
#    F' &= \chi_\parallel^2 F + C_W^2 \langle s^2 s'^2\rangle \Theta, \qquad
#    B' = \chi_\perp^2 B + C_W^2 \langle s'^4 \rangle \Theta^2, \\
#    D' &= \chi_\perp\chi_\parallel D + \tfrac{\lambda_W}{C_W} V' + \Theta\,[C_W^2\langle s^2 s'^2\rangle - C_W g
#          \chi_\perp + 2 h \chi_\parallel V], \\
#    A' &= \chi_\perp^2 A - \tfrac{\lambda_W^2}{C_W^2} V' + \tfrac{2\lambda_W}{C_W} D' + 4 h \chi_\perp \Theta D
#          + \Theta^2 [C_W^2\langle s'^4\rangle - \chi_\perp^2 + 4h^2 V].
#    \end{aligned} $$
#
# $V'$ and $D'$ on the right are those of the new layer: a compact way of writing what the diagrams say separately.
# Layer by layer, at a point that is not critical:

# %%
C_b, C_W, lambda_b, lambda_W = 0.2, 1.3, 0.4, 0.9
theory = pt.theory("mlp", "all", order=1).compile(inputs="one")
state = theory([[0.9]], activation="tanh", depth=6, C_b=C_b, C_W=C_W, lambda_b=lambda_b, lambda_W=lambda_W)
x = np.linspace(-9, 9, 401)
weight = np.exp(-(x**2) / 2) / np.sum(np.exp(-(x**2) / 2))
same = {name: [] for name in ("H", "F", "B", "D", "A")}
for below, above in zip(list(state)[:-1], list(state)[1:], strict=True):
    K, H, V, D, F, B_, A = (below[name][0] for name in ("G", "H", "V", "D", "F", "B", "A"))
    z = np.sqrt(K) * x
    s, t = np.tanh(z), 1 / np.cosh(z) ** 2
    g, perpendicular = s**2 @ weight, C_W * t**2 @ weight
    parallel = C_W / (2 * K**2) * (s**2 * (z**2 - K)) @ weight
    h = C_W / (4 * K**2) * (t**2 * (z**2 - K)) @ weight
    mixed, fourth = C_W**2 * (s**2 * t**2) @ weight, C_W**2 * t**4 @ weight
    V_next, D_next = above["V"][0], above["D"][0]
    printed = {
        "H": perpendicular * H + lambda_b + lambda_W * g,
        "F": parallel**2 * F + mixed * H,
        "B": perpendicular**2 * B_ + fourth * H**2,
        "D": perpendicular * parallel * D
        + lambda_W / C_W * V_next
        + H * (mixed - C_W * g * perpendicular + 2 * h * parallel * V),
        "A": perpendicular**2 * A
        - (lambda_W / C_W) ** 2 * V_next
        + 2 * lambda_W / C_W * D_next
        + 4 * h * perpendicular * H * D
        + H**2 * (fourth - perpendicular**2 + 4 * h**2 * V),
    }
    for name, value in printed.items():
        same[name].append(np.isclose(above[name][0], value, rtol=1e-9, atol=1e-13))
for name, answers in same.items():
    check(f"the recursion of {name} on one input", all(answers))

# %% [markdown]
# ## Scale-invariant: polynomials in the depth
#
# Here $h = 0$, $\langle s^2 s'^2\rangle = A_4 K$, $\langle s'^4\rangle = A_4$. With $u = \lambda_W A_2 K$ and $a =
# A_4/A_2^2$ the sums over layers are elementary:
#
# $$ \Theta = \ell(\lambda_b + u), \quad F = \tfrac12 \ell(\ell-1)\, a (\lambda_b + u) K, \quad
#    B = \tfrac16 \ell(\ell-1)(2\ell-1)\, a (\lambda_b + u)^2, $$
# $$ D = \tfrac12 \ell(\ell-1) [\lambda_b (a-1) + u(4a-2)] K, \quad
#    A \to \tfrac13 \ell^3 [(a-1)\lambda_b^2 + 3(a-1)\lambda_b u + (5a-3)u^2]. $$

# %%
depth = 60
layers = np.arange(1, depth + 1)
scale_free = {}
for name, slopes, parameters in (("relu", (1, 0), {}), ("leaky_relu", (1, 0.3), {"slope": 0.3})):
    A2, A4 = (np.mean(np.array(slopes, dtype=float) ** m) for m in (2, 4))
    run = theory(
        [[1.1]], activation=name, depth=depth, C_W=1 / A2, lambda_b=lambda_b, lambda_W=lambda_W, parameters=parameters
    )
    K, H, V, D, F, B_, A = (np.array([layer[key][0] for layer in run]) for key in ("G", "H", "V", "D", "F", "B", "A"))
    u, a = lambda_W * A2 * K[0], A4 / A2**2
    two = layers * (layers - 1) / 2
    closed = {
        "Theta": (H, layers * (lambda_b + u)),
        "F": (F, two * a * (lambda_b + u) * K),
        "B": (B_, two * (2 * layers - 1) / 3 * a * (lambda_b + u) ** 2),
        "D": (D, two * (lambda_b * (a - 1) + u * (4 * a - 2)) * K),
    }
    for key, (found, formula) in closed.items():
        check(f"{name}: {key} in closed form at all {depth} layers", np.allclose(found, formula, rtol=1e-10))
    leading = ((a - 1) * lambda_b**2 + 3 * (a - 1) * lambda_b * u + (5 * a - 3) * u**2) / 3
    cubic = np.polynomial.polynomial.polyfit(layers, A, 3)[3]
    check(f"{name}: A grows like {leading:.4f} l^3", np.isclose(cubic, leading, rtol=1e-8))
    scale_free[name] = {"F": F / (K * H), "D": D / (K * H), "B": B_ / H**2, "A": A / H**2}

# %% [markdown]
# ## $K^* = 0$: powers of the depth
#
# With $p = b_1/a_1$, $a_1 = s_3/s_1 + \frac34 (s_2/s_1)^2$, $b_1 = s_3/s_1 + (s_2/s_1)^2$ and learning rates
# $\lambda_b \propto \ell^{-p}$, $\lambda_W \propto \ell^{1-p}$, so that all layers contribute alike. Put $w =
# \lambda_W s_1^2/(-a_1)$ and $T = \lambda_b + w$. Then
#
# $$ \Theta = T \ell^{1-p}, \quad F = \frac{T\, \ell^{1-p}}{(5-p)(-a_1)}, \quad B = \tfrac13 T^2 \ell^{3-2p}, \quad
#    D = \frac{2 (w - pT)}{9 (-a_1)}\, \ell^{1-p}, \quad A = \tfrac{4}{27} (w - pT)^2 \ell^{3-2p}, $$
#
# (9.79), (9.80) for $F$ and $B$. Odd functions have $p = 1$. The second example has $s_2 \ne 0$. Corrections are of
# relative size $\log \ell/\ell$ and $1/\ell$ and, for $p \neq 1$, of neighbouring powers; we fit the first two and see
# whether the constant comes out.


# %%
def extrapolate(values, layers):
    """The constant in c + (a + b log l)/l, by least squares."""
    terms = np.stack([np.ones_like(layers), 1 / layers, np.log(layers) / layers], axis=1)
    return np.linalg.lstsq(terms, values, rcond=None)[0][0]


depth = 500
deep = np.arange(1.0, depth + 1)
examples = {"tanh": (1.0, 0.0, -2.0), "tanh(x) + 0.4*tanh(x)^2": (1.0, 0.8, -2.0)}
large_depth = {}
for formula, (s1, s2, s3) in examples.items():
    a1, b1 = s3 / s1 + 3 / 4 * (s2 / s1) ** 2, s3 / s1 + (s2 / s1) ** 2
    p = b1 / a1
    w = lambda_W * s1**2 / (-a1)
    T = lambda_b + w
    rates = {"lambda_b": lambda_b * deep**-p, "lambda_W": lambda_W * deep ** (1 - p)}
    run = theory([[1.0]], activation=formula, depth=depth, C_W=1 / s1**2, **rates)
    K, H, D, F, B_, A = (np.array([layer[key][0] for layer in run]) for key in ("G", "H", "D", "F", "B", "A"))
    closed = {
        "Theta": (H * deep ** (p - 1), T),
        "F": (F * deep ** (p - 1), T / (5 - p) / -a1),
        "B": (B_ * deep ** (2 * p - 3), T**2 / 3),
        "D": (D * deep ** (p - 1), 2 * (w - p * T) / (9 * -a1)),
        "A": (A * deep ** (2 * p - 3), 4 / 27 * (w - p * T) ** 2),
    }
    for key, (found, limit) in closed.items():
        value = extrapolate(found[depth // 4 :], deep[depth // 4 :])
        print(f"{formula} (p = {p:.4f}): {key} coefficient {value:.5f}, formula {limit:.5f}")
        check(f"large depth of {key}", np.isclose(value, limit, rtol=0.02))
    large_depth[formula] = {"F": F / (K * H), "D": D / (K * H), "B": B_ / H**2, "A": A / H**2}

# %% [markdown]
# ## A picture
#
# All four ratios for ReLU and for $\tanh$, divided by depth: constants at large depth, and so the size of finite-width
# effects is $\ell/n$ times a number that tells the class.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8))
label = {"F": r"$F/(K\Theta)$", "D": r"$D/(K\Theta)$", "B": r"$B/\Theta^2$", "A": r"$A/\Theta^2$"}
for axis, ratios, title in ((axes[0], scale_free["relu"], "relu"), (axes[1], large_depth["tanh"], "tanh")):
    for number, (key, values) in enumerate(ratios.items()):
        axis.plot(layers, values[: len(layers)] / layers, color=f"C{number}", label=label[key])
    axis.axhline(0, color="0.8", lw=0.8, zorder=0)
    axis.set(xlabel=r"layer $\ell$", title=f"{title}: ratios divided by $\\ell$")
w, T = lambda_W / 2, lambda_b + lambda_W / 2  # tanh
for number, limit in enumerate((1 / 4, 2 / 9 * (w - T) / T, 1 / 3, 4 / 27 * (w - T) ** 2 / T**2)):
    axes[1].axhline(limit, color=f"C{number}", ls=":", lw=1)
axes[0].legend(ncols=2)
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "ch09_ratios.png", dpi=150)
