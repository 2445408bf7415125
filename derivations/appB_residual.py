# %% [markdown]
# # Appendix B: residual networks
#
# Skip connections tame fluctuations: with $\gamma$ of the signal passed on, a network of the same depth is
# effectively shallower. How much depends on the architecture in a way that infinite width does not see. And for the
# simplest of them, $z' = \gamma z + W s(z)$, the structure that all recursions rest on is lost at finite width. This
# text derives what can be derived and shows by drawn networks why the rest is refused.

# %%
import os
import tempfile
import warnings
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
# ## Three definitions
#
# A network is a rule file. Two are in the box: the residual block, which mixes the neurons before the nonlinear
# function acts,
#
# $$ u_i = b^1_i + \sum_j W^1_{ij} z_j, \qquad z'_i = \gamma z_i + b^2_i + \sum_j W^2_{ij}\, s(u_j), $$
#
# and the projection, $z'_i = b_i + \sum_j W_{ij} s(z_j) + \gamma \sum_j P_{ij} z_j$ with a fresh random $P$. The
# third is the plain skip of the book's appendix. We write it down:

# %%
PLAIN = """
name = "plain_skip"
title = "z' = gamma z + b + W s(z)"
fields = ["z"]

[hyperparameters]
C_b = 0.0
C_W = 1.0
gamma = 0.5
lambda_b = 0.0
lambda_W = 1.0

[parameters.b]
kind = "bias"
variance = "C_b"
learning_rate = "lambda_b"

[parameters.W]
kind = "weight"
variance = "C_W"
learning_rate = "lambda_W"

[input]
z = ["b", "W"]

[[sublayers]]
z = [
    { identity = true, coefficient = "gamma", of = "z" },
    { parameter = "b" },
    { parameter = "W", function = "s", of = "z" },
]
"""
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "plain_skip.toml"
    file.write_text(PLAIN)
    try:
        pt.derive(pt.network(file), "V")
    except pt.PertheoryError as refusal:
        print("refused:", refusal)
        refused = True
    else:
        refused = False
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        plain = pt.network(file, closure="pairs")
check("the plain skip is refused", refused)
check("keeping pairs all the same is possible, with a warning", len(said) == 1)

# %% [markdown]
# ## Why
#
# In $\gamma z_i + \sum_j W_{ij} s(z_j)$ the two parts of $z'$ share the neuron $i$. Then $\mathbb{E}[z'_i\, z'_j
# z'_j]$, for instance, is not zero for ReLU: $\gamma z_i$ correlates with $s(z_i)^2$ in the variance of $z'_j$. An
# odd number of preactivations on neuron $i$: such a correlator is no sum over pairings. It is of the same order $1/n$
# as $V$:
#
# $$ n\, \mathbb{E}[z'_i\, z'_j z'_j] = \gamma\, C_W \langle z s(z)^2\rangle . $$


# %%
def layers_of(step, width, depth, networks, seed):
    """Preactivations at each layer of drawn networks at one input, K = 1 in the first layer."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((networks, width), dtype=np.float32)
    for _ in range(depth):
        yield z
        z = step(z, lambda: rng.standard_normal((networks, width, width), dtype=np.float32) / np.sqrt(width))


def plain_step(z, matrix):
    """The plain skip with ReLU at its critical point, gamma = 1/2."""
    return gamma * z + np.sqrt(2 * (1 - gamma**2)) * np.einsum("rij,rj->ri", matrix(), np.maximum(z, 0))


def block_step(z, matrix):
    """The residual block with ReLU at its critical point, gamma = 1/2."""
    u = np.einsum("rij,rj->ri", matrix(), z)
    return gamma * z + np.sqrt(2 * (1 - gamma**2)) * np.einsum("rij,rj->ri", matrix(), np.maximum(u, 0))


gamma, width, networks, depth = 0.5, 32, 6000, 6
second = list(layers_of(plain_step, width, 2, 2 * networks, seed=1))[1].astype(float)
odd = (np.sum(second, axis=1) * np.sum(second**2, axis=1) - np.sum(second**3, axis=1)) / (width - 1)
value, error = np.mean(odd), np.std(odd) / np.sqrt(len(odd))
half = 2 / np.sqrt(2 * np.pi)  # <z relu(z)^2> at K = 1
expected = gamma * 2 * (1 - gamma**2) * half
print(f"n E[z_i z_j^2] at layer 2: {value:.3f} +- {error:.3f}; gamma C_W <z s^2> = {expected:.3f}")
check("the correlator of an odd number on a neuron does not vanish", value > 5 * error)
check("and is what the formula says", abs(value - expected) < 4 * error)

# %% [markdown]
# ## Six moves with a skip
#
# In the residual block a pair can be joined in a third way: because the neuron is passed on. This gives $\gamma^2$,
# no sum and no $1/n$, and the site is pinned to the outside neuron. Some of the terms of $V$:

# %%
V = pt.derive("residual", "V")
print(V)
passed = next(diagram for diagram in V.diagrams if ("gamma", 4) in diagram.couplings)
print()
print(V.explain(passed))

# %% [markdown]
# The two halves of the block have recursions of their own, $u$ from $z$ and $z'$ from both; the program closes them
# together.
#
# ## Fluctuations at criticality
#
# Scale-invariant functions are critical at $C_b = 0$, $C_W = (1 - \gamma^2)/A_2$, and $V/(nK^2) = \nu\,(\ell-1)/n$:
#
# * residual block, ReLU: $\nu = (1-\gamma^2)\,[7(1-\gamma^2) + 4\gamma^2]$;
# * projection: $\nu = (1-\gamma^2)^2 (3A_4/A_2^2 - 1) + 2\gamma^2(2 - \gamma^2)$;
# * plain skip, with pairs only, as in the book: $\nu = (1-\gamma^2)\,[(1-\gamma^2)(3A_4/A_2^2 - 1) + 4\gamma^2]$.

# %%
found = {}
for rule, name in (("residual", "residual"), ("projection", "projection"), (plain, "plain")):
    network = pt.network(rule) if isinstance(rule, str) else rule
    model = pt.theory(network, ["V"], order=1).compile(inputs="one")
    for g in (0.0, 0.3, 0.5, 0.8):
        run = model([[1.0]], activation="relu", depth=depth, C_W=[1.0] + [2 * (1 - g**2)] * (depth - 1), gamma=g)
        found[name, g] = np.array([layer["V"][0] / layer["G"][0] ** 2 for layer in run])
        check(f"{name}, gamma = {g}: critical", np.allclose([layer["G"][0] for layer in run], 1.0))
for g in (0.0, 0.3, 0.5, 0.8):
    rest = 1 - g**2
    slopes = {
        "residual": rest * (7 * rest + 4 * g**2),
        "projection": rest**2 * 5 + 2 * g**2 * (2 - g**2),
        "plain": rest * (rest * 5 + 4 * g**2),
    }
    for name, nu in slopes.items():
        check(f"{name}, gamma = {g}: nu = {nu:.4f}", np.allclose(found[name, g], nu * np.arange(depth), atol=1e-9))

# %% [markdown]
# ## Against networks
#
# For the block the pair structure is exact and the theory agrees with drawn networks. For the plain skip it is right
# in the second layer, by accident of there being nothing to inherit yet, and then falls behind quickly.


# %%
def vertex(step, seed):
    """V/K^2 at layers 1 .. depth with standard errors."""
    rows = []
    for z in layers_of(step, width, depth, networks, seed):
        z = z.astype(float)
        square = np.mean(z**2, axis=1)
        mixed = (width * square**2 - np.mean(z**4, axis=1)) / (width - 1)
        own = mixed - 2 * np.mean(square) * square
        rows.append((np.mean(mixed) - np.mean(square) ** 2, np.std(own) / np.sqrt(networks)))
    return np.array(rows).T * width


block, block_error = vertex(block_step, seed=2)
skip, skip_error = vertex(plain_step, seed=3)
next_order = pt.theory("residual", ["V"], order=2).compile(inputs="one")
run = next_order([[1.0]], activation="relu", depth=depth, C_W=[1.0] + [2 * (1 - gamma**2)] * (depth - 1), gamma=gamma)
theory = np.array([layer["V"][0] + layer["V{1}"][0] / width for layer in run])
print("residual block, drawn: ", np.round(block, 1), "\n               theory: ", np.round(theory, 1))
print("plain skip, drawn:     ", np.round(skip, 1), "\n           pairs only: ", np.round(found["plain", gamma], 1))
check("residual block: theory and networks agree", np.all(np.abs(block - theory)[1:] < 4 * block_error[1:]))
missing = (skip - found["plain", gamma])[1:] / skip_error[1:]
print("plain skip, (drawn - pairs only) / standard error at layers 2 .. 6:", np.round(missing, 1))
check("plain skip: pairs are right at layer 2", abs(missing[0]) < 4)
check("plain skip: from layer 3 on they are not enough", np.all(missing[1:] > 4))

# %% [markdown]
# ## A picture

# %%
figure, axis = plt.subplots(figsize=(6.4, 4))
layers = np.arange(1, depth + 1)
axis.plot(layers, found["plain", gamma], color="C3", ls=":", label=r"$\gamma z + W s(z)$, pairs only")
axis.errorbar(layers, skip, skip_error, fmt="s", ms=4, color="C3", label=r"$\gamma z + W s(z)$, drawn networks")
axis.plot(layers, theory, color="C0", label="residual block, theory")
axis.errorbar(layers, block, block_error, fmt="o", ms=4, color="C0", label="residual block, drawn networks")
axis.plot(layers, found["projection", gamma], color="C2", lw=1, label="projection, theory")
axis.plot(layers, found["residual", 0.0], color="0.6", lw=1, ls="--", label=r"block without skip, $\gamma = 0$")
axis.set(xlabel="layer", ylabel="$V/K^2$", title=r"ReLU networks with skips, $\gamma = 1/2$, n = 32", ylim=(0, None))
axis.legend()
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "appB_residual.png", dpi=150)
