"""Pull requests, statuses and votes on Azure DevOps, in the cloud and on a server; importing this loads no SDK."""
