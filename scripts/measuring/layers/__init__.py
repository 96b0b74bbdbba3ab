"""Measuring the classes of torch.nn in training and evaluation, and the rows of modules.tsv from that."""
