"""`Site`: what all pages share."""

from dataclasses import dataclass

from starlette.requests import Request

from edge.archive.archive import Archive
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.sessions import Session, Sessions
from edge.web.jobs.queue import Jobs
from edge.web.live.station_feed import StationFeed
from edge.web.settings import WebSettings
from edge.web.texts import Texts
from edge.web.viewer import Viewer


@dataclass(frozen=True)
class Site:
    """The archive, the accounts, the stations and the jobs behind the pages."""

    settings: WebSettings
    archive: Archive
    accounts: Accounts
    sessions: Sessions
    stations: dict[str, StationFeed]
    jobs: Jobs

    def viewer_of(self, request: Request) -> Viewer:
        """Who sent this request; the middleware has let only valid sessions through."""
        session: Session = request.scope["session"]
        return Viewer(session, Texts(session.account.language), self.sessions, self.archive)
