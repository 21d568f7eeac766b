"""Opening a study by name, as last run on a store; what the command lines share."""
