"""Delivery by workers on several machines: a journal in PostgreSQL, and a task in Procrastinate for each account."""
