# %% [markdown]
# # Chapter 8: the neural tangent kernel
#
# A step of gradient descent changes a preactivation by $-\eta H \epsilon$, with $H$ the neural tangent kernel. In a
# finite network $H$ is random, and it is correlated with the preactivations. To order $1/n$ five tensors say how: the
# mean $\Theta$, the correlations $D$ and $F$ with preactivations, the fluctuations $A$ and $B$. All are derived here,
# compared with the formulas (8.63) to (8.97) as they are printed, and with drawn networks.

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
# $$ H_{i_1 i_2;\,a_1 a_2} = \sum_{\mu} \lambda_\mu\, \frac{d z_{i_1;a_1}}{d\theta_\mu} \frac{d
#    z_{i_2;a_2}}{d\theta_\mu}, \qquad \lambda = \lambda_b \text{ for biases}, \quad \lambda_W / n \text{ for
#    weights.} $$
#
# ## The graph
#
# A contracted pair of derivatives is an edge. $H$ is two vertices with an edge between them; $z_1 z_2 H_{34}$ is a
# forest of two dots and an edge. Its vertices can be paired into neurons in two different ways, and this is why there
# are two tensors:
#
# $$ n_{\mathrm{prev}}\, \mathbb{E}[z_{i_1;1} z_{i_2;2}\, \Delta H_{i_3 i_4;34}] = \delta_{i_1 i_2}\delta_{i_3 i_4}
#    D_{1234} + \delta_{i_1 i_3}\delta_{i_2 i_4} F_{1324} + \delta_{i_1 i_4}\delta_{i_2 i_3} F_{1423}. $$

# %%
forest = pt.z(1) * pt.z(2) * pt.H(3, 4)
D = pt.derive("mlp", forest, pairs=[(1, 2), (3, 4)])
F = pt.derive("mlp", forest, pairs=[(1, 3), (2, 4)])
for given, name in ((D, "D"), (F, "F")):
    kind = given.tensor.kind
    print(f"{name}: {given.tensor.observable}, {kind.symmetry_order} symmetries")
    check(f"{name} is this forest with its pairing", kind == pt.derive("mlp", name).tensor.kind)
check("D has the four symmetries 1 with 2, 3 with 4", D.tensor.kind.symmetry_order == 4)
check("F has only F_1324 = F_2413", F.tensor.kind.symmetry_order == 2)

# %% [markdown]
# ## Six moves
#
# Now edges take part. In move 1 a pair that is joined by an edge may use it up: both vertices are derived with
# respect to the same new weight. The edges that remain pass to the layer below in move 2: the derivative of $s(z)$ is
# $s'(z)$ times the derivative of $z$, and with more edges at a vertex the chain rule branches. For $F$ no edge can be
# used up, because 3 and 4 are not on the same neuron:

# %%
for diagram in F.diagrams:
    print(F.explain(diagram), "\n")
check("F has two diagrams: the trees of the layer below make up Theta or F", len(F.diagrams) == 2)

# %% [markdown]
# ## The recursions

# %%
for name in ("H", "D", "F", "B", "A"):
    print(pt.derive("mlp", name))

# %% [markdown]
# ## Against the printed formulas
#
# The book collects $\Omega_{12} = \lambda_W\, s_1 s_2 + C_W \Theta_{12}\, s'_1 s'_2$, (8.74), and writes (8.77),
# (8.79), (8.89), (8.97) with Hermite polynomials and the inverse kernel. As they stand, in NumPy, for two inputs and
# unequal widths:

# %%
hyper = {"C_b": 0.1, "C_W": 1.4, "lambda_b": 0.3, "lambda_W": 0.8}
C_W, lambda_b, lambda_W = hyper["C_W"], hyper["lambda_b"], hyper["lambda_W"]
inputs = [[1.0, 0.5, -0.3], [0.4, -1.0, 0.8]]
theory = pt.theory("mlp", order=1)
state = theory.compile()(inputs, activation="tanh", depth=4, widths=[30, 50, 20], **hyper)


def gaussian(K, steps=80, reach=8.0):
    """Points z of shape (2, M) and weights of the two-dimensional Gaussian with covariance K."""
    x = np.linspace(-reach, reach, steps + 1)
    w = np.exp(-(x**2) / 2)
    x1, x2 = np.meshgrid(x, x, indexing="ij")
    return np.linalg.cholesky(K) @ np.stack([x1.ravel(), x2.ravel()]), np.outer(w, w).ravel() / w.sum() ** 2


for layer, ratio in ((2, 50 / 30), (3, 20 / 50)):
    now = state[layer]
    K, H, V_, D_, F_, B_, A_ = (now[name] for name in ("G", "H", "V", "D", "F", "B", "A"))
    z, w = gaussian(K)
    s, t = np.tanh(z), 1 / np.cosh(z) ** 2  # s and s'
    ss, tt = np.einsum("am,bm->abm", s, s), np.einsum("am,bm->abm", t, t)
    omega = lambda_W * ss + C_W * H[:, :, None] * tt
    zz = np.einsum("am,bm->abm", z, z) - K[:, :, None]
    up = np.linalg.inv(K)
    V_up = np.einsum("abcd,ai,bj,ck,dl->ijkl", V_, up, up, up, up)
    D_up = np.einsum("abxy,ai,bj->ijxy", D_, up, up)  # its first two indices
    F_up = np.einsum("axby,ai,bj->ixjy", F_, up, up)  # its z indices
    ss_tilt, omega_tilt = (np.einsum("abm,xym,m->abxy", f, zz, w) for f in (ss, omega))
    st_z = np.einsum("am,bm,xm,m->abx", s, t, z, w)  # <s_a s'_b z_x>
    ss_mean, tt_mean, omega_mean = ss @ w, tt @ w, omega @ w

    def covariance(f, g, w=w):
        """The joint cumulant <f_12 ; g_34>."""
        return np.einsum("abm,cdm,m->abcd", f, g, w) - np.einsum("ab,cd->abcd", f @ w, g @ w)

    theta = lambda_b + lambda_W * ss_mean + C_W * H * tt_mean
    d = 1 / 4 * np.einsum("ijkl,abij,cdkl->abcd", V_up, ss_tilt, omega_tilt)
    d = C_W * covariance(ss, omega) + ratio * C_W * (
        d + C_W / 2 * np.einsum("abij,cd,ijcd->abcd", ss_tilt, tt_mean, D_up)
    )
    f = np.einsum("am,cm,bm,dm,m,bd->abcd", s, s, t, t, w, H)
    f = C_W**2 * (f + ratio * np.einsum("abx,cdy,xbyd->abcd", st_z, st_z, F_up))
    b = np.einsum("am,cm,bm,dm,m,ac,bd->abcd", t, t, t, t, w, H, H)
    b = C_W**2 * (b + ratio * np.einsum("ab,cd,abcd->abcd", tt_mean, tt_mean, B_))
    mixed = C_W / 2 * np.einsum("abij,ijcd,cd->abcd", omega_tilt, D_up, tt_mean)
    a = 1 / 4 * np.einsum("ijkl,abij,cdkl->abcd", V_up, omega_tilt, omega_tilt)
    a = a + C_W**2 * np.einsum("ab,cd,abcd->abcd", tt_mean, tt_mean, A_) + mixed + np.transpose(mixed, (2, 3, 0, 1))
    a = covariance(omega, omega) + ratio * a

    above = state[layer + 1]
    for number, name, printed in (("8.63", "H", theta), ("8.77", "D", d), ("8.79", "F", f), ("8.89", "B", b)):
        check(f"({number}) gives {name} at layer {layer + 1}", np.allclose(above[name], printed, rtol=1e-9, atol=1e-13))
    check(f"(8.97) gives A at layer {layer + 1}", np.allclose(above["A"], a, rtol=1e-9, atol=1e-13))

# %% [markdown]
# In these formulas $B_{1324}$ has its slots in this order: the two tangent kernels carry the first with the third
# slot and the second with the fourth.
#
# ## Against networks
#
# The tangent kernel of a drawn network, by its forward equation (8.12),
#
# $$ H'_{i_1 i_2} = \delta_{i_1 i_2}\Big[\lambda_b + \frac{\lambda_W}{n} \sum_j s_j s_j\Big] + \sum_{j_1 j_2}
#    W_{i_1 j_1} W_{i_2 j_2}\, s'_{j_1} s'_{j_2} H_{j_1 j_2} , $$
#
# which is just the chain rule. One input with $K^{(1)} = 1$, $\tanh$, critical. What is measured: means over networks
# and over pairs of different neurons $i \ne j$, of $H_{ii}$, $z_i^2 H_{jj}$, $z_i z_j H_{ij}$, $H_{ii} H_{jj}$,
# $H_{ij}^2$.


# %%
def sample(width, depth, networks, seed, batch=250):
    """Theta, D, F, A, B at layers 1 .. depth from drawn networks, with standard errors; arrays (depth, 5)."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(networks // batch):
        z = rng.standard_normal((batch, width))
        H = np.broadcast_to(np.eye(width), (batch, width, width))  # lambda_W x.x / n_0 = 1
        rows = []
        for _ in range(depth):
            diagonal = np.einsum("rii->ri", H)
            square, trace = np.sum(z**2, axis=1), np.sum(diagonal, axis=1)
            pairs = width * (width - 1)
            rows.append(
                (
                    trace / width,
                    square / width,
                    (square * trace - np.sum(z**2 * diagonal, axis=1)) / pairs,
                    (np.einsum("ri,rij,rj->r", z, H, z) - np.sum(z**2 * diagonal, axis=1)) / pairs,
                    (trace**2 - np.sum(diagonal**2, axis=1)) / pairs,
                    (np.sum(H**2, axis=(1, 2)) - np.sum(diagonal**2, axis=1)) / pairs,
                )
            )
            W = rng.standard_normal((batch, width, width)) / np.sqrt(width)
            s, t = np.tanh(z), 1 / np.cosh(z) ** 2
            z = np.einsum("rij,rj->ri", W, s)
            W = W * t[:, None, :]
            H = W @ H @ np.transpose(W, (0, 2, 1)) + np.eye(width) * np.mean(s**2, axis=1)[:, None, None]
        found.append(rows)
    data = np.concatenate(np.transpose(found, (0, 3, 1, 2)))  # networks, depth, quantities
    trace, square, zh, zzh, hh, hij = np.moveaxis(data, 2, 0)
    theta, kernel = np.mean(trace, axis=0), np.mean(square, axis=0)
    own = [trace, width * (zh - kernel * trace - theta * square), width * zzh, width * (hh - 2 * theta * trace)]
    own = np.stack([*own, width * hij], axis=2)
    shift = np.stack([0 * theta, width * kernel * theta, 0 * theta, width * theta**2, 0 * theta], axis=1)
    return np.mean(own, axis=0) + shift, np.std(own, axis=0) / np.sqrt(len(own))


width, depth = 32, 6
names = ("H", "D", "F", "A", "B")
one = pt.theory("mlp", ["G", *names], order=2).compile(inputs="one")([[1.0]], activation="tanh", depth=depth)
leading = np.array([[layer[name][0] for name in names] for layer in one])
following = np.array([[layer[f"{name}{{1}}"][0] for name in names] for layer in one])
measured, error = sample(width, depth, networks=3000, seed=8)
pull = (measured - leading - following / width)[1:] / error[1:]
for row, name in zip(pull.T, names, strict=True):
    print(f"{name}: (measured - theory) / standard error at layers 2 .. {depth}:", np.round(row, 1))
check("Theta, D, F, A, B to next order agree with 32 neurons a layer", np.all(np.abs(pull) < 4))

# %% [markdown]
# ## A picture
#
# Made dimensionless by $K$ and $\Theta$ and divided by $n$, all four grow with $\ell/n$: the tangent kernel of a
# network is the less deterministic the deeper it is.

# %%
figure, axis = plt.subplots(figsize=(6.4, 4))
layers = np.arange(1, depth + 1)
kernel = np.array([layer["G"][0] for layer in one])
scale = {"D": kernel * leading[:, 0], "F": kernel * leading[:, 0], "A": leading[:, 0] ** 2, "B": leading[:, 0] ** 2}
label = {"D": r"$D/(n K\Theta)$", "F": r"$F/(n K\Theta)$", "A": r"$A/(n\Theta^2)$", "B": r"$B/(n\Theta^2)$"}
for colour, (name, unit) in zip(("C0", "C1", "C2", "C3"), scale.items(), strict=True):
    column = names.index(name)
    axis.plot(layers, leading[:, column] / unit / width, color=colour, lw=1, ls="--")
    axis.plot(layers, (leading + following / width)[:, column] / unit / width, color=colour, label=label[name])
    points, bars = measured[:, column] / unit / width, error[:, column] / unit / width
    axis.errorbar(layers, points, bars, fmt="o", ms=4, color=colour)
axis.plot([], [], color="0.4", lw=1, ls="--", label="leading order")
axis.errorbar([], [], [], fmt="o", ms=4, color="0.4", label="drawn networks")
axis.axhline(0, color="0.8", lw=0.8, zorder=0)
axis.set(xlabel="layer", title="Tangent kernel of a tanh network, n = 32, in units of $K$ and $\\Theta$")
axis.legend()
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "ch08_ntk.png", dpi=150)
