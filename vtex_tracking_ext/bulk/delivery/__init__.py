"""Delivery of one account's pending entries to VTEX: batches, order lookups, rate limit and circuit breaker."""
