"""The outbound dialer engine: campaigns, dispatch, carriers, store and their faces."""

__version__ = "0.1.0"
