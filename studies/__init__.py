"""One declarative module per table or figure of a paper, the papers' numbers as data, the CLI."""
