"""Hostile inputs by the thousand: ``python -m tests.fuzz [KIND ...]``, or ``make fuzz``.

``kinds`` has one file for each kind of input: a generator, which makes case ``i`` of a seed the same every time, and
the code that reads it, called as the server calls it. ``child`` reads cases in a process of its own under limits;
``parent`` starts such processes, notices their deaths, and keeps the input behind every finding.
"""
