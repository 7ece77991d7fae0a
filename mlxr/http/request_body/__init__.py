"""Request bodies: received, unpacked and decoded into the struct that a route takes, within limits."""
