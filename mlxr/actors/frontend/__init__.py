"""The frontend: owns the transports and the open requests, and sends each request to the engine of its model."""
