"""What others call an object, and what follows: the table of their taxonomies, and labels from their catalogues."""
