"""Numbers: Gaussian averages of activations and everything that is computed from them in floating point."""
