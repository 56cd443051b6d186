"""The names of everything that is logged, and what each means: the closed set."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: By name; a test compares them with what is logged, and a page of the reference is drawn from it.
EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # What becomes of calls.
        "call.ended": "A call is over: the one line about it, with outcome and seconds.",
        "call.not_made": "An attempt became no call; the policy has decided about its contact.",
        "call.barred": "The operator's own check said never; nobody was called.",
        "call.called_off": "A call that rang too late was ended before anybody answered.",
        "call.hung_up": "A call was ended because an operator wanted all of them ended.",
        "call.doubted": "Nobody knows whether a request became a call; it will be looked for.",
        "call.found_late": "A call that was believed not to exist has turned up.",
        "call.conflict": "A second call of one attempt is reported, or one that cannot be.",
        "call.duplicated": "The carrier's list shows two calls of one attempt; one was ended.",
        "call.vanished": "The carrier knows a call no more that it had named.",
        "call.endless": "A call went on beyond its time limit and was ended.",
        "call.inbound": "Somebody called one of our numbers.",
        "call.inbound_unrecorded": "That somebody called could not be written down.",
        "member.settled": "The outcome of a call is final, and what it means for the contact.",
        # The carrier.
        "callback.refused": "A request is not signed by the carrier.",
        "callback.rejected": "A request of the carrier's cannot be read.",
        "event.refused": "News could not be kept for now; the carrier was asked to repeat it.",
        "event.lost": "News could not be kept, by a defect; the carrier was asked to repeat it.",
        "event.parked": "News is kept but could not be taken in; the next start tries again.",
        "answer.dismissed": "A call was answered that nobody wants any more; it heard goodbye.",
        "answer.failed": "What an answered call is to hear could not be found out.",
        "answer.unrecorded": "That a call was answered could not be written down.",
        "opt_out.failed": "Somebody asked not to be called, and it could not be written down.",
        "errand.failed": "A call could not be hung up on a machine, or given its message.",
        "question.failed": "The carrier could not be asked about a silent call; it will be.",
        "call_off.failed": "A call that rings too late could not be ended; it is tried again.",
        "hang_up.failed": "A call that an operator wants ended goes on; it is tried again.",
        "launch.defect": "A request failed in our own code: a call may have come about.",
        "launch.unconfirmed": "The last look failed; nothing was sent.",
        "pre_dial.failed": "The operator's own check did not answer for a call.",
        "pre_dial.unreadable": "What the operator's own check is to be asked cannot be read.",
        # Campaigns and dialing.
        "campaign.completed": "A campaign has come to its end by itself.",
        "campaign.resting": "A campaign waits because the operator's own check does not answer.",
        "campaign.stopped": "A campaign was paused because the carrier refuses its calls.",
        "campaign.unreadable": "A campaign's hours or settings cannot be read: it calls nobody.",
        "rules.unreadable": "The calling rules cannot be read: nobody is called.",
        "place.unreadable": "Where a callee is cannot be read: nobody there is called.",
        "dialing.held": "An operator holds everything: no new calls.",
        "dialing.released": "The hold is over.",
        "dispatch.resting": "No new calls for a while: the carrier asks so, or is out of reach.",
        "claim.failed": "Contacts could not be claimed; told once until the reason changes.",
        "sweep.failed": "Silent calls could not be looked after; told once until that changes.",
        # The daemon.
        "daemon.started": "The daemon has begun to work.",
        "daemon.draining": "It was told to end: no new calls, running ones may finish.",
        "daemon.ended": "It has ended as it should.",
        "daemon.dumped": "Its state, because somebody asked with a signal.",
        "config.reloaded": "Settings were read again: what is applied, and what needs a restart.",
        "config.refused": "Settings that were read again are not valid; the old ones stay.",
        "metrics.unavailable": "The port for metrics cannot be used; dialing goes on without.",
        "gauges.unreadable": "The database could not be read for the metrics.",
        "health.unknown": "Whether the daemon can work could not be found out.",
        "loop.failed": "A part of the daemon stopped and starts again.",
        "clock.set": "The machine's clock was set; dialing rests until it is safe.",
        "lease.renewal_failed": "The daemon could not renew its lease; without it nothing is sent.",
        "attempts.adopted": "Calls of a daemon that is gone were taken over.",
        "job.done": "A periodic job is done.",
        "job.failed": "A periodic job failed; it waits for its next time.",
        "purge.done": "What need not be kept any longer was deleted.",
        "batch.split": "A shared transaction failed; each part of it is tried alone.",
        "write.failed": "Something could not be written that nobody waited for.",
        "reconciliation.started": "After a restore, the carrier is asked what the backup missed.",
        "reconciliation.found": "A call the database did not know of.",
        "reconciliation.done": "The carrier's list and the database agree; dialing may be resumed.",
        "reconciliation.failed": "The carrier could not be asked; it is tried again.",
        "api.rejected": "A program asked without a valid token.",
        # Whatever else.
        "library.said": "A library has a warning.",
        "error.uncaught": "A defect that nobody caught.",
        "carrier_sim.errand_failed": "The simulated carrier could not do something it does later.",
    }
)
