"""One account's waiting entries to VTEX."""
