"""A push by workers on several machines: a journal in PostgreSQL, tasks in Procrastinate, one pace per account."""
