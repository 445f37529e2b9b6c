"""Whole files of carrier events: read, planned per package, delivered, reported."""
