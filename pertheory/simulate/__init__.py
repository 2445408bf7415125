"""Sampled networks beside the theory: networks drawn from a rule in JAX, estimators of every tensor, honest errors.

`setting.py` holds what is drawn; `network.py` draws and propagates, `conditional.py` where only preactivations are
wanted; `forest.py` turns a tensor into a plan, `derivatives.py` and `estimate.py` carry it out; `batches.py` runs and
stores; `simulation.py` sets the theory beside it, `extrapolate.py` fits in 1/n; `compare.py` is for a user's model.
"""
