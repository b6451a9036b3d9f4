"""What each verb of the command line does: config in, exit code out."""
