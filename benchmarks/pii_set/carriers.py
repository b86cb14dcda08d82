"""Sentences in which private data stands, in several languages, for each kind and for any.

In: a kind. Out: sentences with a place `{}`. Those at even places are for mending the finder, those at odd ones
are set aside for the figure that counts.
"""

ANY = (
    "He left {} on a note by the telephone.",
    "“It is {},” she said, “and I have never told anyone.”",
    "My colleague's is {} — please keep it to yourself.",
    "Subject: your request\n\n{}\n\nKind regards",
    "Bitte notieren Sie: {}. Vielen Dank!",
    "Voici ce que vous cherchez : {}, comme convenu.",
    "Apúntalo, por favor: {} (es el de mi hermana).",
    "Ecco il mio: {}; non darlo a nessuno.",
    "| Ivan Petrov | {} | Berlin |",
    "name: Maria Silva, value: {}, since: spring",
    "मेरा यह है: {} और कुछ नहीं।",
    "Anote aí, {}, e guarde bem.",
)  # fmt: skip
OF_KIND = {
    "email": (
        "Write to {} for details.", "Reach me at {}.", "Questions? {}!", "Schreiben Sie an {}, wir antworten bald.",
        "Contact : {} (réponse sous deux jours).", "mi correo es {}", "From: Anna Novak, {}", "Send your CV to {} by Friday.",
    ),
    "phone": (
        "Call me at {} tonight.", "Tel. {}", "You can ring us on {} after six.", "Rufen Sie uns unter {} an.",
        "Appelez le {} pour réserver.", "Phone: {}", "Mi teléfono es {}.", "Text me on {}, any time.",
        "Fax {} or come by.", "WhatsApp: {}", "Il mio cellulare: {}", "Ligue para {} hoje.",
        "My number is {}.", "Mobile {} (evenings only)", "Handy: {}", "Customer service, {}, is open all day.",
    ),
    "card": (
        "Please charge my card {}, it expires in May.", "Visa {}", "The payment with {} was declined.", "Kartennummer: {}",
        "Ma carte bancaire est la {}.", "cc: {} exp 04/27 cvv 123", "Card no. {}.", "Paguei com o cartão {}.",
    ),
    "iban": (
        "Please transfer it to {}.", "IBAN: {}", "Bitte überweisen Sie auf {}, danke.", "Account {}, in the name of Rossi.",
        "Mon compte est {}.", "(IBAN {})", "Mi cuenta: {}", "Refund goes to {} within a week.",
    ),
    "ssn": ("Employee {}, hired in June.", "Her record lists {}.", "Tax form for {}.", "Patient file: {}"),
    "national_id": ("The passport office has {} on file.", "Document: {}", "Registered as {}.", "Titular: {}, casado"),
    "ipv4": (
        "The login came from {}.", "ssh root@{}", "Blocked {} after ten tries.", "{} - - \"GET /index.html\" 200",
        "His server at {} is down.", "ping {}", "client={} port=443", "Connection from {}:52144 closed.",
    ),
    "ipv6": ("The router has {} now.", "inet6 {}", "Seen from {} twice.", "AAAA {}", "http://[{}]/", "peer {} timed out"),
    "mac": ("The laptop is {}.", "ether {} txqueuelen", "DHCP gave {} a lease.", "HWaddr {}", "device ({})", "dev wlan0 lladdr {}"),
    "secret": ("export TOKEN={}", "Our key is {} — rotate it.", 'token = "{}"', "Authorization: Bearer {}", "git clone with {}", "# {}"),
    "credentials": ("Use this: {}", "# config\n{}\n", "To log in, {}", "{}\nHOST=db", "Zugang: {}", "(see {} in the notes)"),
    "wallet": ("Send it to {}.", "BTC: {}", "Donations welcome: {}", "Mein Wallet ist {}.", "from {} to cold storage", "addr={}"),
}  # fmt: skip


def carriers(kind: str, held_out: bool) -> tuple[str, ...]:
    """Return the sentences of a kind, one half or the other."""
    # A number without a country needs words that say what it is.
    own = OF_KIND[kind]
    return (own if kind == "phone" else own + ANY)[int(held_out) :: 2]
