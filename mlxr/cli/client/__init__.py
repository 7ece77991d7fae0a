"""How commands talk to a server: which one (``endpoint``), one that is started for them (``background``), and requests
to it (``client``)."""
