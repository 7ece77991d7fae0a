"""Chats: their messages, their answers, and everybody who follows them."""
