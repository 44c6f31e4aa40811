"""What holds without being typed: the user's `config.toml` and a project's `buildctl.toml`."""
