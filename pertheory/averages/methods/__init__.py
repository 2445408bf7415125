"""How Gaussian averages are made: one method a file."""
