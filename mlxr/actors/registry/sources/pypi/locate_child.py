"""Prints, as JSON, where pip would fetch a wheel from. Started by path, with the arguments of ``pip download``.

It needs nothing but the standard library and pip, whose own finder is used: pip has no command that says this and
fetches nothing.
"""

import json
import sys

from pip._internal.commands.download import DownloadCommand
from pip._internal.req.constructors import install_req_from_line


def locate(arguments: list[str]) -> dict[str, object]:
    command = DownloadCommand("download", "")
    with command.main_context():
        options, (wanted,) = command.parse_args(arguments)
        requirement = install_req_from_line(wanted).req
        assert requirement is not None
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session, ignore_requires_python=True)
        best = finder.find_best_candidate(requirement.name, specifier=requirement.specifier).best_candidate
        if best is None:
            return {}
        return {"url": best.link.url_without_fragment, "name": best.link.filename, "version": str(best.version)}


if __name__ == "__main__":
    print(json.dumps(locate(sys.argv[1:])))
