"""From the jobs a study wants to the next job, and what is left to do."""
