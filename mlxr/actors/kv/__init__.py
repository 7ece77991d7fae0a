"""The KV manager: owns the accounting of pages, block tables and the prefix cache. The memory is the executor's."""
