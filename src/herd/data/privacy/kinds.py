"""The kinds of private data that are looked for: how each is written, where it may begin, what checks it.

Patterns have bounded repetitions, so that their time is linear in any text, and take ASCII digits only.
In: nothing. Out: the table of kinds, those that are surest first.
"""

import re
from dataclasses import dataclass

from herd.data.privacy import checks, checksums, places
from herd.data.privacy.checks import Check, after, checked
from herd.data.privacy.places import Anchor, digits_within, grouped_digits

LONGEST_NUMBER_CHARS = 80


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which a kind of private data is written.

    A match begins at one of the anchor's places, or where one of the hints (three characters each)
    stands, or up to `before_chars` before; with what is looked at behind it, it is `longest_chars` at most.
    """

    name: str
    pattern: re.Pattern[str]
    hints: tuple[str, ...] = ()
    anchor: Anchor | None = None
    check: Check | None = None
    group: int = 0  # the part that is private
    before_chars: int = 0
    longest_chars: int = 800


def _hinted(name: str, pattern: str, *hints: str, before: int, longest: int = 800) -> Kind:
    return Kind(name, re.compile(pattern), hints, before_chars=before, longest_chars=longest)


SECRETS = (
    _hinted(
        "secret",
        r"-----BEGIN (?:[A-Z]{1,20} ){0,3}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s:,]|-(?!----BEGIN)){16,8000}?-----END (?:[A-Z]{1,20} ){0,3}PRIVATE KEY-----",
        "-BE", before=4, longest=8300,
    ),
    _hinted("secret", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "KIA", "SIA", before=1),
    _hinted("secret", r"\bgh[pousr]_[A-Za-z0-9]{36,80}", "ghp", "gho", "ghu", "ghs", "ghr", before=0),
    _hinted("secret", r"\bgithub_pat_[A-Za-z0-9_]{60,90}", "_pa", before=6),
    _hinted("secret", r"\bglpat-[A-Za-z0-9_-]{20,60}", "lpa", before=1),
    _hinted("secret", r"\bxox[abeprs]-[A-Za-z0-9-]{10,100}", "xox", before=0),
    _hinted("secret", r"\bAIza[A-Za-z0-9_-]{35}", "Iza", before=1),
    _hinted("secret", r"\bsk-[A-Za-z0-9_-]{20,200}", "sk-", before=0),
    _hinted("secret", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,100}", "k_l", "k_t", before=1),
    _hinted("secret", r"\bhf_[A-Za-z]{30,40}\b", "hf_", before=0),
    _hinted(
        "secret",
        r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}",
        "eyJ", before=0, longest=8100,
    ),
)  # fmt: skip
# A value after its name; `DB_PASSWORD=` has one too. Only ASCII's case is ignored, as by hints.
_NAMED = r"(?ai)(?<![a-z0-9])(?:{})[\"']?\s{{0,3}}(?:[:=]|is|ist|es|est)\s{{0,3}}[\"']?([^\s\"'<>,;()]{{6,100}})"
CREDENTIALS = (
    Kind(
        "credentials",
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://([^\s/:@\"'<>]{0,100}:[^\s/@\"'<>]{1,100})@"),
        ("://",),
        group=1,
        before_chars=21,
    ),
    Kind(
        "credentials",
        re.compile(_NAMED.format(
            r"password|passwd|pwd|passwort|contrase[ñÑ]a|senha|api[_-]?key|secret[_-]?(?:access[_-]?)?key|"
            r"access[_-]?token|auth[_-]?token|client[_-]?secret"
        )),
        # Of each word three characters that few others have, eight from its beginning at most.
        ("swo", "swd", "pwd", "eña", "nha", "i_k", "i-k", "pik", "t_k", "t-k", "tke", "t_a", "t-a", "tac", "s_t", "s-t",
         "sst", "h_t", "h-t", "htt", "t_s", "t-s", "tse"),
        check=checks.is_password,
        group=1,
        before_chars=8,
        longest_chars=160,
    ),
    Kind(
        "credentials",
        re.compile(_NAMED.format("mot de passe")),
        ("mot",),
        check=checks.is_password,
        group=1,
        longest_chars=160,
    ),
)  # fmt: skip
_HOST_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAILS = (
    Kind(
        "email",
        re.compile(rf"(?<![\w.+-])[\w.+%-]{{1,64}}@(?:{_HOST_LABEL}\.){{1,8}}[A-Za-z]{{2,24}}\b"),
        anchor=places.ats,
        check=checks.is_email,
        before_chars=64,
    ),
    Kind(
        "email",
        re.compile(
            r"\b[\w.+-]{1,64}\s?[\[({](?:at|AT)[\])}]\s?[A-Za-z0-9-]{1,63}"
            r"(?:(?:\.|\s?[\[({](?:dot|DOT|punkt|punto|point)[\])}]\s?| (?:dot|DOT) )[A-Za-z0-9-]{2,63}){1,6}\b"
        ),
        ("[at", "(at", "{at", "[AT", "(AT", "{AT"),
        check=checks.is_email,
        before_chars=65,
    ),
    Kind(
        "email",
        re.compile(
            r"\b[\w.+-]{1,64} (?:at|AT) [A-Za-z0-9-]{1,63}(?: (?:dot|DOT) [A-Za-z0-9-]{2,63}){1,6}\b"
        ),
        ("dot", "DOT"),
        before_chars=64 + 4 + 63 + 1,
    ),
)  # fmt: skip
NETWORK = (
    Kind(
        "ipv6",
        re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"),
        anchor=places.near_colons,
        check=lambda text, before: len(text) > 6 and checks.is_public_address(text, before),
        before_chars=4,
        longest_chars=LONGEST_NUMBER_CHARS,
    ),
    Kind(
        "mac",
        re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}(?![\w:-])"),
        anchor=places.pairs_apart,
        before_chars=2,
    ),
    Kind(
        "mac",
        re.compile(r"(?<![\w.])[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w-]|\.\w)"),
        anchor=places.dots_apart,
        check=checks.is_cisco_mac,
        before_chars=4,
    ),
    Kind(
        "ipv4",
        re.compile(
            r"(?<![\w.-])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?![\w-]|\.[0-9])"
        ),
        anchor=places.dotted_digits,
        check=checks.is_public_address,
        longest_chars=LONGEST_NUMBER_CHARS,
    ),
)  # fmt: skip


def _number(
    name: str, pattern: str, digits: int, chars: int, check: Check | None, before: int = 0
) -> Kind:
    """A kind of which a match has that many digits within so many characters, from its first digit on."""
    return Kind(
        name,
        re.compile(pattern),
        anchor=grouped_digits(digits, chars),
        check=check,
        before_chars=before,
        longest_chars=LONGEST_NUMBER_CHARS,
    )


ACCOUNTS = (
    Kind(
        "iban",
        re.compile(r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?(?![A-Za-z0-9])"),
        anchor=places.after_capital,
        check=checked(checksums.is_iban),
        before_chars=2,
        longest_chars=LONGEST_NUMBER_CHARS,
    ),
    _number("card", r"(?<![\w.,-])(?:[0-9][ -]?){12,18}[0-9](?![0-9-]|[.,][0-9])", 13, 25,
            checked(checksums.is_card)),
)  # fmt: skip
NATIONAL_NUMBERS = (
    _number("ssn", r"(?<![0-9-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9-])", 9, 11, checked(checksums.is_ssn)),
    _number("ssn", r"(?<![0-9-])[0-9]{3}[ ]?[0-9]{2}[ ]?[0-9]{4}(?![0-9-])", 9, 11,
            after(r"\bssn\b|social security", checksums.is_ssn)),
    _number("national_id", r"\b(?:[0-9]{8}|[XYZ]-?[0-9]{7})[- ]?[A-HJ-NP-TV-Z]\b", 7, 7,
            checked(checksums.is_dni), before=2),
    _number("national_id", r"\b[0-9]{2}\.[0-9]{3}\.[0-9]{3}[- ]?[A-HJ-NP-TV-Z]\b", 8, 10, checked(checksums.is_dni)),
    Kind(
        "national_id",
        # A Corsican department is `2A` or `2B`, which parts the digits.
        re.compile(
            r"(?<![0-9])[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}(?![0-9])"
        ),
        anchor=digits_within(14, 21),
        check=checked(checksums.is_nir),
        longest_chars=LONGEST_NUMBER_CHARS,
    ),
    Kind(
        "national_id",
        re.compile(r"\b[A-Z]{6}[0-9]{2}[ABCDEHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]\b"),
        anchor=places.after_capital,
        check=checked(checksums.is_codice_fiscale),
        before_chars=6,
        longest_chars=LONGEST_NUMBER_CHARS,
    ),
    _number("national_id", r"(?<![0-9.])[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}(?![0-9])", 11, 14,
            checked(checksums.is_cpf)),
    _number("national_id", r"(?<![0-9])[0-9]{11}(?![0-9])", 11, 11, after(r"\bcpf\b", checksums.is_cpf)),
    _number("national_id", r"(?<![0-9-])[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9-])", 12, 14,
            after(r"aadhaar|\buid|आधार", checksums.is_aadhaar)),
    _number("national_id", r"(?<![0-9])[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}(?![0-9])", 11, 14,
            after(r"steuer|idnr|\btin\b", checksums.is_german_tax_id)),
    _number("national_id",
            r"\b(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b",
            6, 8, None, before=3),
)  # fmt: skip
WALLETS = (
    _hinted("wallet", r"\b(?:bc1[ac-hj-np-z02-9]{25,71}|BC1[AC-HJ-NP-Z02-9]{25,71})\b", "bc1", "BC1", before=0),
    Kind("wallet", re.compile(r"\b0x[a-fA-F0-9]{40}\b"), anchor=places.hexadecimal),
    Kind(
        "wallet",
        re.compile(r"\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b"),
        anchor=places.long_words,
        check=checked(checksums.is_bitcoin_address),
        longest_chars=LONGEST_NUMBER_CHARS,
    ),
)  # fmt: skip
PHONES = (
    _number("phone", r"(?<![\w.+])(?:\+|00)?\(?[0-9](?:[ ./()-]{0,2}[0-9]){6,14}(?![\w]|[.,/-][0-9]| [0-9]{3})", 7, 19,
            checks.is_phone, before=2),
)  # fmt: skip
# Of spans that overlap the one of the kind that stands first here stays.
KINDS: tuple[Kind, ...] = (
    *SECRETS, *CREDENTIALS, *EMAILS, *ACCOUNTS, *NETWORK, *NATIONAL_NUMBERS, *WALLETS, *PHONES,
)  # fmt: skip
