"""Raw measurements: loops in MATLAB files, the paper's cleaning, band-excitation spectra, fits."""
