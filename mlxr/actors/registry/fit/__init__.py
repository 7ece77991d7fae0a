"""Whether a model runs and fits here, and how fast it will be: said before anything of it is fetched but its header."""
