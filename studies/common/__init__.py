"""What studies of several papers share: execution settings, initial step sizes."""
