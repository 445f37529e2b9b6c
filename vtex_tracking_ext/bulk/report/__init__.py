"""A journal as rows and as a page."""
