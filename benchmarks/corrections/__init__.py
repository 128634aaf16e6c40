"""Every number of docs/corrections.md: what common tutorials say of rate and batch, tried out."""
