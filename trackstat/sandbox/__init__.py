"""A carrier and a mail service to try the product against: Twilio's and Mailgun's protocols, an SMTP mailbox, phones.

A process of its own that knows the product only by HTTP addresses: nothing here imports Django or product code, and the
product reaches it by address alone. `docs/sandbox.md` describes what it answers to which number and how it is controlled.
"""
