"""What was sent, and what is known about it."""
