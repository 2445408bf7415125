# %% [markdown]
# # Appendix A: information, and the best depth for a width
#
# Outputs of a network of finite width share their hidden layers, so that one tells something about another. How much
# grows with depth, to lowest order like $(\ell/n)^2$; the book takes the next order with it and finds a maximum at $r^*
# = L/n = 4/((20 + 3 n_L)\,\nu)$. This text derives the entropies, finds $\nu$ with the engine, and compares with what
# can be done exactly.

# %%
import os
from math import lgamma
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
# ## Entropy
#
# On one input, given the last hidden layer, the $m$ outputs are independent Gaussians of variance $g$, and $g$
# fluctuates from network to network with the variance $V/n$. In units of its mean, $g = 1 + u$, the density depends on
# $t = z \cdot z$ alone,
#
# $$ p(z) = \frac{e^{-t/2}}{(2\pi)^{m/2}}\, e^{L(t)}, \qquad e^L = \Big\langle (1+u)^{-m/2}
#    e^{\frac{t}{2} \frac{u}{1+u}} \Big\rangle_u . $$
#
# $L$ is the sum of connected diagrams: cumulants of $u$, their links joined to chains (each gives $t$) and loops (each
# gives $m$). To lowest order $L = \frac{v}{8} [t^2 - 2(m+2) t + m(m+2)]$, which is orthogonal to $1$ and $t$ under the
# Gaussian. Because $e^L$ averages to one, the entropy is that of a Gaussian less $\langle \frac12 L^2 + \frac13 L^3 +
# ..\rangle$:
#
# $$ S = \tfrac{m}{2} \log 2\pi e - \tfrac{m(m+2)}{16} v^2 + \tfrac{m(m+2)(m+8)}{48} v^3 + .. $$
#
# The third cumulant of $u$ is of the order $v^2$. It meets $L_1 \propto v$ at the order $v^3$ and is orthogonal to it:
# whatever it is, it does not count. We check this with scales whose entropy is an integral.


# %%
def entropy(scales, weights, outputs):
    """What the entropy of some outputs is beyond that of a Gaussian, for a scale of mean 1 that takes these values."""
    grid = np.linspace(-60, 8, 3001)
    t = np.exp(grid)[:, None]
    parts = -t / (2 * scales) - outputs / 2 * np.log(scales) + t / 2
    top = parts.max(axis=1, keepdims=True)
    L = top + np.log(np.exp(parts - top) @ weights)[:, None]
    density = np.exp(outputs / 2 * np.log(t / 2) - lgamma(outputs / 2) - t / 2 + L)
    return -float(np.sum(density * L)) * (grid[1] - grid[0])


def log_normal(v, skew=0.0):
    """Values and weights of a log-normal scale of mean 1 and variance v, or of one that is bent to another skewness."""
    x, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()
    scale = np.exp(np.sqrt(np.log1p(v)) * x)
    scale = scale + skew * v * (x**2 - 1)
    scale = scale / (w @ scale)
    return 1 + (scale - 1) * np.sqrt(v / (w @ (scale - 1) ** 2)), w


for m in (1, 2, 4):
    rest = []
    for skew in (0.0, 0.5):
        for v in (0.005, 0.01):
            scales, weights = log_normal(v, skew)
            third = weights @ (scales - 1) ** 3 / v**2
            cubic = entropy(scales, weights, m) + m * (m + 2) / 16 * v**2
            rest.append(cubic / (m * (m + 2) * (m + 8) / 48 * v**3))
            print(f"m = {m}, v = {v}, third cumulant {third:.2f} v^2: cubic term over its formula {rest[-1]:.4f}")
    limits = 2 * rest[0] - rest[1], 2 * rest[2] - rest[3]
    check("the cubic term, whatever the third cumulant", np.allclose(limits, 1, atol=5e-3))

# %% [markdown]
# ## Two halves of the outputs
#
# $I = 2 S(n_L/2) - S(n_L) = \frac{n_L^2}{32} v^2 \big[1 - \frac{20 + 3 n_L}{6} v + ..\big]$. With $v = \nu r$ its
# maximum lies at $r^* = 4/((20 + 3 n_L) \nu)$. The engine solves for $\nu$, at criticality:

# %%
for activation, nu in (("linear", 2), ("relu", 5), ("tanh", 2 / 3)):
    found = pt.aspect(activation, outputs=3, width=256)
    print(f"{activation}: nu = {found.nu:.4g}, r* = {found.r:.4f}, depth {found.depth:.1f} at width 256")
    check(f"nu of {activation}", np.isclose(found.nu, nu))
    check(f"r* of {activation}", np.isclose(found.r, 4 / ((20 + 9) * nu)))

# %% [markdown]
# ## What the maximum is worth
#
# The scale of a deep ReLU network is a product of independent factors, log-normal in the limit of large depth at fixed
# $r$, with $1 + v = e^{5r}$. So its information is known exactly.

# %%
relu = pt.aspect("relu", outputs=4)
ratios = np.linspace(0.002, 0.12, 30)
exact = []
for r in ratios:
    scale = log_normal(np.expm1(relu.nu * r))
    exact.append(2 * entropy(*scale, 2) - entropy(*scale, 4))
series = dict(relu.information)
cubic = series[2] * ratios**2 + series[3] * ratios**3
run = pt.theory("mlp", ["V"], order=1).compile(inputs="one")([[1.0]], activation="relu", depth=40, C_W=2.0)
check("the kernel of ReLU networks stays as it is at C_W = 2", np.isclose(run[40]["K"][0], run[1]["K"][0]))
check("V of ReLU networks grows as 5 (l - 1) K^2", np.isclose(run[40]["V"][0] / run[40]["K"][0] ** 2, 5 * 39))
check("the information of ReLU networks grows with r without a maximum", np.all(np.diff(exact) > 0))
check("the series agrees where r is small", np.isclose(cubic[0], exact[0], rtol=0.05))
check("the next order shifts the maximum by as much again", relu.correction > 0.5)

# %% [markdown]
# So $r^*$ is where the third power overtakes the second, an order of magnitude for the depth at which fluctuations are
# no longer small, and no property of the network beyond that.

# %%
figure, axes = plt.subplots(figsize=(6, 4))
axes.plot(ratios, exact, color="k", label="exact")
axes.plot(ratios, series[2] * ratios**2, color="C0", ls=":", label="$r^2$")
axes.plot(ratios, cubic, color="C3", label="$r^2$ and $r^3$")
axes.axvline(relu.r, color="0.6", lw=0.8)
axes.text(relu.r, -0.009, " $r^*$", color="0.4")
axes.set(xlabel="$r = L/n$", ylabel="nats", ylim=(-0.01, 0.06), title="Information of two pairs of outputs")
axes.legend()
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "appA_information.png", dpi=150)
