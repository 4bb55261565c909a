"""The verbs, one a file: each a function from a session to outcomes."""
