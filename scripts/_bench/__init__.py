"""The rooms of scripts/bench: what is measured, how, what the figures mean, and how they are shown."""
