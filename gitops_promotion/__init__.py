"""Move container images through the environments of a GitOps repository, by pull request."""
