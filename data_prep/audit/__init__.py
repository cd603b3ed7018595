"""Does a data set let a model cheat? One object or image on two sides, sequences out of order, labels given away."""
