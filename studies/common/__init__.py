"""Code shared by the studies: exhibits, execution settings, initial step sizes, distances."""
