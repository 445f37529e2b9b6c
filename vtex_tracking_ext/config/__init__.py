"""Who calls where: credentials, profiles, the options of a client, and its server."""
