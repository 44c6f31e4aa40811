"""What CI services read in a job's log, a module a service: folded sections and annotations."""
