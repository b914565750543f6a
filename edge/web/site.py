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
from edge.web.viewer import Keys, Viewer


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
        keys: Keys = request.scope["keys"]
        texts = Texts(session.account.language, self.settings.shifts.zone)
        return Viewer(session, texts, keys, self.archive)
