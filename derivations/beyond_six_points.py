# %% [markdown]
# # Beyond the book: six points and the order $1/n^2$
#
# The book stops at order $1/n$, where the algebra by hand gets long. The six moves do not care. This text goes one
# order further: the six-point vertex $V_6$, the second correction $G^{\{2\}}$ of the kernel, checked against moments
# that are known exactly, against a sum over neurons that is done without any expansion, and against drawn networks.

# %%
import os
from math import comb, factorial
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
# ## The graph
#
# Six dots in three pairs. 48 symmetries: two for each pair, and the pairs can be permuted. At order $1/n^2$ this is
# one of 116 types of tensors; all the others are forests with edges, or corrections.

# %%
V6 = pt.derive("mlp", "V6")
print(V6.tensor.observable)
check("V6 has 48 symmetries", V6.tensor.kind.symmetry_order == 48)

# %% [markdown]
# ## Six moves
#
# There are three sites and two powers of $1/n$ to be earned: each coincidence of two sites earns one, each tensor
# with $q$ pairs earns $q - 1$. So: all three sites on one neuron; two on one neuron tied to the third by $V$; all
# apart, tied together by $V_6$; or all apart, tied together by two $V$ that share a site. Four diagrams, eight when
# those that differ by a permutation of the pairs are counted.

# %%
print(V6)
check("V6 has four diagrams", len(V6.diagrams) == 4)
check("eight without the symmetry", len(V6.all_diagrams) == 8)
check("392 terms with all derivatives carried out", len(V6.terms) == 392)
print(V6.explain(V6.diagrams[3]))

# %% [markdown]
# In the second diagram `d_b1 d_b2 <s_1 s_2 ; s_3 s_4>` two legs act on a joint cumulant as a whole. The fourth is
# what a physicist would call a tree with two vertices. The second correction of the kernel is one neuron with
# everything that can be put on it:

# %%
print(pt.derive("mlp", "G{2}"))
check("G{2} has six diagrams", len(pt.derive("mlp", "G{2}").diagrams) == 6)

# %% [markdown]
# ## Against exact moments: ReLU
#
# For ReLU at criticality ($C_W = 2$) the moments of distinct neurons are products over layers with the factors $1 +
# 5/n$ for four and $1 + 15/n + 44/n^2$ for six preactivations. As in chapter 3 these give every coefficient of $V$
# and $V_6$:

# %%
depth = 8
model = pt.theory("mlp", ["G", "V", "V6"], order=2).compile(inputs="one")
relu = model([[1.0]], activation="relu", depth=depth, C_W=[1.0] + [2.0] * (depth - 1))
x = Polynomial([0, 1])
same = []
for number, layer in enumerate(relu):
    four = np.append(((1 + 5 * x) ** number).coef, np.zeros(3))
    six = np.append(((1 + 15 * x + 44 * x**2) ** number - 3 * (1 + 5 * x) ** number + 2).coef, np.zeros(3))
    found = [layer["V"][0], layer["V{1}"][0], layer["V6"][0], layer["G{1}"][0], layer["G{2}"][0]]
    same.append(np.allclose(found, [four[1], four[2], six[2], 0, 0], rtol=1e-10, atol=1e-10))
print("V6 of ReLU at layers 1 .. 8:", *(f"{layer['V6'][0]:.0f}" for layer in relu))
check("V, V{1}, V6, G{1}, G{2} of ReLU networks at all layers", all(same))

# %% [markdown]
# ## Against a sum without expansion: tanh
#
# In the third layer of a $\tanh$ network $G$ can be computed at any width without perturbation theory. Given the
# second layer, $z^{(3)}$ is Gaussian with a variance that depends on $S = C_b + C_W \frac1n \sum_j \tanh^2 z^{(1)}_j$
# only, the variance of $z^{(2)}$: $G^{(3)} = \mathbb{E}\,[C_b + C_W \langle \tanh^2\rangle_S]$. $S$ is a mean of $n$
# independent numbers, whose moments follow from those of one. $\langle\tanh^2\rangle_S$ is replaced by a polynomial
# in $S$ that agrees to twelve digits.

# %%
C_b, C_W, first = 0.3, 1.0, 1.0
points, weights = np.linspace(-9, 9, 401), np.exp(-(np.linspace(-9, 9, 401) ** 2) / 2)
weights /= weights.sum()
one = C_W * np.tanh(np.sqrt(first) * points) ** 2
mean = one @ weights
order = 20


def response(S):
    """The average of tanh^2 over a Gaussian of variance C_b + S."""
    return np.tanh(np.sqrt(C_b + S)[:, None] * points) ** 2 @ weights


nodes = C_W * (1 - np.cos(np.pi * (np.arange(80) + 0.5) / 80)) / 2
fit = np.polynomial.Chebyshev.fit(nodes, response(nodes), order, domain=[0, C_W])
check("the polynomial is good", np.max(np.abs(fit(nodes) - response(nodes))) < 1e-11)
in_u = fit.convert(kind=Polynomial)(Polynomial([mean, 1.0])).coef  # in powers of u = S - mean


def exact(width):
    """G of the third layer at any width."""
    moments = [((one - mean) / width) ** k @ weights for k in range(order + 1)]
    single = np.array([moment / factorial(k) for k, moment in enumerate(moments)])
    total = np.zeros(order + 1)
    total[0] = 1.0
    for _ in range(width):  # the moments of a sum of independent numbers, from exp(t u)
        total = np.convolve(total, single)[: order + 1]
    return C_b + C_W * sum(c * factorial(k) * total[k] for k, c in enumerate(in_u))


run = pt.theory("mlp", ["G"], order=3).compile(inputs="one")(
    [[1.0]], activation="tanh", depth=3, C_b=[0.0, C_b, C_b], C_W=[first, C_W, C_W]
)
coefficient = [run[3]["G"][0], *(run[3][f"G{{{k}}}"][0] for k in (1, 2, 3))]
print("G{0}, G{1}, G{2}, G{3}:", *(f"{value:.8f}" for value in coefficient))
widths = np.array([1, 2, 4, 8, 16, 32, 64])
truth = np.array([exact(int(width)) for width in widths])
error = [np.abs(sum(c / widths**i for i, c in enumerate(coefficient[: k + 1])) - truth) for k in range(4)]
for k in range(4):
    slope = -np.log(error[k][5] / error[k][3]) / np.log(4)
    print(f"to order 1/n^{k}: error {error[k][0]:.1e} at n = 1, {error[k][4]:.1e} at n = 16, falls like n^-{slope:.2f}")
    check(f"what is left out after order {k} is of order {k + 1}", abs(slope - k - 1) < 0.2)

# %% [markdown]
# Even at $n = 1$, a network with one neuron a layer, three orders are good to better than a percent.
#
# ## Against networks
#
# $V_6/n^2$ is the joint cumulant of $z_i^2, z_j^2, z_k^2$ for three different neurons. Drawn $\tanh$ networks at
# criticality:

# %%
check("three orders are good to a percent at n = 1", error[3][0] < 0.01 * truth[0])


def sample(width, depth, networks, seed):
    """V6 at layers 1 .. depth of drawn networks with K = 1 in the first layer, with standard errors."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((networks, width))
    rows = []
    for _ in range(depth):
        p1, p2, p3 = (np.sum(z ** (2 * k), axis=1) for k in (1, 2, 3))
        one = p1 / width
        two = (p1**2 - p2) / (2 * comb(width, 2))
        three = (p1**3 - 3 * p1 * p2 + 2 * p3) / (6 * comb(width, 3))
        a, b = np.mean(one), np.mean(two)
        own = three - 3 * a * two - 3 * (b - 2 * a**2) * one  # how each network moves the cumulant
        rows.append((np.mean(three) - 3 * a * b + 2 * a**3, np.std(own) / np.sqrt(networks)))
        z = np.einsum("rij,rj->ri", rng.standard_normal((networks, width, width), dtype=np.float32), np.tanh(z))
        z /= np.sqrt(width)
    return np.array(rows).T * width**2


width, depth = 16, 7
measured, bars = sample(width, depth, networks=30_000, seed=6)
tanh = pt.theory("mlp", ["G", "V6"], order=3).compile(inputs="one")([[1.0]], activation="tanh", depth=depth)
V6_0 = np.array([layer["V6"][0] for layer in tanh])
V6_1 = np.array([layer["V6{1}"][0] for layer in tanh])
K = np.array([layer["G"][0] for layer in tanh])
pull = ((measured - V6_0 - V6_1 / width) / bars)[1:]
print("V6:", np.round(measured, 4), "\n +-", np.round(bars, 4), "\ntheory", np.round(V6_0 + V6_1 / width, 4))
check("V6 + V6{1}/n agrees with 16 neurons a layer", np.all(np.abs(pull) < 4))
check("it is seen", np.all((measured / bars)[3:] > 5))

# %% [markdown]
# ## A picture

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
for k in range(4):
    left.loglog(widths, error[k], "o-", ms=4, lw=1, label=("leading order", "to $1/n$", "to $1/n^2$", "to $1/n^3$")[k])
left.set(xlabel="width $n$", ylabel="error of $G$", title="Kernel of the third layer, tanh, against the exact sum")
left.legend()
layers = np.arange(1, depth + 1)
right.plot(layers, V6_0 / K**3 / width**2, color="C0", ls="--", lw=1, label="leading order")
right.plot(layers, (V6_0 + V6_1 / width) / K**3 / width**2, color="C0", label="next order")
scale = K**3 * width**2
right.errorbar(
    layers[2:], (measured / scale)[2:], (bars / scale)[2:], fmt="o", ms=4, color="C3", label="drawn networks"
)
right.set(xlabel="layer", ylabel="$V_6/(n^2 K^3)$", title=f"Six-point vertex, tanh, n = {width}")
right.legend()
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "beyond_six_points.png", dpi=150)
