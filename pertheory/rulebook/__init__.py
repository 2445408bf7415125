"""Rule files and formulas: what a person may change about a network without touching the program."""
