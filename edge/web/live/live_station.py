"""All that the pages know of one station."""

from dataclasses import replace

from edge.archive.archive import Archive
from edge.archive.statistics import Shifts
from edge.base.closeable import Closeable
from edge.web.live.archive_watch import ArchiveWatch
from edge.web.live.health_watch import HealthWatch
from edge.web.live.picture_feed import PictureFeed
from edge.web.live.station_feed import StationFeed, StationState
from edge.web.settings import StationAddresses
from edge.web.texts import mark


class LiveStation(Closeable):
    """Its events (always), and its pictures, health and archive while somebody looks."""

    def __init__(self, feed: StationFeed, archive: Archive, shifts: Shifts) -> None:
        self.feed = feed
        self.pictures = PictureFeed(feed.addresses)
        self.health = HealthWatch(feed.addresses)
        self.archive = ArchiveWatch(archive, feed, shifts)

    @property
    def name(self) -> str:
        """The station's name, as the settings have it."""
        return self.feed.name

    @property
    def addresses(self) -> StationAddresses:
        """Its sockets and folders."""
        return self.feed.addresses

    def want(self) -> None:
        """Somebody looks: call it at least each second."""
        self.pictures.want()
        self.health.want()
        self.archive.want()

    def state(self) -> StationState:
        """What to say of it now. No events come from a hung engine, but it still answers."""
        now, health = self.feed.state(), self.health.answers.health
        if now.word == "no connection" and health is not None and health.state == "hung":
            seconds = f"{health.turned_s_ago:.0f} s"
            return replace(now, word=mark("hung"), message=f"the loop has stood for {seconds}")
        return now

    def close(self) -> None:
        for one in (self.pictures, self.health, self.archive):
            one.close()
