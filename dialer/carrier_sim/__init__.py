"""A carrier in a box: Twilio's REST and callback protocol, answered by scripted callees.

Parts, from the pure to the wet: :mod:`.profiles` (who picks up), :mod:`.hearing` (what answering
machine detection says), :mod:`.twiml` (what a document makes a call do), :mod:`.orders` (what a
request asks for), :mod:`.exchange` (calls in time), :mod:`.courier` (webhooks and their faults),
:mod:`.intake` and :mod:`.server` (the REST side), :mod:`.main` (the process).
"""
