"""The door to JAX, which is optional: all that use it import it from here."""

from __future__ import annotations

from pertheory.errors import MissingPackageError

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    raise MissingPackageError(
        "networks are sampled by JAX, which is not installed: pip install 'pertheory[simulate]'"
    ) from None

__all__ = ["jax", "jnp"]
