"""Values and text in, values and text out: no clock, environment, file, process or network."""
