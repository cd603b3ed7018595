"""Was a trained model kept from what it is tested on? What `data_prep audit` asks of a data set, asked of a run."""
