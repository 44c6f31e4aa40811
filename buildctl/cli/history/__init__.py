"""The commands below `buildctl history`, one file each, and what they share."""
