"""Feature copies: what is rendered for an application, taken apart and written again under other names (issue 5)."""
