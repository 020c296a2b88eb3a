"""Hidden days of daily flows between areas, from the given days before and after."""
