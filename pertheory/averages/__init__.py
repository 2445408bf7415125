"""Gaussian averages: one plan of what a program needs, methods as a table, numbers with errors."""
