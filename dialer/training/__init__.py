"""Makes the model that tells a machine by its sound, from recordings."""
