"""One call as pure code: operations, checks, steps, outcomes, retries."""
