"""The sources, each a module and a code table."""
