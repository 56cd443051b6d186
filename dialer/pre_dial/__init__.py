"""An operator's own check before every call: a command, an address or an installed function."""
