"""The course in a page: what is built into a site that needs no installation."""
