"""The scheduler: owns the queue and every sequence of one engine, and decides who runs, waits or is preempted."""
