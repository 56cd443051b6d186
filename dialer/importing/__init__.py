"""Bringing a list in, in portions that are each all or nothing, and taking it back."""
