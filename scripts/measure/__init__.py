"""Modules behind the commands that measure: bench, instructions, and the trials of pushes, paces and fleets."""
