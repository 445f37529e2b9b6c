"""One request to the server, and its answer: connections, deadlines, HTTP."""
