"""Is a deployment fit to call? What is looked at, what is found, and what would mend it.

``verdicts`` decides from facts alone, ``gathering`` takes the facts, ``examination`` runs the
checks that are asked for, each within its time.
"""
