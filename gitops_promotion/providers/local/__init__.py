"""Pull requests, statuses and reviews as refs of the remote itself."""
