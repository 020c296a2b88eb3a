"""Maps of people, places, flows and predictions: data, page, pictures."""
