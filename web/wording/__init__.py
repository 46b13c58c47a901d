"""Words for people: labels, times, the status of a grant, and access explained."""
