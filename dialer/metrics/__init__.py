"""What a daemon counts and reads for Prometheus."""
