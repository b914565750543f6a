"""Statistics: counts and rates, Pareto, scores, p-chart."""

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from edge.archive.control_chart import Point, p_chart
from edge.archive.query import Query as Question
from edge.archive.score_drift import Every, ScoreLevel
from edge.archive.statistics import By, Counts, Of
from edge.web.api.questions import asked, described
from edge.web.site import Site

NARROWED = ("since", "until", "station", "product", "version")


class Group(BaseModel):
    """What was inspected in one group; rates of 0 to 1, null where nothing was."""

    group: str
    ok: int
    ng: int
    no_verdict: int
    passed_over: int
    ng_rate: float | None
    first_pass_yield: float | None


class Frequent(BaseModel):
    """How often something occurred."""

    name: str
    count: int


class ScoreBin(BaseModel):
    """Parts whose score / threshold is `score`, or more and less than that of the next bin."""

    score: float
    parts: int


class Charted(BaseModel):
    """A period of the p-chart; `broken` are the numbers of Western Electric rules."""

    group: str
    parts: int
    rejects: int
    lower: float
    upper: float
    broken: list[int]


class Chart(BaseModel):
    """A p-chart of the NG rate."""

    mean: float
    points: list[Charted]


def add_statistics(router: APIRouter, site: Site) -> None:
    """The routes below /statistics."""
    archive, shifts = site.archive, site.settings.shifts
    narrowed = described(*NARROWED)

    @router.get("/statistics", openapi_extra=described(*NARROWED, "verdict", "code"))
    def counts(
        by: list[By] = Query([], description="a group for each; again for both"),
        question: Question = Depends(asked),
    ) -> list[Group]:
        """Verdicts, NG rate and first-pass yield."""
        return [_group(one) for one in archive.counts(question, by, shifts)]

    @router.get("/statistics/pareto", openapi_extra=narrowed)
    def pareto(of: Of, question: Question = Depends(asked)) -> list[Frequent]:
        """The most frequent codes, labels, kinds or places of defects."""
        return [Frequent(name=name, count=count) for name, count in archive.pareto(question, of)]

    @router.get("/statistics/scores", openapi_extra=narrowed)
    def scores(question: Question = Depends(asked)) -> list[ScoreBin]:
        """Parts by score / threshold."""
        found = archive.score_distribution(question)
        return [ScoreBin(score=score, parts=parts) for score, parts in found]

    @router.get("/statistics/levels", openapi_extra=narrowed)
    def levels(every: Every = "day", question: Question = Depends(asked)) -> list[ScoreLevel]:
        """Quartiles of score / threshold over time."""
        return archive.score_levels(question, every, shifts)

    @router.get("/statistics/chart", openapi_extra=narrowed)
    def chart(every: Every = "hour", question: Question = Depends(asked)) -> Chart:
        """The p-chart of the NG rate with control limits and broken rules."""
        counted = archive.counts(question, [every], shifts)
        mean, points = p_chart([(one.ok + one.ng, one.ng) for one in counted])
        pairs = zip(counted, points, strict=True)
        return Chart(mean=mean, points=[_charted(one.group, point) for one, point in pairs])


def _group(one: Counts) -> Group:
    numbers = {name: getattr(one, name) for name in Group.model_fields}
    return Group(**numbers)


def _charted(group: str, point: Point) -> Charted:
    return Charted(
        group=group,
        parts=point.parts,
        rejects=point.rejects,
        lower=point.lower,
        upper=point.upper,
        broken=list(point.broken),
    )
