"""Modules that several commands in scripts/ share."""
