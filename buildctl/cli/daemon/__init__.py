"""The commands below `buildctl daemon`, one file each."""
