"""Write a journal's entries as JSON lines, CSV or an HTML page."""
