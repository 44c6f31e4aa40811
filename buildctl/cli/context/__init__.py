"""The commands below `buildctl context`, one file each."""
