"""Studies of a report on noise schedules for noise conditional score networks (NCSN)."""
