"""Models that other tools on this machine keep: found and read where they are, never copied, changed or deleted."""
