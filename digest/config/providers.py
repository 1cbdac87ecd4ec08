"""Mail providers by name: the mail server and its limits.

A limit is `None` if the provider publishes none, or if it depends on plan or account.
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The keys that a provider's name sets in `[smtp]`.

    `host` is `None` if there is one for each region: then `smtp.host` must be set too.
    """

    host: str | None
    port: int = 587
    security: str = "starttls"
    messages_per_connection: int | None = None
    messages_per_minute: int | None = None
    messages_per_day: int | None = None

    def keys(self) -> dict[str, str | int]:
        """The keys that have a value."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}


PROVIDERS = {
    # A private account; one of Google Workspace may send 2,000.
    "gmail": Provider(host="smtp.gmail.com", messages_per_day=500),
    # Microsoft 365, not the private accounts of outlook.com; its "Exchange Online limits".
    "outlook": Provider(host="smtp.office365.com", messages_per_minute=30, messages_per_day=10_000),
    # www.fastmail.com/help/technical/servernamesandports.html
    "fastmail": Provider(host="smtp.fastmail.com", port=465, security="tls"),
    # support.apple.com/102198
    "icloud": Provider(host="smtp.mail.me.com", messages_per_day=1_000),
    "yahoo": Provider(host="smtp.mail.yahoo.com", port=465, security="tls"),
    # docs.aws.amazon.com/ses, "Connecting to an Amazon SES SMTP endpoint"; limits depend on the account.
    "ses": Provider(host=None),
    # documentation.mailgun.com, "Send via SMTP"; smtp.eu.mailgun.org for a domain in the EU.
    "mailgun": Provider(host="smtp.mailgun.org"),
    # www.twilio.com/docs/sendgrid, "Integrating with the SMTP API".
    "sendgrid": Provider(host="smtp.sendgrid.net", messages_per_connection=5_000),
    # postmarkapp.com/support/article/811: mail to many subscribers belongs to the broadcast stream.
    "postmark": Provider(host="smtp-broadcasts.postmarkapp.com"),
}
"""Every provider that `smtp.provider` may name."""
