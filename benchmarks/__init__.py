"""Speed, beside that of others in the same run: `make bench`."""
