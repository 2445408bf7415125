# %% [markdown]
# # Chapter 5: criticality
#
# A deep network forgets its input or blows it up unless its two susceptibilities are one. This text finds the
# critical point of two classes of activations, and with the recursions of chapter 4 on one input how strongly a
# network of finite width fluctuates there: $V/(nK^2) = \nu\, \ell/n$ with $\nu = 3A_4/A_2^2 - 1$ for scale-invariant
# functions and $\nu = 2/3$ for $\tanh$ and its like.

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
# ## The recursions on one input
#
# All slots carry the same input, and a joint cumulant such as `<s_1 s_2 ; s_3 s_4>` becomes $\langle s^4 \rangle -
# \langle s^2 \rangle^2$.

# %%
K, V, G1 = pt.derive("mlp", "K"), pt.derive("mlp", "V"), pt.derive("mlp", "G{1}")
for recursion in (K, V, G1):
    print(recursion)

# %% [markdown]
# Read with one input these are (5.108) to (5.110),
#
# $$ K' = C_b + C_W\, g(K), \qquad V' = \chi_\parallel^2 V + C_W^2 [\langle s^4\rangle - \langle s^2\rangle^2], \qquad
#    G^{\{1\}\prime} = \chi_\parallel G^{\{1\}} + \tfrac18\, j(K)\, V/K^2, $$
#
# with $\chi_\parallel = C_W\, g'(K) = \frac12 C_W \langle (s^2)'' \rangle$, because two legs on one neuron are the
# second derivative of what stands there. For instance the term with $V$:

# %%
print(V.explain(V.diagrams[1]))

# %% [markdown]
# Numerically, with Gaussian averages from NumPy alone, for $\tanh$ at some point that is not critical:


# %%
def gaussian(K):
    """Points z and weights of a Gaussian of variance K, by the trapezoid rule."""
    x = np.linspace(-9, 9, 401)
    weight = np.exp(-(x**2) / 2)
    return np.sqrt(K) * x, weight / np.sum(weight)


C_b, C_W = 0.2, 1.3
theory = pt.theory("mlp", "all", order=1).compile(inputs="one")
state = theory([[0.9]], activation="tanh", depth=6, C_b=C_b, C_W=C_W)
same = []
for below, above in zip(list(state)[1:-1], list(state)[2:], strict=True):
    kernel, vertex, shift = (below[name][0] for name in ("G", "V", "G{1}"))
    z, w = gaussian(kernel)
    s = np.tanh(z)
    parallel = C_W / (2 * kernel**2) * (s**2 * (z**2 - kernel)) @ w  # (5.50)
    j = C_W * (s**2 * (z**4 / kernel**2 - 6 * z**2 / kernel + 3)) @ w  # (5.111)
    same.append(np.isclose(above["G"][0], C_b + C_W * s**2 @ w, rtol=1e-11))
    same.append(np.isclose(above["V"][0], parallel**2 * vertex + C_W**2 * (s**4 @ w - (s**2 @ w) ** 2), rtol=1e-10))
    same.append(np.isclose(above["G{1}"][0], parallel * shift + j * vertex / kernel**2 / 8, rtol=1e-9))
check("(5.108), (5.109), (5.110) hold layer by layer", all(same))

# %% [markdown]
# ## Two inputs, and what critical means
#
# A second input at a small distance sees two more numbers: a difference in size is multiplied by $\chi_\parallel$ in
# every layer, (5.47), a difference in direction by $\chi_\perp = C_W \langle s' s' \rangle$ and feeds on the former,
# (5.48): with $R = K_{11} - K_{22}$ and $D = K_{11} + K_{22} - 2 K_{12}$,
#
# $$ R' = \chi_\parallel R, \qquad D' = \chi_\perp D + h R^2, \qquad h = \tfrac12\, d\chi_\perp/dK . $$

# %%
pair = pt.theory("mlp", ["K"], order=0).compile()
small = 1e-3
two = pair([[1.0, small], [1.0 + 2 * small, -small]], activation="tanh", depth=3, C_b=C_b, C_W=C_W)
R, D = [], []
for layer in two:
    kernel = layer["G"]
    R.append(kernel[0, 0] - kernel[1, 1])
    D.append(kernel[0, 0] + kernel[1, 1] - 2 * kernel[0, 1])
middle = np.mean(two[2]["G"])
z, w = gaussian(middle)
s, slope = np.tanh(z), 1 / np.cosh(z) ** 2
parallel = C_W / (2 * middle**2) * (s**2 * (z**2 - middle)) @ w
perpendicular = C_W * slope**2 @ w  # (5.51)
h = C_W / (4 * middle**2) * (slope**2 * (z**2 - middle)) @ w  # (5.52)
print(f"R'/R = {R[2] / R[1]:.6f}, chi_par = {parallel:.6f};  D' = {D[2]:.6e}, chi_perp D + h R^2 = ", end="")
print(f"{perpendicular * D[1] + h * R[1] ** 2:.6e}, of which h R^2 = {h * R[1] ** 2:.1e}")
check("(5.47): differences in size are multiplied by chi_par", np.isclose(R[2] / R[1], parallel, rtol=1e-4))
check("(5.48): differences in direction", np.isclose(D[2], perpendicular * D[1] + h * R[1] ** 2, rtol=1e-4))
check("(5.48) without h would not do", not np.isclose(D[2], perpendicular * D[1], rtol=1e-3))

# %% [markdown]
# Critical means $\chi_\parallel = \chi_\perp = 1$ at the fixed point. Scale-invariant functions (slopes $a_+$, $a_-$)
# have $\chi_\parallel = \chi_\perp = C_W A_2$, $A_m = (a_+^m + a_-^m)/2$: critical at $C_W = 1/A_2$, $C_b = 0$, for
# every $K$. $\tanh$ has $K^* = 0$ and is critical at $C_W = 1$, $C_b = 0$, where $K \to 1/(2\ell)$, (5.92).
#
# ## Fluctuations at criticality
#
# **Scale-invariant:** $\langle s^4 \rangle = 3 A_4 K^2$, so that $V = (3A_4/A_2^2 - 1)(\ell - 1) K^2$ exactly in the
# leading order, and $G^{\{1\}} = 0$.

# %%
for name, slopes, parameters in (
    ("linear", (1, 1), {}),
    ("relu", (1, 0), {}),
    ("leaky_relu", (1, 0.3), {"slope": 0.3}),
):
    A2, A4 = (np.mean(np.array(slopes, dtype=float) ** m) for m in (2, 4))
    run = theory([[1.7]], activation=name, depth=30, C_b=0.0, C_W=1 / A2, parameters=parameters)
    ratio = np.array([layer["V"][0] / layer["G"][0] ** 2 for layer in run])
    nu = 3 * A4 / A2**2 - 1
    check(f"{name}: V/K^2 = {nu:.4g} (l - 1)", np.allclose(ratio, nu * np.arange(30), rtol=1e-9, atol=1e-9))
    check(f"{name}: G{{1}} = 0", max(abs(layer["G{1}"][0]) for layer in run) < 1e-9)

# %% [markdown]
# **$K^* = 0$:** with $s = s_1 z + s_3 z^3/6 + \ldots$, $a_1 = s_3/s_1$ for odd $s$, the leading large-depth forms are
# $K = 1/(-a_1 \ell)$, $V/(nK^2) = \frac23 \ell/n$ and $G^{\{1\}}/(nK) = -\frac13 \ell/n$. They are approached like
# $\log \ell/\ell$, so that a depth of 1000 is still percents away. We extrapolate with these two terms, $c + (a + b
# \log \ell)/\ell$.


# %%
def extrapolate(values, layers):
    """The constant in c + (a + b log l)/l, by least squares."""
    terms = np.stack([np.ones_like(layers), 1 / layers, np.log(layers) / layers], axis=1)
    return np.linalg.lstsq(terms, values, rcond=None)[0][0]


fluctuating = pt.theory("mlp", ["V", "G{1}"], order=1).compile(inputs="one")
layers = np.arange(1.0, 801)
deep = {}
for name, a_1 in (("tanh", -2), ("sin", -1)):
    run = fluctuating([[1.0]], activation=name, depth=800, C_b=0.0, C_W=1.0)
    kernel, vertex, shift = (np.array([layer[key][0] for layer in run]) for key in ("G", "V", "G{1}"))
    deep[name] = kernel, vertex
    late = slice(200, None)
    limits = [extrapolate(v[late], layers[late]) for v in (kernel * layers, vertex / kernel**2 / layers)]
    limits.append(extrapolate((shift / kernel / layers)[late], layers[late]))
    print(f"{name}: K l -> {limits[0]:.4f}, V/(K^2 l) -> {limits[1]:.4f}, G{{1}}/(K l) -> {limits[2]:.4f}")
    check(f"{name}: K -> {-1 / a_1:g}/l", np.isclose(limits[0], -1 / a_1, rtol=0.005))
    check(f"{name}: V/(K^2 l) -> 2/3", np.isclose(limits[1], 2 / 3, rtol=0.01))
    check(f"{name}: G{{1}}/(K l) -> -1/3", np.isclose(limits[2], -1 / 3, rtol=0.01))

# %% [markdown]
# ## A picture
#
# Left: only at the critical point does the kernel neither vanish nor saturate exponentially. Right: the relative
# fluctuation of the kernel from network to network grows with $\ell/n$, for every activation, at a rate that tells the
# classes apart.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
count = np.arange(1, 61)
for colour, weight in (("C0", 0.8), ("k", 1.0), ("C3", 1.25)):
    run = pt.theory("mlp", ["K"], order=0).compile(inputs="one")([[1.0]], activation="tanh", depth=60, C_W=weight)
    left.semilogy(count, [layer["G"][0] for layer in run], color=colour, label=f"$C_W = {weight}$")
left.semilogy(count, 0.5 / count, color="0.6", ls=":", label=r"$1/(2\ell)$")
left.set(xlabel=r"layer $\ell$", ylabel="$K$", title="Kernel of a tanh network", ylim=(1e-5, 2))
left.legend(loc="lower left")
for colour, (name, weight) in zip(
    ("C3", "C1", "C0", "C2"), {"relu": 2, "linear": 1, "tanh": 1, "sin": 1}.items(), strict=True
):
    run = fluctuating([[1.0]], activation=name, depth=60, C_W=weight)
    right.plot(count, [layer["V"][0] / layer["G"][0] ** 2 for layer in run], color=colour, label=name)
right.plot(count, 2 / 3 * count, color="0.6", ls=":", label=r"$\frac{2}{3}\ell$")
right.set(xlabel=r"layer $\ell$", ylabel="$V/K^2$", title="Fluctuations at criticality, per $1/n$", ylim=(0, 130))
right.legend()
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "ch05_criticality.png", dpi=150)
