"""The command line, one module a noun. Each command parses, calls one use case and prints.

Modules here import nothing heavy at the top: ``dialer --help`` must not wait for an SDK.
"""
