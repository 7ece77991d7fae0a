"""One grammar for each way in which model families write tool calls."""
