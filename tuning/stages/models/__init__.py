"""Score models, from which samplers draw images; imported weights are score models too."""
