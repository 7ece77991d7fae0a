"""The runtime below everything else: actors and supervisor, the bus and its messages, configuration, sandboxes."""
