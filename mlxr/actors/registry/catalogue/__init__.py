"""The catalogue: owns the names of models, their files and what is known of these, in SQLite and in blobs."""
