"""The jobs: fetch, compose, deliver, and tidy up. Each may be stopped at any point and run again."""

from digest.jobs.composing import ComposeReport, Due, compose_due
from digest.jobs.confirming import confirm_changes
from digest.jobs.coverage import covered_until, uncovered_since
from digest.jobs.delivering import DeliveryReport, deliver
from digest.jobs.fetching import FetchReport, fetch
from digest.jobs.outlook import Outlook, outlook
from digest.jobs.renaming import take_up_renames
from digest.jobs.restoring import take_up_restored
from digest.jobs.tidying import tidy

__all__ = [
    "ComposeReport",
    "DeliveryReport",
    "Due",
    "FetchReport",
    "Outlook",
    "compose_due",
    "confirm_changes",
    "covered_until",
    "deliver",
    "fetch",
    "outlook",
    "take_up_renames",
    "take_up_restored",
    "tidy",
    "uncovered_since",
]
