"""What the operating system is asked for by more than one room: files written whole and read, errno texts."""
