"""Finds the subject of a mail server's refusal: this mailbox, or something else.

Servers use the same code for very different reasons. So an address is only suppressed if no word of the text
has another subject: a text that also names the sender, a relay, a rule or a limit is about that.
"""

import re
import unicodedata
from enum import Enum
from functools import cache

_LONGEST = 2_000


class ReplySubject(Enum):
    """The subject of a refusal.

    `MAILBOX_GONE`: the mailbox does not exist. `MAILBOX_CLOSED`: it was disabled. `MAILBOX_DOUBTFUL`: words
    that servers use both for a missing mailbox and for rules. `DOMAIN`: no server accepts mail for the
    recipient's domain. `QUOTA`: how many mails we may send. `UNSAID`: none of these.
    """

    MAILBOX_GONE = "mailbox gone"
    MAILBOX_CLOSED = "mailbox closed"
    MAILBOX_DOUBTFUL = "mailbox, perhaps"
    MAILBOX_FULL = "mailbox full"
    MAILBOX_BUSY = "mailbox busy"
    DOMAIN = "domain"
    QUOTA = "quota"
    HELLO = "hello"
    SENDER = "sender"
    RELAY = "relay"
    REPUTATION = "reputation"
    AUTHENTICATION = "authentication"
    RATE = "rate"
    SIZE = "size"
    SYSTEM = "system"
    POLICY = "policy"
    UNSAID = "unsaid"

    @property
    def is_other(self) -> bool:
        """Whether it is a reason not to suppress the address, whatever the code."""
        return self not in {
            ReplySubject.MAILBOX_GONE,
            ReplySubject.MAILBOX_CLOSED,
            ReplySubject.MAILBOX_DOUBTFUL,
            ReplySubject.DOMAIN,
            ReplySubject.UNSAID,
        }


def subject_of(text: str) -> ReplySubject:
    """The subject of a refusal, with or without its codes. Knows words of several languages."""
    plain = plain_words(text)
    for subject in _PATTERNS:
        if _pattern(subject).search(plain):
            return subject
    return ReplySubject.UNSAID


_NOT_PROSE = re.compile(r"[a-z]+://\S+|\bwww\.\S+|<[^<>\s]*>|\S*[^\s(:]@\S+")
_LINE_STATUS = re.compile(r"\n[245]\.\d{1,3}\.\d{1,3}\b")


def plain_words(text: str) -> str:
    """Without addresses and links, which may contain any word; in lower case and on one line."""
    text = text[:_LONGEST]
    if re.search("[\udc80-\udcff]", text):
        octets = text.encode("utf-8", "surrogateescape")
        text = f"{octets.decode('latin-1')}\n{octets.decode('gb18030', 'replace')}"
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return " ".join(_NOT_PROSE.sub(" ", _LINE_STATUS.sub("\n", text)).split())


@cache
def _pattern(subject: ReplySubject) -> re.Pattern[str]:
    return re.compile(_PATTERNS[subject])


def _any(*patterns: str) -> str:
    """One of several patterns; a text of several lines has one pattern per line."""
    return "|".join(line.strip() for text in patterns for line in text.splitlines() if line.strip())


def _word(*words: str) -> str:
    """Whole words that are not part of a host name."""
    return rf"(?<![\w.])(?:{_any(*words)})(?!\w|[\w-]*\.\w)"


def _within(first: str, second: str, *, apart: int = 60) -> str:
    """The second pattern after the first, within one clause."""
    return rf"(?:{_any(first)})[^;\n]{{0,{apart}}}?(?:{_any(second)})"


_MAILBOX = r"""
    (?<!\w)(?:users?|userid|recipients?|receiver|mail ?box|e-?mail ?box|account|addressee|alias|person)(?!\w)
    (?<!\w)(?:customer|local[- ]?part|inbox|address)(?!\w)
"""
_BOX_DE = (
    r"benutzer\w*|empf(?:ä|ae|a)nger\w*|postfach\w*|mailbox|konto|adressat\w*|(?:e-?mail-?)?adresse|nutzer\w*"
)
_BOX_FR = r"utilisateur|destinataire|adresse|bo(?:î|i)te(?: aux lettres)?|compte|usager|abonn(?:é|e)"
_BOX_ROMANCE = r"""
    usuario|destinatario|buz(?:ó|o)n|cuenta|direcci(?:ó|o)n|casilla|utente|casella|indirizzo|account
    usu(?:á|a)rio|destinat(?:á|a)rio|caixa(?: postal| de correio)?|conta|endere(?:ç|c)o
"""
_BOX_SLAVIC = r"""
    пользовател\w*|получател\w*|(?:почтовый )?ящик\w*|адрес\w*|аккаунт\w*|абонент\w*
    u(?:ż|z)ytkownik\w*|odbiorc\w*|skrzynk\w*|adres\w*|kont[oa]
"""
_BOX_CJK = """
    用户名?|用戶名?|收件人|收信人|邮箱|郵箱|信箱|帐号|账号|帳號|帐户|账户|帳戶|地址|使用者
    ユーザー?|宛先|受信者|メールボックス|アドレス|アカウント|사용자|수신자|받는 사람|메일함|편지함|계정|주소
"""
_NOT_THEIRS = "(?!empf|adressat|destinat|получ|абонент|odbiorc|收|宛|受|수신|받는)"
_YOURS = rf"""
    \byour (?:e-?mail )?(?:account|mail ?box|address)(?! book)
    \b(?:ihr|dein)\w* {_NOT_THEIRS}(?:{_BOX_DE})|\bvotre {_NOT_THEIRS}(?:{_BOX_FR})
    \b(?:su|tu|(?:tu|su|vostr)[oa]|seu|sua) {_NOT_THEIRS}(?:{_any(_BOX_ROMANCE)})
    \b(?:ваш\w*|two\w+|tw(?:ó|o)j\w*|pa(?:ń|n)stwa) {_NOT_THEIRS}(?:{_any(_BOX_SLAVIC)})
    \buw (?:e-?mail|account|adres|postbus)|[您你]的?{_NOT_THEIRS}(?:{_any(_BOX_CJK)})
"""
_MAILS = r"(?:messages?|e-?mails?|mails?|recipients|relays)"
_PERIOD = (
    r"(?:per|an?|each|every|in the last|within|for|for the|to be sent (?:per|each|every|in an?)) "
    r"(?:\w+[ -]){0,2}?(?:day|24|hour|minute|second|month)"
)

# The first match decides, so the subjects other than the mailbox come first.
_PATTERNS: dict[ReplySubject, str] = {
    ReplySubject.HELLO: _any(
        _word("helo", "ehlo", "fqdn", r"fully[- ]qualified"),
        r"(?:invalid|bad) (?:host ?name|greeting)|host ?name (?:is )?(?:invalid|not qualified)",
    ),
    ReplySubject.MAILBOX_BUSY: _any(
        r"""
        receiving (?:e-?mail|mail|messages)? ?(?:at a rate|too)
        receiv\w*[^.;]{0,40}(?:too (?:quickly|many)|limit)
        recipient'?s?[^.;]{0,30} (?:limit|per hour)[^.;]{0,30}receive|messages for this (?:recipient|mailbox)
        recipient (?:\S+ )?has (?:exceeded|reached)
        """
    ),
    ReplySubject.QUOTA: _any(
        r"""
        submission ?quota|message quota|(?:send|sending|outgoing|outbound|smtp|relay) (?:mail )?quota
        sending (?:limit|rate|volume)|(?:send|outgoing|outbound) (?:rate|mail|message)?s? ?limit
        unusual (?:rate of )?(?:sending|outgoing) ?activity|_out_ratelimit|throttling
        outgoing (?:messages?|mails?|e-?mails?)[^.]{0,40}exceed
        exceed[^.]{0,40}outgoing (?:messages?|mails?|e-?mails?)
        """,
        r"(?:max\w*|limit|number|quota)[^.]{0,40}" + _MAILS + "[^.]{0,20}?" + _PERIOD,
        r"(?:exceed|reach|over)\w*[^.]{0,40}" + _MAILS + "[^.]{0,20}?" + _PERIOD,
        r"(?:daily|hourly|monthly)[^.]{0,40}(?:relay|send|sent|mail|message|recipient|outgoing|smtp|user)"
        r"[^.]{0,30}(?:limit|quota|exceed|reached|maximum|relays)",
        r"(?:limit|quota)[^.]{0,20}(?:daily|hourly) (?:\w+ )?" + _MAILS,
        r"(?:sent|sending|submitted) (?:out )?too many " + _MAILS,
        r"too many " + _MAILS + r" (?:sent|submitted|from this (?:user|account)|in the last|per|today)",
        r"""
        maximum credits exceeded|(?:plan|account)'?s? (?:sending |e-?mail )?limit (?:exceeded|reached)
        versandlimit|tageslimit|versandkontingent|quota d'envoi|limite d'envoi|limite di invio
        l(?:í|i)mite (?:diario )?de env(?:í|i)o|лимит (?:на )?отправк
        (?:发信|發信|发送|發送|寄信)[^.]{0,12}(?:限制|上限|配额|超[出过限])
        """,
    ),
    ReplySubject.SENDER: _any(
        _word(r"senders?'?s?", "originator", r"mail ?from", r"envelope[- ]from", r"return[- ]path"),
        r"""
        \bfrom (?:address|domain|header|field)|\bfrom:
        this account may not|pour l'envoi|(?:return|bounce|reply(?:[- ]to)?|errors-to) address
        (?:account|address|mailbox) (?:that |which )?you (?:use|used|are using) to send
        sending (?:account|address|mailbox|user)
        absender\w*|exp(?:é|e)diteur|(?:é|e)metteur|remitente|mittente|remetente|отправител|nadawc|afzender
        (?:发件|發件|发信|發信|寄件|寄信|发送|發送)[人者方]|発信者|送信者|差出人|발신자|보낸 ?사람
        """,
        _YOURS,
    ),
    ReplySubject.MAILBOX_FULL: _any(
        r"""
        (?:mail ?box|inbox|account|user|folder|quota|maildir|storage)[^.;]{0,30} (?:is |are )?(?:now )?full\b
        over[ -]?(?:its |their |the )?quota|quota[^.;]{0,20}(?:exceed|reached|full|violation)
        exceed\w*[^.;]{0,40}(?:quota|storage|mail ?box|disk|space)
        (?:out of|insufficient|not enough) (?:\w+ )?(?:storage|space|disk)
        (?:postfach|mailbox)[^.;]{0,30}(?:voll|überfüllt)|bo(?:î|i)te[^.;]{0,30}pleine
        \b(?:llen[oa]|pien[oa])\b|переполнен|已满|已滿|空间不足|空間不足|容量
        """,
        _word("quota"),
    ),
    ReplySubject.RELAY: _any(
        r"""
        (?<![\w.])relay(?:ing|ed)?(?!\w|[\w-]*\.\w| recipient)|rcpthosts|not (?:a )?local (?:domain|host)
        weiterleit|weiterzuleit|relais\b|relayage|reenv(?:í|i)o|retransmi|ретрансля|пересылк|中继|中繼|转发|轉發
        do(?:es)?(?: not|n't) (?:accept|handle|serve) (?:mail )?(?:for )?(?:that|this|your) (?:domain|host)
        """
    ),
    ReplySubject.REPUTATION: _any(
        _word("spf", "dkim", "dmarc", "arc", "rdns", "ptr", "dnsbl", "rbl", "reputation", r"spam\w*"),
        _word(
            r"(?:block|black|deny|reject|white|allow|gr[ea]y)[ -]?list\w*",
            r"anti-?spam\w*",
            "unsolicited",
            "bulk",
            "junk",
        ),
        _word(r"abus\w*", "blocked", "banned", r"phish\w*", r"virus\w*", "malware", "poor", "sorbs"),
        _word("client host", r"host ?names?(?! ?=)", r"your (?:\w+ )?(?:host|server|network|domain)"),
        r"""
        (?<![a-z0-9.])ip(?!-?[a-z]?\d|\.\w|[a-z])|[ld]'h(?:ô|o)te\b
        reverse (?:dns|lookup)|(?<!not )\blisted (?:in|by|at|on)|\bip \[|\bbl:|connecting (?:ip|host)
        blockiert|gesperrt|bloqu(?:é|e|ead)|bloccat|заблокирован|спам
        垃圾|黑名单|黑名單|封禁|被拦截|迷惑メール|스팸
        """,
    ),
    ReplySubject.AUTHENTICATION: _any(
        _word(r"(?:un)?auth(?:enticat\w*|oriz\w*|oris\w*)?", "log ?in", "logged in", "credentials"),
        _word("password", "sasl", "starttls", "tls", r"encrypt\w*"),
        r"authenti(?:fi|ci|sier)\w*|anmeldung|аутентиф|авториз|认证|認證|登录|登錄|登入|認証|인증",
    ),
    ReplySubject.RATE: _any(
        _word("rates?", r"rate[- ]?limit\w*", r"throttl\w*", r"ratelimit\w*", r"frequen\w*", r"concurren\w*"),
        r"""
        too (?:many|fast|much|often|quickly)|slow down|(?:try|retry) (?:\w+ )?(?:later|again|in \d)
        limit exceeded|(?:später|spaeter) (?:erneut|noch|wieder)|zu viele|plus tard|trop de|m(?:á|a)s tarde
        demasiad|più tardi|позже|频率|頻率|过于频繁|過於頻繁|稍后|稍後|过多|過多|しばらく
        """,
    ),
    ReplySubject.SIZE: _any(
        r"""
        (?:message|mail|e-?mail|data|attachment)s?[^.;]{0,30}(?:too (?:big|large)|size)
        size (?:limit|exceed)|too (?:big|large)
        """
    ),
    ReplySubject.SYSTEM: _any(
        _word(r"loop\w*", "too many hops", r"temporar\w*", r"timed? ?out", "maintenance", r"misconfig\w*"),
        r"""
        internal (?:server )?error|no valid recipients|error in processing
        (?:local|system|server|database|ldap|dns|lookup|backend) (?:error|failure|failed|problem)
        unknown (?:error|status)|error: unknown|database (?:not|does|is)
        datenbank nicht|数据库错误|データベースが
        (?:could not|cannot|can't|unable to|failed to) (?:be )?(?:verif|check|look|connect|contact)\w*
        verif\w+[^.;]{0,20}fail|verify (?:error|failed)|(?:server|service) (?:is )?(?:busy|unavailable)
        vor(?:ü|ue)bergehend|temporaire|temporal|временно|暂时|暫時|系统(?:错误|繁忙)|系統錯誤|一時的
        """,
    ),
    ReplySubject.POLICY: _any(
        _word(
            r"polic\w*", "security", r"prohibit\w*", r"restrict\w*", r"permission\w*", "forbidden", "refused"
        ),
        _word("headers?", "attachments?", "file ?names?", r"user[- ]agents?", r"message[- ]id", "members"),
        _word("subscribed", "not a member", r"display[- ]name", r"extern\w*"),
        _word(r"content\w*", r"filter\w*", r"violat\w*", r"administrative\w* (?:prohib|deni|block)\w*"),
        r"""
        (?<!name )not (?:allowed|permitted)|(?:transaction|delivery) failed|disallow
        \bdenied\b(?<!rejected: access denied)
        richtlini|politique|pol(?:í|i)tica|polityk|политик|правил
        策略|拒收|内容|內容|ポリシー|拒否|정책
        """,
    ),
    ReplySubject.MAILBOX_CLOSED: _any(
        _within(
            _MAILBOX,
            r"""
            (?:disabled?|inactive|de-?activated|not (?:\w+ )?active|closed|terminated|discontinued|expired)\b
            """,
        ),
        r"(?:disabled?|inactive|de-?activated|closed|discontinued|expired) (?:\w+ )?(?:"
        + _any(_MAILBOX)
        + ")",
        r"no longer (?:accept\w*|receiv\w*|tak\w*) (?:e-?mail|mail|messages)",
        _within(_BOX_DE, "deaktiviert|geschlossen|stillgelegt|inaktiv"),
        _within(_BOX_FR, "d(?:é|e)sactiv(?:é|e)|ferm(?:é|e)|inactif"),
        _within(_BOX_ROMANCE, "d(?:es|is)h?abilitad|des(?:at|act)ivad|disattiv|inactiv|inativ|cerrad|chius"),
        _within(_BOX_SLAVIC, "отключ|деактив|закрыт|wyłączon|nieaktywn|zablokowan"),
        _within(_BOX_CJK, "已?被?(?:停用|禁用|关闭|關閉|冻结|注销|註銷)|無効|使用されていません", apart=12),
    ),
    ReplySubject.DOMAIN: _any(
        r"""
        (?:no such|unknown|invalid|non-?existent|bad|unrout\w+)(?: \w+)? (?:domain|host)\b
        """,
        _within(
            "domain|host",
            r"""
            not found|unknown|does ?n[o']t exist|not exist|no longer exist|has no (?:valid )?(?:mx|mail)
            is (?:invalid|not valid|not known)|lookup
            """,
            apart=40,
        ),
        r"""
        name service error|null ?mx|no (?:valid )?mx\b|nxdomain|domain expired
        域名(?:不存在|无效|錯誤|错误)|服务器地址(?:错误|不存在|无效)|домен[^.;]{0,20}не (?:существует|найден)
        (?:unbekannte|ungültige)\w* dom(?:ä|ae|a)i?ne?
        """,
        _within(
            "dom(?:ä|ae|a)i?ne?|dom(?:i|í)nio|domena|domein|(?:empf(?:ä|ae)nger|mail)-?server|serveur d[eu]",
            r"""
            unbekannt|existiert nicht|antwortet nicht|in(?:connu|existant)|n'existe|introuvable|no existe
            n(?:ã|a)o existe|desconoc|desconhec|inexist|non esiste|inesist|sconosciut|nie istnieje|onbekend
            """,
            apart=40,
        ),
    ),
    ReplySubject.MAILBOX_GONE: _any(
        r"""
        recip(?:ient)?notfound|nosuchuser|no_such_user|user_?unknown|unknown_?user|mailbox_?not_?found
        """,
        r"(?:no such|unknown|invalid|not a valid|not an? (?:known|existing|active)"
        r"|non-?exist\w*|unrecogni[sz]ed"
        r"|undeliverable|no matching|no valid|bad destination|illegal) (?:[\w-]+,? ){0,3}?"
        r"(?<!in )(?:users?|recipients?|receiver|mail ?box(?:es)?|account|addressee|alias|person|customer"
        r"|local[- ]?part|inbox|address(?:es)?|username)(?!\w)(?<!invalid address)",
        r"""
        (?:no (?:mail ?box|user|account|recipient|person|one)|nobody) (?:here )?(?:by|with|called|named)\b
        no (?:such )?(?:user|mail ?box|account|person|recipient)(?: here)?(?: \W| at |[.!,"]|$)
        """,
        _within(
            _MAILBOX,
            r"""
            \bunknown\b|\bnot (?:be )?(?:found|known|exist\w*|recogni[sz]ed|valid|present|listed)\b
            undeliverable
            could ?n[o']t be found|do(?:es|id)? ?(?:not|n't|nt) (?:\w+ )?exist|\bnon-?exist\w*|is invalid
            isn't (?:valid|known)|is not an? (?:known|valid|active|existing)
            is not (?:here|ours|a user)|is gone
            no longer (?:exist\w*|available|valid|here|with|works?|employed|at this|in use|on server)
            (?:was|has been|is|been|already) (?:deleted|removed)|has (?:left|moved)
            """,
        ),
        r"""
        recipient invalid|unknown: (?:user|recipient)
        (?:do|does) ?(?:not|n't) (?:have|know) (?:[\w.-]+ ){0,4}?(?:account|user|mail ?box|recipient)
        rejected: access denied\. as\(
        """,
        _within(
            _BOX_DE,
            r"""
            unbekannt|existiert (?:hier )?nicht
            nicht (?:gefunden|bekannt|vorhanden|g(?:ü|ue)ltig|existent|mehr)
            ung(?:ü|ue)ltig|gel(?:ö|oe)scht|gibt es (?:hier )?nicht|konnte nicht gefunden
            """,
        ),
        r"(?:unbekannte\w*|ung(?:ü|ue)ltige\w*|nicht existierende\w*|keine?n? (?:solche[rsn]? )?)\s?(?:"
        + _BOX_DE
        + ")",
        _within(
            _BOX_FR,
            r"""
            inconnue?|n'existe (?:pas|plus)|inexistante?|introuvable|invalide
            non (?:trouv|valide|reconnu)|supprim(?:é|e)
            """,
        ),
        r"(?:aucune?|pas d[e'] ?|n'y a pas d[e'] ?)\s?(?:tel(?:le)? )?(?:" + _BOX_FR + ")",
        _within(
            _BOX_ROMANCE,
            r"""
            desconocid|desconhecid|no existe|n(?:ã|a)o existe|inexist|no (?:fue )?encontrad|inv(?:á|a)lid
            n(?:ã|a)o (?:foi )?encontrad|no v(?:á|a)lid|sconosciut|inesistent|non esiste|non valid|eliminad
            non (?:è |e' )?(?:stat[oa] )?trovat
            """,
        ),
        r"no existe (?:el |la |ese |esa )?(?:" + _any(_BOX_ROMANCE) + ")",
        r"non esiste (?:l'|il |la )?(?:" + _any(_BOX_ROMANCE) + ")",
        _within(
            _BOX_SLAVIC,
            r"""
            не (?:был )?(?:найден|существует|зарегистрирован|обнаружен)|неизвест|удал(?:е|ё)н
            отсутствует|нет\b
            nieznan|nie istnieje|nie znaleziono|nie zosta(?:ł|l)
            """,
        ),
        r"(?:неизвестн|несуществующ|недействительн)\w* (?:" + _any(_BOX_SLAVIC) + ")",
        r"нет такого (?:" + _any(_BOX_SLAVIC) + ")",
        r"(?:gebruiker|ontvanger|postbus|adres)[^.;]{0,40}(?:onbekend|bestaat niet|niet gevonden|ongeldig)",
        _within(
            _BOX_CJK,
            """
            不存在|未找到|找不到|没有找到|沒有找到|无效|無效|未知|错误|錯誤|已?被?(?:删除|刪除)
            存在しません|存在しない|見つかりません|不明|존재하지|없습니다|찾을 수 없|알 수 없
            """,
            apart=20,
        ),
        "(?:无此|無此|没有此|沒有此|没有这个|沒有這個|没有该|查无此|查無此|不存在的?|未知的?|找不到(?:该|此)?)"
        "(?:" + _any(_BOX_CJK) + "|人)",
        "(?:无效的?|無效的?)(?:" + _any(_BOX_CJK) + ")",
    ),
    ReplySubject.MAILBOX_DOUBTFUL: _any(
        r"""
        (?:mail ?box|user|recipient|account|address)[^.;]{0,20}(?:unavailable|not available)
        (?:mail ?box|user|recipient|account|address)[^.;]{0,20}(?:suspended|locked|frozen)
        (?:recipient|address|addressee|user|mail ?box)[^.;]{0,20} (?:rejected|not accepted)
        (?:invalid|bad|unroute?able) address|suspended (?:\w+ )?(?:account|user|mail ?box)
        postfach nicht verf(?:ü|ue)gbar|bo(?:î|i)te[^.;]{0,20} (?:indisponible|non disponible)
        """
    ),
}
