"""The web server: the carrier's callbacks, health for whoever watches, later API and pages."""
