"""PDF gifts: made here from a sheet or uploaded, personal, always to be had again."""
