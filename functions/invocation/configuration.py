"""Where routes are written: in variables of the environment, and in a file."""

ROUTES, CONFIG, FILE = "OVERWINTER_ROUTES", "OVERWINTER_CONFIG", "overwinter.toml"
