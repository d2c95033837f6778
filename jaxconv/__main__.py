"""``python -m jaxconv``."""

from jaxconv.cli import main

if __name__ == "__main__":
    main()
