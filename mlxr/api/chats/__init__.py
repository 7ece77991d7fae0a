"""Chats as the web application and the actor that owns them know them: what is shown, what is asked, what is told."""
