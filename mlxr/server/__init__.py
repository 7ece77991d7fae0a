"""The composition root: which actors a server has, what each is told, and how the server starts and ends."""
