"""The NumPy printer."""
