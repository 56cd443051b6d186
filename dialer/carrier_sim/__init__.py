"""A carrier in a box: Twilio's REST and callback protocol, answered by scripted callees.

Parts, from the pure to the wet: :mod:`.profiles` (who picks up), :mod:`.scenes` with
:mod:`.phrases` (what is heard of them), :mod:`.recognition` (what a recogniser makes of it),
:mod:`.sound` (what it sounds like), :mod:`.hearing` (what answering machine detection says),
:mod:`.twiml` (what a document makes a call do), :mod:`.orders` (what a request asks for),
:mod:`.exchange` (calls in time), :mod:`.callee` (one that was answered), :mod:`.transcription` and
:mod:`.media` (who listens to it), :mod:`.courier` (webhooks and their faults), :mod:`.intake` and
:mod:`.server` (the REST side), :mod:`.main` (the process).
"""
