"""What a command says of the trace it belongs to; nothing is imported before it is used."""
