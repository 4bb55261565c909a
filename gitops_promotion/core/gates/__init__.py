"""Gates: what must be true before a pull request into an environment may merge; one file a gate."""
