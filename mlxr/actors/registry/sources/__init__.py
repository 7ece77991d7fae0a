"""Sources: the places that ``mlxr pull`` fetches models from, and what every pull does, whatever its source."""
