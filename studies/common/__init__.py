"""What studies of several papers share: exhibits, settings of execution, step sizes, distances."""
