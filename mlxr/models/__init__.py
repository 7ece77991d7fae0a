"""Models: files on disk, architectures, tokenizers, chat templates, constraints and how output is read."""
