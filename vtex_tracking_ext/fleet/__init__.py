"""The same push on several machines: a journal in PostgreSQL, doorbells in Procrastinate, one pace for all workers."""
