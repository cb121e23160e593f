"""Make a site of the pages: the theme, and what is done to a built folder before publishing."""
