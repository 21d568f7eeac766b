"""Exact results: noise during sampling, scores of Parzen densities, powers of likelihoods."""
