"""Architectures: a family turns a file's settings into a spec, and one decoder and one encoder build any spec."""
