"""The backend ``cpu``: mlxr's own C++ kernels, in ``native/``."""
