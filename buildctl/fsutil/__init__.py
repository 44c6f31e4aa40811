"""File transfer as fsutil does it (github.com/tonistiigi/fsutil): packets in, packets out."""
