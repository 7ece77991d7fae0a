"""Bytes from elsewhere, whatever the source: remote files read by ranges, and fetched so that a killed pull goes on.

A source lists its files (``RemoteModel``); ``read`` looks into one without fetching it, ``download_model`` fetches all.
"""
