"""The commands and their options. Imports nothing heavy, so that ``--help`` is quick."""
