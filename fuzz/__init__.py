"""Fuzzing: hostile formulas, rule files, command lines and calls, by the hour.

Each campaign is one file with two functions (see `fuzz.campaign.Campaign`); ``python -m fuzz NAME --count N`` runs it.
The tests run a bounded number of each with fixed seeds, and every crasher that was ever kept.
"""
