"""The field's measures of individual mobility: one place for every formula (docs/measures.md)."""
