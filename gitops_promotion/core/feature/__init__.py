"""Feature copies: the objects of an application, read from the output of kustomize and written under other names."""
