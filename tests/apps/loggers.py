"""A program that logs what it is told: `log LOGGER LEVEL MESSAGE` on a line of its standard input.

Each command is answered by a line that ends in 0 when it is done.
"""

import logging
import sys

for name in ["app", "lib", "lib.io"]:
    logging.getLogger(name)

# Connects to the session daemon whose port it finds, and waits until the registration is done.
import lttngust  # noqa: E402,F401

for line in sys.stdin:
    command, *arguments = line.split()
    if command == "log":
        logger, level, message = arguments
        logging.getLogger(logger).log(int(level), message)
    print(command, 0, flush=True)
