"""The tutorial of the documents at full size."""
