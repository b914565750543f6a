"""The pages of Review."""

from edge.web.review.agreement_page import add_agreement
from edge.web.review.page import add_queue
from edge.web.review.threshold_page import add_threshold
from edge.web.site import Site


def add_review(site: Site) -> None:
    """The queue, the reviewers' agreement, and what another threshold would change."""
    add_queue(site)
    add_agreement(site)
    add_threshold(site)
