"""The statistics page: counts, control chart, Pareto, scores, places, for a chosen period."""
