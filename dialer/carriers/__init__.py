"""Carriers: whoever turns an order into a ringing telephone. One vendor per set of modules."""
