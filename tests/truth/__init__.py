"""Exact witnesses: programs that know nothing of perturbation theory and nothing of the package."""
