"""The monitor: reads telemetry as any subscriber does, and keeps what people want to look back at.

``actor.py`` is the shell. Everything else is plain: ``sampler`` makes a point of what is told each second, ``tiers``
keep points, ``store`` keeps them on disk, ``request_log``, ``log_lines`` and ``actor_table`` the rest, and
``followers`` whoever follows them.
"""
