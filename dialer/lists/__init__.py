"""Lists of people as files: reading them in whatever form they come, and writing them."""
