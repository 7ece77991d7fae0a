"""Models in another format: settings, tensors and vocabularies, as the makers of each format write them.

Families say where their tensors are in each format (``architectures/families``); what a format has besides is in tables
here. What has no row is refused by name: a file that is nearly right is a wrong answer later.
"""
