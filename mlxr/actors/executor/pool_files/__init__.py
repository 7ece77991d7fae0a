"""A pool in a file in memory, whose pages outlive the processes that filled them (``kv.shared_memory``): the file, the
records of what its pages hold, and which of them the next executor finds as they were recorded."""
