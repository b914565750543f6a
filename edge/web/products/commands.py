"""The words of each command that the page starts, from what people have chosen."""

from datetime import UTC, datetime
from pathlib import Path

from edge.archive.places import ArchiveAddress
from edge.base.errors import SettingsError
from edge.base.passwords import without_password
from edge.vision.marked_images import ARCHIVE
from edge.web.jobs.job import JobSpec
from edge.web.products.draft import Draft, DraftFolder
from edge.web.settings import StationAddresses, WebSettings


class Commands:
    """Makes the jobs of one product, asked for by one person."""

    def __init__(self, settings: WebSettings, product: str, who: str) -> None:
        self._settings, self._product, self._who = settings, product, who

    def _job(
        self,
        kind: str,
        *words: str,
        heavy: bool = True,
        after: str | None = None,
        station: StationAddresses | None = None,
        places: bool = True,
    ) -> JobSpec:
        if places:
            words += ("--product", self._product, "--products", str(self._settings.products))
        return JobSpec(
            kind=kind,
            product=self._product,
            words=words,
            who=self._who,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            heavy=heavy,
            after=after,
            station_file=str(station.config) if station and station.config else None,
        )

    def collect(self, station: StationAddresses, frames: int, to: Path) -> JobSpec:
        """From a station's source, whose address stays in its file of settings."""
        if station.config is None:
            raise SettingsError(
                f"{station.name} has no file of settings here, so its camera is not known: write "
                "station.toml, or upload pictures"
            )
        words = ("collect", "--to", str(to), "--frames", str(frames), "--any-part")
        return self._job("collect", *words, heavy=False, station=station, places=False)

    def train(
        self, pictures: Path, draft: Draft, folder: DraftFolder, *, restart: bool = False
    ) -> JobSpec:
        """A new training with the draft's choices."""
        words = ["train", str(pictures), *_choices(draft, folder)]
        if draft.also:
            words += ["--also", ARCHIVE + draft.also, *self._archive()]
        return self._job("train", *words, *(["--restart"] if restart else []))

    def resume(self) -> JobSpec:
        """The unfinished training."""
        words = ("train", "--resume", "--product", self._product)
        return self._job("train", *words, places=False)

    def preview(self, pictures: Path, draft: Draft, folder: DraftFolder) -> JobSpec:
        """A sheet of simulated anomalies."""
        words = ("train", str(pictures), *_choices(draft, folder))
        return self._job("preview", *words, "--preview", str(folder.preview))

    def build(self, version: str | None = None, after: str | None = None) -> JobSpec:
        """This device's engine of a version, or of the newest one."""
        words = ("--version", version) if version else ()
        return self._job("build", "build", *words, after=after)

    def calibrate(
        self, rate: float, query: str = "", geometry: Path | None = None, after: str | None = None
    ) -> JobSpec:
        """The newest version, from what training set aside or from the archive's parts."""
        words = ["calibrate", "--false-reject-rate", f"{rate:.6g}", *self._by()]
        if query:
            words += ["--images", ARCHIVE + query, *self._archive()]
        if geometry:
            words += ["--geometry", str(geometry)]
        return self._job("calibrate", *words, after=after)

    def inspect(self, pictures: Path, maps: Path, version: str) -> JobSpec:
        """Verdicts and heatmaps of a folder of pictures."""
        words = ("inspect", str(pictures), "--json", "--maps", str(maps), "--version", version)
        return self._job("inspect", *words)

    def release(self, action: str, *words: str) -> JobSpec:
        """seal, activate, rollback or export."""
        by = () if action == "export" else self._by()
        return self._job(action, "release", action, *words, *by, heavy=False)

    def import_release(self, file: Path) -> JobSpec:
        """A release from a file; the settings say whose signature it needs."""
        words = ("release", "import", str(file), "--products", str(self._settings.products))
        return self._job("import", *words, *self._by(), heavy=False, places=False)

    def switch(self, station: StationAddresses, version: str, reason: str) -> JobSpec:
        """Change what a running station judges."""
        words: tuple[str, ...] = ("switch", "--product", self._product, "--version", version)
        words += self._by() + (("--reason", reason) if reason else ())
        if station.config is None:
            if station.credentials is not None:
                raise SettingsError(
                    f"{station.name} has keys, and no file of settings here that names them: "
                    f"write stations/{station.name}.toml"
                )
            words += ("--endpoint", station.events, "--control", station.control)
        return self._job("switch", *words, heavy=False, station=station, places=False)

    def _by(self) -> tuple[str, ...]:
        """Whose change it is, for the product's own record."""
        return ("--who", self._who)

    def _archive(self) -> tuple[str, ...]:
        """Where the archive is, unless commands look there by themselves."""
        database, pictures = self._settings.database, self._settings.pictures
        if ArchiveAddress() == ArchiveAddress(database, pictures):
            return ()
        if without_password(database) != database:
            raise SettingsError(
                "the archive's address has a password, which no command may show: give it in "
                "DRAEM_ARCHIVE_DATABASE, or in a ~/.pgpass"
            )
        return ("--archive-database", database, "--archive-pictures", pictures)


def _choices(draft: Draft, folder: DraftFolder) -> list[str]:
    """The options of `draem train` that differ from its defaults."""
    words: list[str] = []
    if draft.crop:
        words += ["--crop", ",".join(map(str, draft.crop))]
    if draft.regions or draft.corrected:
        words += ["--geometry", str(folder.geometry)]
    if draft.network != "features":
        words += ["--network", draft.network]
    numbers = ("rotation", "light", "size", "input", "tile", "max_minutes", "steps")
    for name in numbers:
        if value := getattr(draft, name):
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            words += [f"--{name.replace('_', '-')}", shown]
    return words + (["--mirror"] if draft.mirror else [])
