"""Long work on models that belongs to the server and not to whoever asked for it."""
