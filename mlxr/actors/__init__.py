"""The actors: parts of a server that share no state and send each other messages (``mlxr.runtime.messages``)."""
