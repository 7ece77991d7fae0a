"""Modelfiles: read, checked line by line, made a request to create a model, and written."""
