"""Who answered, told while the call goes on: live calls are listened to, one session each.

What is heard — words, sound, the carrier's verdict — goes to the detectors of the modes a campaign
wants; what they find out becomes news of the call.
"""
