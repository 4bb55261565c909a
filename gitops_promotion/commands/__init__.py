"""The verbs, one a file: each is a function from a run to what the command line shows."""
