"""The journal: which events were or are to be sent, and what is known of each."""
