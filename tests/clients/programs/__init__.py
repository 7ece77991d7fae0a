"""Programs as users write them, one for each package, run as processes of their own: the first argument is the URL of
the server. A program that comes to its end has found everything in order."""

import sys

URL = sys.argv[1]
BASE_URL = f"{URL}/v1"
