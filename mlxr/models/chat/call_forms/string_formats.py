"""JSON Schema's formats as regular expressions, for forms that write strings as they are.

Sources: RFC 3339 (dates, times, durations), RFC 1123 and 5321 (host names, mail addresses), RFC 2673 and 4291 (IP
addresses), RFC 3986 (URIs), RFC 9562 (UUIDs). Each is of the whole text, and stands within slashes.
"""

from __future__ import annotations

_DATE = (
    "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
"""Without the 29th of February, which most years do not have."""
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?([zZ]|[+\-]([01][0-9]|2[0-3]):[0-5][0-9])"
_HOURS = "T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)"
_DAYS = "([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)"
_ATOM = r"[A-Za-z0-9!#$%&'*+\-\/=?^_`{|}~]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}"
_H16 = "[0-9A-Fa-f]{1,4}"
_LS32 = f"({_H16}:{_H16}|{_IPV4})"
_IPV6 = "|".join(
    (
        f"({_H16}:){{6}}{_LS32}",
        f"::({_H16}:){{5}}{_LS32}",
        *(f"(({_H16}:){{0,{n}}}{_H16})?::({_H16}:){{{4 - n}}}{_LS32}" for n in range(5)),
        f"(({_H16}:){{0,5}}{_H16})?::{_H16}",
        f"(({_H16}:){{0,6}}{_H16})?::",
    )
)
_ESCAPE = "%[0-9A-Fa-f]{2}"
_NAME = f"([A-Za-z0-9\\-._~!$&'()*+,;=]|{_ESCAPE})"
_PATH = f"([A-Za-z0-9\\-._~!$&'()*+,;=:@]|{_ESCAPE})"
_QUERY = f"([A-Za-z0-9\\-._~!$&'()*+,;=:@\\/?]|{_ESCAPE})*"
_AUTHORITY = rf"({_NAME}+@)?{_NAME}+(:[0-9]{{1,4}})?(\/{_PATH}*)*"
_HEX = "[0-9a-fA-F]"

STRING_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}[tT]{_TIME}",
    "duration": f"P({_DAYS}({_HOURS})?|{_HOURS}|[0-9]+W)",
    "email": rf"{_ATOM}(\.{_ATOM})*@{_HOST}",
    "hostname": _HOST,
    "ipv4": _IPV4,
    "ipv6": f"({_IPV6})",
    "uri": rf"[A-Za-z][A-Za-z0-9+.\-]*:(\/\/{_AUTHORITY}|\/?({_PATH}+(\/{_PATH}*)*)?)(\?{_QUERY})?(#{_QUERY})?",
    "uuid": f"{_HEX}{{8}}-({_HEX}{{4}}-){{3}}{_HEX}{{12}}",
}
"""By the names that schemas use. What a constraint holds JSON strings to is held to here as well."""
