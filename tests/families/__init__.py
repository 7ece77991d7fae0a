"""Every family against its peers: ``python -m tests.families`` (``make test-families``)."""
