"""A learned ranker of each user's own cells; trained across users and cities."""
