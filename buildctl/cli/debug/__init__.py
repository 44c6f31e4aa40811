"""The commands below `buildctl debug`, one file each."""
