"""Pull requests, statuses and reviews on GitHub, GitHub Enterprise Cloud and Server; importing this loads no SDK."""
