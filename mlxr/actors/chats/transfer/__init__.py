"""Chats to files and back: our own JSON, Markdown, and what ChatGPT and Open WebUI export."""
