"""How models lie on disk: a package for each kind of file. Each gives tensors by the names that the file has."""
