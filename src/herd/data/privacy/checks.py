"""Whether what a pattern matched is private data: by itself, and by what stands before it.

In: what was matched, and the BEFORE_CHARS before it. Out: yes or no.
"""

import ipaddress
import re
from collections.abc import Callable

from herd.data.privacy.checksums import digits_of

Check = Callable[[str, str], bool]  # what was matched, and what stands before it
BEFORE_CHARS = 60
EXAMPLES = ("example.com", "example.org", "example.net", "example", "test", "localhost", "invalid")
DOCUMENTATION = tuple(
    ipaddress.ip_network(net)
    for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
# A word for a telephone, and up to three words more, of the same sentence.
PHONE_WORDS = re.compile(
    r"(?i)(?:\b(?:tel|tél|fax|mob|cell)\.|\b(?:tel|telephone|phone|fon|telefon|tél|téléphone|teléfono|telefono|telefone|mobile?|mobil|cell|"
    r"celular|móvil|cellulare|portable|call|ring|fax|whatsapp|sms|text me|contact|appelez|rufen|anruf|"
    r"llame|chiamare|ligue|handy|numéro|(?:my|our|his|her|their|your) number|(?:meine|unsere|ihre) nummer)\b|โทร|फ़ोन|फोन)"
    r"(?:[^\w\n.!?]{0,20}\n?[^\w\n.!?]{0,3}|[^\w\n.!?]{1,3}(?:\w{1,12}[^\w\n.!?]{1,3}){1,3})$"
)
NOT_PHONE_WORDS = re.compile(
    r"(?i)\b(isbn|issn|order|invoice|ref(erence)?|id|no\.|part|item|version|build|ticket|case|doi|pmid|sku|"
    r"batch|serial|tracking|bestellung|artikel|commande|facture|pedido|ordine|rechnung)\W{0,6}((no|nr|number|num)\b\W{0,6})?$"
)
VERSION_WORDS = re.compile(r"(?i)(?:(?:version|ver\.?|release|v|section|§|build)\s*|[a-z]/)$")
YEARS = re.compile(r"(?:1[0-9]|20)[0-9]{2}[-/ .](?:1[0-9]|20)[0-9]{2}")
JOINED_SIGNS = (".", ",", "/", "-", "_", "#", "$", "€", "£", ":", "=")
MORE_DIGITS = re.compile(r"[0-9]{2} $")
NORTH_AMERICA = re.compile(
    r"(1[-. ])?(\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}"
)
NATIONAL = re.compile(
    r"\(?0[0-9]{2,4}\)?[ ][0-9]{3,4}[ ]?[0-9]{3,4}|0[0-9]([ .][0-9]{2}){4}|0[0-9]{2,4}[/-][0-9]{5,8}|"
    r"\(0[0-9]{1,4}\) ?[0-9]{4}[ -]?[0-9]{4}"
)


def is_email(text: str, before: str) -> bool:
    """An address at a host that is no example."""
    domain = text.rpartition("@")[2].lower()
    return not any(domain == one or domain.endswith(f".{one}") for one in EXAMPLES)


def is_public_address(text: str, before: str) -> bool:
    """An address of somebody's: not this machine's, not a documentation's, not a version number."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # Browsers name themselves `Chrome/120.0.0.0`.
    if VERSION_WORDS.search(before):
        return False
    in_docs = any(address in net for net in DOCUMENTATION)
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or in_docs)


def is_cisco_mac(text: str, before: str) -> bool:
    """Three groups of four that are not all figures, and not all letters."""
    return any(c.isalpha() for c in text) and any(c.isdigit() for c in text)


def is_password(text: str, before: str) -> bool:
    """A word with a digit: others are what is said about passwords."""
    return bool(digits_of(text))


def is_phone(text: str, before: str) -> bool:
    """A number written as telephones are, or after a word that says that it is one."""
    digits = digits_of(text)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3:
        return False
    if before.endswith(JOINED_SIGNS) and not PHONE_WORDS.search(before):
        return False
    return _has_phone_shape(text, digits, before) and not NOT_PHONE_WORDS.search(before)


def _has_phone_shape(text: str, digits: str, before: str) -> bool:
    if text.startswith("+"):
        return len(digits) >= 9
    if MORE_DIGITS.search(before) or YEARS.fullmatch(text):
        return False
    if text.startswith("00"):
        return len(digits) >= 11 and digits[2] != "0"
    is_known = NORTH_AMERICA.fullmatch(text) or NATIONAL.fullmatch(text)
    return bool(is_known or PHONE_WORDS.search(before))


def checked(check: Callable[[str], bool]) -> Check:
    """A check that does not mind what stands before."""
    return lambda text, before: check(text)


def after(words: str, check: Callable[[str], bool]) -> Check:
    """A check that also wants one of some words shortly before."""
    pattern = re.compile(rf"(?i)({words})[^\n]{{0,40}}$")
    return lambda text, before: bool(pattern.search(before)) and check(text)
