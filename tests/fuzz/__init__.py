"""Targets for coverage-guided fuzzing: `check(data)` of each raises for bytes that show a fault of the program."""
