"""Pages on disk: the format of segment files, the folder that holds them within its quota, what the KV manager knows of
them, and what it has stored and restored. Only the executor's threads touch files."""
