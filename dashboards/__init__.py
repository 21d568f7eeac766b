"""What people look at: tables, figures, the projections' content. Never starts a trial."""
