"""The web page: what people without a terminal look at. A process of its own (`draem web`).

It learns of the line over its sockets and from the archive, and changes it through the same
requests and commands as everybody else, so it can end at any time without the line noticing.

server.py      the program: routes, middleware, uvicorn
site.py        `Site`: what all pages share (archive, accounts, stations)
page.py        `add_page`: a page with its role, header and navigation
viewer.py      `Viewer`: who looks, in which language; permissions and the audit trail
security.py    default deny, headers, origin checks
texts.py       translations (locale/LANGUAGE/*.po), numbers and dates by locale
attempts.py    a limit on wrong passwords and tokens
background.py  webhooks and shift reports, while nobody looks
accounts/      accounts, roles, sessions, tokens
api/           requests of programs
and a package for each part of the page
"""
