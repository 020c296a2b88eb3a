"""Work on people in parts: in this process or on a Ray cluster, with finished parts kept."""
