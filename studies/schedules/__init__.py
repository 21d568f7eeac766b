"""Studies of a report on noise schedules for NCSN."""
