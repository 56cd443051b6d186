"""A campaign looked over before it starts: who will be called, who will not, and what is missing.

``reading`` takes the facts in one transaction that may only read, counted by the database so that
a million members are a few hundred rows here; ``audience``, ``bindings`` and ``pace`` work out what
they mean, and ``findings`` says so. ``checking`` is the use case.
"""
