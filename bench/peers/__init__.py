"""What is measured side by side: mlxr's own engine and other projects', each in a process of its own."""
