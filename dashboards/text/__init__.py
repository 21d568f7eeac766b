"""Results as text: tables, sentences, numbers."""
