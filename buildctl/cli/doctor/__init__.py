"""`buildctl doctor`: looks at the daemon and at this machine, and says of each thing what it means."""
