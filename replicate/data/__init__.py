"""Data: remote files (`manifest`, `fetch`) and the data sets made from them or simulated (`toy`, `beps`, `twin`)."""
