"""How the state machines of the bridges are run."""

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def run_machine(machine: type[RuleBasedStateMachine], examples: int, *, shrink: bool) -> None:
    """So many runs of 40 steps; a machine that waits for threads takes too long to shrink."""
    phases = [phase for phase in Phase if shrink or phase is not Phase.shrink]
    given = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        phases=phases,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(machine, settings=given)
