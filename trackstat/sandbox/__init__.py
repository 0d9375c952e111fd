"""A carrier and a mail service to try the product against: Twilio's and Mailgun's protocols, an SMTP mailbox, phones.

A process of its own that knows the product only by HTTP addresses: nothing here imports Django or product code.
`docs/sandbox.md` says which number gets which answer, and how the sandbox is controlled.
"""
