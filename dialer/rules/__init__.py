"""Calling rules by country and region: the law as versioned data, and a pure engine for it.

``rule`` says what one rule is, ``pack`` reads the rules that come with the program, ``rule_set``
is the pack with the operator's changes and answers when and how often a callee may be called,
``changes_format`` keeps those changes as JSON.
"""
