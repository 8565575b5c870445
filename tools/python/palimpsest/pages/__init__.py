"""Pages about runs: one file each, drawn by matplotlib, that loads nothing."""
