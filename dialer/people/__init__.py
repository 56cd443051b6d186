"""People: contacts, their memberships, and what operators do to both."""
