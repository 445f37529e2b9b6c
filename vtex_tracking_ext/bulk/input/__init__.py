"""Read and check rows of carrier events from files and programs; write those that cannot be sent to a rejects file."""
