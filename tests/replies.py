"""What mail servers say when they refuse a mail, in their manner. Addresses, names and numbers are invented.

A reply here is a code and its words; lines of one reply are parted by a line break.
"""

from digest.mail.smtp.reply import Reply


def replies(table: str) -> tuple[Reply, ...]:
    """One a line; `|` parts the lines of one reply."""
    found = []
    for line in filter(None, map(str.strip, table.splitlines())):
        text = "\n".join(part.strip() for part in line[4:].split("|"))
        found.append(Reply(code=int(line[:3]), text=text))
    return tuple(found)


DEAD = replies(
    """
    550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown in local recipient table
    550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown in virtual mailbox table
    550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown in relay recipient table
    550 <ada@example.org>: Recipient address rejected: User unknown in virtual alias table
    550 5.1.1 <ada@example.org>... User unknown
    550 No such user here
    550 No such user here"
    550 Unknown user
    550 unknown local part ada in <ada@example.org>
    550-5.1.1 no|5.1.1 such user
    550 5.1.1 The email account that you tried to reach does not exist. See|5.1.1 https://mail.example/help?p=policy-sender
    550 5.2.1 The email account that you tried to reach is inactive. https://mail.example/help
    550 5.2.1 The email account that you tried to reach is disabled.
    550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ada@example.org not found by SMTP address lookup
    550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found
    550 5.4.1 Recipient address rejected: Access denied. AS(202006120) [DB1PEPF0001.eur.example]
    550 5.4.1 [ada@example.org]: Recipient address rejected: Access denied
    550 5.4.1 Recipient address rejected:|5.4.1 Access denied. See https://mail.example/errors
    554 delivery error: dd This user doesn't have a ymail.example account (ada@ymail.example) [0] - mta7
    554 30 Sorry, your message to ada@aol.example cannot be delivered. This mailbox is disabled (554.30).
    550 sorry, no mailbox here by that name (#5.1.1)
    511 sorry, no mailbox here by that name (#5.1.1 - chkuser)
    553 sorry, no mailbox here by that name. vpopmail (#5.1.1)
    550 5.1.1 Unknown user: ada@example.org
    550 5.1.1 Invalid recipient: <ada@example.org>
    550 Invalid Recipient - https://docs.example/DOC-1#550 [b3Xk.eu-1]
    550 5.1.1 <ada@example.org> User doesn't exist: ada@example.org
    550 5.7.1 No such user!
    550 Mailbox not found. http://service.example/mail/help
    550 User not found: ada@163.example
    550 5.1.1 User unknown; ada@example.org
    550 ada@example.org... User not listed in Domino Directory
    550 5.1.1 recipient rejected
    550 #5.1.1 bad address ada@example.org
    550 5.1.1 Requested action not taken: mailbox unavailable
    550 permanent failure for one or more recipients (ada@example.org:550 5.1.1 User unknown)
    550 5.1.1 <ada@example.org>: undeliverable address: host mx.example.org said: 550 5.1.1 No such mailbox
    550 5.1.3 <ada@example..org>: bad address syntax
    551 5.1.6 ada has moved
    550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 User unknown
    550 5.0.350 Remote server returned an error -> 550 5.1.1 nobody
    556 5.1.10 Recipient address has null MX
    553 5.1.3 mailbox name not allowed
    550 5.1.1 unknown or illegal alias: ada@example.org
    550 Account not available: this user has been deleted
    550 This address no longer accepts mail.
    550 5.5.0 The recipient does not exist here
    550 5.0.0 Invalid recipient
    550 5.1.0 <ada@example.org> User unknown
    550 5.1.1 Benutzer unbekannt
    550 Empfänger unbekannt
    550 Das Postfach existiert nicht
    550 5.1.1 Adresse d'utilisateur inconnue
    550 Cette adresse n'existe pas
    550 Destinataire inconnu
    550 用户不存在
    550 5.1.1 收件人不存在: ada@qq.example
    550 该邮箱不存在
    550 Пользователь не найден
    550 El usuario no existe
    550 Utente sconosciuto
    550 Usuário inexistente
    550 ユーザーが存在しません
    550 존재하지 않는 사용자: 사용자를 찾을 수 없습니다
    550 no such person at this address
    550 Ihr Empfänger ist unbekannt
    550 您的收件人不存在
    550 unknown user name
    550 invalid username
    550 5.1.1 mailbox <policy@spam.example> does not exist
    """
)
"""Each says of that very mailbox that it is gone."""

DOUBTFUL = replies(
    """
    550 5.1.2 <ada@gone.example>: Recipient address rejected: Domain not found
    550 5.1.2 Bad destination host: DNS hard error looking up gone.example
    550 5.4.4 Unable to route: no such host gone.example
    550 5.4.310 DNS domain gone.example does not exist [Message=InfoDomainNonexistent]
    550 Requested action not taken: mailbox unavailable
    550 5.5.0 Requested action not taken: mailbox unavailable
    550 Mailbox unavailable
    550 Mailbox is frozen
    550 Le domaine du destinataire n'existe pas
    550 Die Domain des Empfängers existiert nicht
    550 El dominio del destinatario no existe
    550 Il dominio del destinatario non esiste
    550 Unrouteable address
    550-Unrouteable address|Not delivered
    550 #5.1.0 Address rejected.
    550 <ada@example.org>: Recipient address rejected
    550 5.7.1 This account is disabled
    550 5.1.1 <ada@example.org>: undeliverable address: host mx.example.org said: 550 mailbox unavailable
    """
)
"""Each may mean a missing mailbox or something else."""

OTHERS = replies(
    """
    553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
    553 sorry, that domain isn't in my list of allowed rcpthosts; no valid cert (#5.7.1)
    550 5.1.1 <digest@lab.example>: Sender address rejected: User unknown in local recipient table
    550 5.1.0 <digest@lab.example>: Sender address rejected: User unknown in virtual mailbox table
    550 5.1.0 Address rejected because the sender is not known
    550 5.1.7 <digest@lab.example>: invalid address
    550 5.1.8 <digest@lab.example>: Sender address rejected: Domain not found
    553 5.1.8 Domain of sender address digest@lab.example does not exist
    550-Verification failed for <digest@lab.example>|Unrouteable address|550 Sender verify failed
    550-Verification failed for <digest@lab.example>|The server said: 550 No such user|Sender verify failed
    551 5.7.1 Forwarding to this address is not allowed: sender not local
    551 User not local; please try <ada@elsewhere.example>
    551 not our customer
    553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)
    553 mailbox name not allowed
    521 5.2.1 rejected, see https://postmaster.example
    521 mail.example does not accept mail from you (192.0.2.1)
    521 host does not accept mail
    556 domain does not accept mail
    554 no
    550 no
    550 rejected
    554 Transaction failed
    550 5.7.1 <ada@example.org>: Relay access denied
    550 5.7.1 Unable to relay
    550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain
    550 relay not permitted
    550 5.1.1 we do not relay for unknown users
    550 authentication is required for relaying
    550 Authentication is required to send to this mailbox
    550 5.1.0 Authentication required
    550 5.7.23 SPF validation failed
    550 5.1.0 SPF check: 192.0.2.1 may not send for lab.example
    550 The account that you use to send is unknown
    550 5.1.1 sending mailbox does not exist
    550 5.7.26 Unauthenticated email from lab.example is not accepted due to domain's DMARC policy.
    550 5.7.1 Service unavailable; client host [192.0.2.1] blocked using bl.example
    550 5.1.1 Message rejected: blacklisted (invalid recipient trap)
    553 5.3.0 <ada@example.org>... Rejected, 192.0.2.1 found on a block list
    554 5.7.1 Reputation of 192.0.2.1 is poor
    550 5.2.1 The user you are trying to contact is receiving mail at|5.2.1 a rate that prevents more.
    550 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour
    550 5.2.1 mailbox not accepting messages at this rate
    550 5.2.1 The mailbox is temporarily disabled
    550 5.2.1 refused
    552 5.2.2 The email account that you tried to reach is over quota
    550 5.1.1 user ada is over quota
    550 5.2.2 mailbox full
    550 Mailbox is full
    550 5.1.0 <ada@example.org> mx.example.org said: 550 5.2.2 user's quota exceeded
    550 5.0.0 remote server mx.example.org responded: 554 5.7.1 Message blocked
    550 5.1.1 <ada@example.org>: undeliverable address: host mx.example.org said: 450 4.2.0 greylisted
    550 5.1.1 <ada@example.org>: undeliverable address: host mx.example.org[192.0.2.9] said: 550 not today
    550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 not today
    550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 450 4.2.0 later
    550 5.1.1 Recipient verification failed: response: 554 not today
    554 5.7.1 <ada@example.org>: Recipient address rejected: Access denied
    550 5.7.1 Message content rejected: unknown user agent
    550 Administrative prohibition
    550 5.1.1 rejected by policy
    550 Connection frequency limited
    550 Mail content denied
    550 5.1.1 Too many invalid recipients
    550 5.4.6 mail loop: too many hops
    550 5.1.1 temporary lookup failure
    550 5.1.1 user lookup failed: LDAP error
    550 5.3.0 internal server error
    552 5.3.4 message size exceeds the limit
    550 5.1.1 Absenderadresse abgelehnt: Benutzer unbekannt
    550 Adresse de l'expéditeur inconnue
    550 发件人地址不存在
    550 邮箱已满
    550 Postfach voll, Empfänger nicht vorhanden
    550 Получатель не найден: отправитель заблокирован
    550 Your account is disabled
    550 5.7.705 Access denied, tenant has exceeded threshold
    550 5.7.1 Recipient not authorized, your IP has been found on a block list
    550 Your address does not exist
    550 5.7.1 This list is only for members: your address is unknown
    550 Your mail server's address does not exist in DNS
    550 IP-Adresse unbekannt
    554 Ihre IP-Adresse ist ungültig
    550 Ihr Konto existiert nicht
    550 Votre adresse IP est invalide
    550 Votre compte n'existe plus
    550 Adresse de l'hôte inconnue
    550 La dirección IP no existe en el DNS inverso
    550 Su cuenta no existe
    550 Indirizzo IP non valido
    550 Il tuo account non esiste
    550 Endereço IP inválido
    550 IP-адрес не найден
    550 Обратная запись для вашего адреса не найдена
    550 Ваш аккаунт не найден
    550 adres IP nie istnieje w DNS
    550 Twoje konto nie istnieje
    550 Uw adres is onbekend
    550 您的IP地址无效
    550 您的帐户不存在
    550 IPアドレスが不明です
    550 IP 주소를 찾을 수 없습니다
    550 invalid return address
    550 Reply-To address does not exist
    554 5.7.1 Message rejected: invalid file name
    554 Message has an invalid display name
    550 illegal header name
    550 5.7.1 Missing or unknown user agent
    550 SASL user unknown
    554 5.5.1 Error: no valid recipients
    550 发送方地址不存在
    550 5.7.1 User unknown in whitelist
    550 5.2.1 This mailbox is disabled for external mail
    550 usuario no válido para recibir correo externo
    550 Unknown error for user ada
    550 mailbox error: unknown
    550 user database does not exist
    550 Systemfehler, Benutzerdatenbank nicht gefunden
    550 用户数据库错误
    """
)
"""None says that the mailbox is gone, whatever its number and whatever words stand beside."""

QUOTAS = replies(
    """
    550 5.4.5 Daily user sending limit exceeded. See|5.4.5 https://mail.example/limits
    550 5.4.5 Daily SMTP relay limit exceeded for user.
    554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message
    550 5.2.2 Submission quota exceeded
    454 Throttling failure: Daily message quota exceeded.
    454 Throttling failure: Maximum sending rate exceeded.
    451 4.7.1 Ratelimit "hostinger_out_ratelimit" exceeded
    550 5.4.6 Unusual sending activity detected. Please try after some time
    554 Maximum number of messages per day exceeded
    452 4.5.3 You have reached the maximum number of recipients per day
    550 Domain lab.example has exceeded the max emails per hour (150/150 (100%)) allowed. Message discarded.
    554 You have exceeded your daily email relays quota
    451 Authentication failed: Maximum credits exceeded
    550 Number of outgoing messages exceeded
    550 5.7.1 sending limit for digest@lab.example reached: 200 mails an hour
    450 4.2.1 The sending rate of your account is exceeded
    550 5.1.1 Daily sending quota exceeded
    550 超出每日发送限制
    """
)
"""Each says that we may send no more for a while."""

LIMITS_OF_A_MAILBOX = replies(
    """
    550 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour
    552 5.2.2 Mailbox message quota exceeded
    452 4.2.2 <ada@example.org> message quota exceeded
    452 4.2.2 ada's mailbox has exceeded the maximum number of messages for 24 hours
    450 4.2.1 The mailbox exceeds the limit of emails per day
    452 4.5.3 Recipient ada has reached the maximum number of messages per hour
    450 4.2.1 The user you are trying to contact is receiving mail too quickly
    """
)
"""Each says that this mailbox takes no more for a while; the others do."""

GREETINGS = replies(
    """
    504 5.5.2 <box>: Helo command rejected: need fully-qualified hostname
    450 4.7.1 <box>: Helo command rejected: Host not found
    550 5.7.1 <box>: Helo command rejected: You are not localhost
    550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)
    550 5.1.1 bad HELO
    501 5.5.4 Invalid EHLO domain
    504 no
    """
)
"""Each says that the name in EHLO is not taken."""
