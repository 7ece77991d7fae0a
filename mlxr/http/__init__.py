"""The HTTP transport: a folder for each surface, and what they share. ``routes.py`` alone knows all surfaces."""
