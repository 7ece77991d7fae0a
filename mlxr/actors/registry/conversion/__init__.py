"""Models in other formats and types: a process of its own does the work, and what it made is catalogued."""
