"""Ways to write and read a call that several chat families share."""
