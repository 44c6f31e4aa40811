"""The Auth service: who this user is to registries."""
