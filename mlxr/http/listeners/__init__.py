"""Sockets that listen, and connections: how many there may be, and how long each may take."""
