"""The backend ``reference``: plain MLX operations, which every other backend is held against."""
