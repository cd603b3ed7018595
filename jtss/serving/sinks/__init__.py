"""Where answers and dead letters go, and the forms that answers have there."""
