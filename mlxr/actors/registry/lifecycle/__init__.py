"""The lifecycle of engines: owns which of them run, and starts, evicts and stops them. Requests are the scheduler's."""
