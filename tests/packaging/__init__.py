"""The project as something to install: the wheel, the dependencies, the size of its files."""
