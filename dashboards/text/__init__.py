"""Results as text: tables, sentences and numbers."""
