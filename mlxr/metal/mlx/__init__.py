"""The backend ``mlx``: MLX's kernels, for GPUs."""
