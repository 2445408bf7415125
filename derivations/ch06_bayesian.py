# %% [markdown]
# # Chapter 6: Bayesian learning
#
# The outputs of a network at initialisation are a prior over functions. Conditioned on data it becomes a posterior,
# and the probability of the data under it is the evidence. At infinite width the prior is Gaussian and outputs do not
# know of each other; at finite width it has a four-point cumulant $V/n$, and this text works out what that does at
# order $1/n$: to the evidence, to predictions, and between outputs.

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
# ## The prior, and what conditioning means
#
# The cumulants of $z_{i;a}$ (output $i$, input $a$) are those of the theory,
#
# $$ W(q) = \tfrac12 G_{ab} \sum_i q_{ia} q_{ib} + \tfrac{1}{8n} V_{(ab)(cd)} \sum_{ij} q_{ia} q_{ib} q_{jc} q_{jd}
#    + .. , \qquad G = K + G^{\{1\}}/n . $$
#
# To condition on targets $y$ of the training set is to integrate $e^{W(q) - q \cdot y}$ over imaginary $q$ there, while
# $q = J$ is held on the test set. The quadratic part has its saddle at $q = a + R J$ with $a_i = \tilde K y_i$ and
# $\tilde K$ the inverse of the kernel on the training set, $R_\beta = 1_\beta - \tilde K K_{\cdot\beta}$, and $q$
# fluctuates around it with the propagator $-\tilde K$. Connected diagrams, to first order in $1/n$: one insertion of
# $G^{\{1\}}$ or of $V$, each pair of its legs closed into a loop (a factor $n_L$) or ending on two sources. At $J = 0$
# this is
#
# $$ \log p(y) = \log p_0(y) + \frac1n \Big\{ \tfrac12 G^{\{1\}}_{ab} E^{ab} + \tfrac18 V_{(ab)(cd)} \big[ E^{ab} E^{cd}
#    - 4 \tilde K^{ac} (aa)^{bd} + 2 n_L \tilde K^{ac} \tilde K^{bd} \big] \Big\}, \quad E = (aa) - n_L \tilde K. $$

# %%
train = np.array([[0.8, -0.5, 1.1], [-0.3, 1.2, 0.4]])
targets = np.array([[0.7, -0.2], [-0.4, 0.5]])
test = np.array([[0.5, 0.6, -0.9]])
hyper = {"activation": "tanh", "depth": 3, "C_b": 0.1, "C_W": 1.3}
theory = pt.theory("mlp", ["G", "V"], order=1)
found = pt.posterior(theory, train, targets, test, **hyper)

inputs = np.concatenate([train, test])
state = theory.compile()(inputs, hyper["activation"], hyper["depth"], C_b=hyper["C_b"], C_W=hyper["C_W"])[3]
kernel, shift, four = state["K"], state["G{1}"], state["V"]
inverse = np.zeros((3, 3))
inverse[:2, :2] = np.linalg.inv(kernel[:2, :2])
a = inverse[:, :2] @ targets
aa, outputs = a @ a.T, targets.shape[1]
E = aa - outputs * inverse
by_hand = np.einsum("ab,ab", shift, E) / 2 + np.einsum("abcd,ab,cd", four, E, E) / 8
by_hand += np.einsum("abcd,ac,bd", four, inverse, outputs * inverse / 4 - aa / 2)
print(f"log evidence: {found.log_evidence[0]:.6f} + ({found.log_evidence[1]:.6f})/n, by hand {by_hand:.6f}")
check("the log evidence at order 1/n", np.isclose(found.log_evidence[1], by_hand, rtol=1e-12))

# %% [markdown]
# One derivative with respect to $J$ gives the mean, two the covariance. Between two *different* outputs only one
# diagram is left: $V$ with two legs on test inputs and two on the targets of the two outputs,
#
# $$ \mathrm{Cov}(z_{i\beta}, z_{j\gamma} \,|\, y) = \tfrac1n R_\beta^a R_\gamma^b\, V_{(ac)(bd)}\, a_i^c a_j^d,
#    \qquad i \neq j: $$
#
# outputs that are large together on the data vary together elsewhere. "What fires together wires together".

# %%
leg = np.eye(3)[:, 2] - inverse @ kernel[:, 2]
wired = np.einsum("a,b,acbd,c,d", leg, leg, four, a[:, 0], a[:, 1])
check("two outputs wire together through V", np.isclose(found.covariance[1][0, 0, 0, 1], wired, rtol=1e-12))
check("at infinite width they do not", found.covariance[0][0, 0, 0, 1] == 0)

# %% [markdown]
# ## Without perturbation theory
#
# Given the hidden layers the outputs are exactly Gaussian, with the kernel of the last hidden layer's activations. So
# the exact posterior is an average over sampled hidden layers, each weighted by the evidence under its kernel. The two
# widths take out the term of the order $1/n^2$.


# %%
def sampled(n, samples, rng):
    """n times what evidence, mean and coupling of outputs depart from infinite width, with standard errors."""
    kernels = np.broadcast_to(0.1 + 1.3 * inputs @ inputs.T / 3, (samples, 3, 3))
    for _ in range(2):
        z = np.tanh(rng.normal(size=(samples, n, 3)) @ np.linalg.cholesky(kernels).transpose(0, 2, 1))
        kernels = 0.1 + 1.3 * z.transpose(0, 2, 1) @ z / n
    inverses = np.linalg.inv(kernels[:, :2, :2])
    logs = -0.5 * np.einsum("ai,sab,bi->s", targets, inverses, targets) - np.linalg.slogdet(kernels[:, :2, :2])[1]
    weights = np.exp(logs + 2 * np.log(1 / (2 * np.pi)) - found.log_evidence[0])
    means = (kernels[:, 2:, :2] @ inverses @ targets)[:, 0]
    evidence, error = np.log(weights.mean()), weights.std() / weights.mean() / np.sqrt(samples)
    weights = weights / weights.mean()
    mean = (weights[:, None] * means).mean(axis=0)
    off = weights[:, None] * (means - found.mean[0][0])
    coupling = weights * (means[:, 0] - mean[0]) * (means[:, 1] - mean[1])
    values = np.array([evidence, *(mean - found.mean[0][0]), coupling.mean()])
    return n * values, n * np.array([error, *(off.std(axis=0) / np.sqrt(samples)), coupling.std() / np.sqrt(samples)])


rng = np.random.default_rng(6)
(small, small_error), (large, large_error) = (sampled(n, 60_000, rng) for n in (20, 40))
limit, error = 2 * large - small, np.hypot(2 * large_error, small_error)
expected = np.array([found.log_evidence[1], *found.mean[1][0], found.covariance[1][0, 0, 0, 1]])
for name, value, own, one in zip(("log evidence", "mean 0", "mean 1", "coupling"), limit, expected, error, strict=True):
    print(f"{name:12s} sampled {value:8.4f} +- {one:.4f}, theory {own:8.4f}")
check("sampled networks have this posterior", np.all(np.abs(limit - expected) < 4 * error + 0.05 * np.abs(expected)))

# %% [markdown]
# ## A picture
#
# Left: a function on a circle learnt from four points by a network of sines, at infinite width and at $n = 8$; bars are
# one standard deviation. Right: which depth do the data prefer? Wide networks the deepest; narrow ones are judged
# differently, and more so the deeper they are.

# %%
places, between = np.array([-2.0, -0.8, 0.3, 1.6]), np.linspace(-2.6, 2.2, 6)
heights = 0.6 * np.sin(2 * places)[:, None]


def circle(angle):
    """Inputs on a circle."""
    return np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
wave = pt.posterior(
    theory, circle(places), heights, circle(between), 0.1, activation="sin", depth=3, width=8, C_b=0.1, C_W=1.5
)
for colour, name, move in (("0.5", "infinite", -0.04), ("C3", "n = 8", 0.04)):
    mean = wave.mean[0] if name == "infinite" else wave.total("mean")
    spread = wave.covariance[0] if name == "infinite" else wave.total("covariance")
    bar = np.sqrt(np.einsum("titi->t", spread))
    left.errorbar(between + move, mean[:, 0], bar, color=colour, fmt="o", ms=4, capsize=3, label=name)
left.plot(places, heights[:, 0], "k*", label="data")
left.set(xlabel="angle of the input", ylabel="output", title="Posterior at depth 3")
left.legend()
deep = pt.posterior(theory, circle(places), heights, circle(between[:1]), 0.1, depth=6, C_b=0.1, C_W=1.5)
for width, colour in ((8, "C3"), (32, "C1"), (10**9, "k")):
    rows = deep.evidence([width])
    label = "infinite" if width > 10**6 else f"n = {width}"
    right.plot([row.depth for row in rows], [row.total for row in rows], "o-", color=colour, label=label)
right.set(xlabel="depth", ylabel="log evidence", title="Which depth?")
right.legend()
figure.tight_layout()

if folder := os.environ.get("FIGURES"):  # keep the picture
    Path(folder).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(folder) / "ch06_bayesian.png", dpi=150)
