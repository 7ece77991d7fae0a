"""What a step computes of several prompts."""

from __future__ import annotations

from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.common import sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from mlxr.runtime.messages.scheduler import Admitted, ExecutorReady, Sampled, StepDone, Submit, Task
from mlxr.runtime.messages.token_ids import TokenIds
from tests.actors.scheduler.rig import prompt_of

POOL = [GroupPages(CacheKind.FULL, 10_000, 4)]


class Steps:
    """A scheduler whose every wish is granted at once."""

    def __init__(self, limits: Limits) -> None:
        self.scheduler = Scheduler(limits)
        self.scheduler.executor_ready(ExecutorReady(0, POOL))

    def submit(self, request: int, length: int, client: str = "", task: Task = Task.GENERATE) -> int:
        prompt = TokenIds.of(prompt_of(length, request))
        self.scheduler.submit(Submit(request, prompt, max_tokens=1, client=client, task=task))
        for admit in self.scheduler.admissions():
            self.scheduler.admitted(Admitted(admit.sequence, 0, admit.ticket, [10_000]), 0.0)
        return sequence_id(request, 0)

    def run(self) -> dict[int, int]:
        """Plans a step and has it done; returns the tokens of each of its rows."""
        plan = self.scheduler.plan()
        assert plan is not None
        sampled = [Sampled(id, 7) for row in plan.rows for id in row.sample]
        ran = [row.sequence for row in plan.rows]
        self.scheduler.step_done(StepDone(0, plan.step, sampled, device_ns=10**8, ran=ran), 0.0)
        return {row.sequence: row.length for row in plan.rows}


def test_a_short_prompt_does_not_wait_for_the_long_one_of_the_same_client() -> None:
    steps = Steps(Limits(token_budget=100, max_sequences=9))
    long = steps.submit(1, 5000)
    assert steps.run() == {long: 100}
    short = steps.submit(2, 30)
    assert steps.run() == {short: 30, long: 70}
    assert steps.run() == {long: 100}


def test_a_long_prompt_keeps_half_however_many_short_ones_come() -> None:
    for budget, length in ((100, 80), (512, 240)):
        steps = Steps(Limits(token_budget=budget, max_sequences=64))
        long = steps.submit(1, 5000)
        for request in range(2, 12):
            steps.submit(request, length)
            rows = steps.run()
            assert rows[long] * 2 >= sum(rows.values())


def test_a_step_that_a_short_prompt_ends_with_has_a_chunk_of_a_long_one() -> None:
    steps = Steps(Limits(token_budget=512, prefill_chunk=128, max_sequences=9))
    long = steps.submit(1, 5000)
    assert steps.run() == {long: 512}
    short, other = steps.submit(2, 30), steps.submit(3, 40, "b")
    assert steps.run() == {short: 30, other: 40, long: 128}
    second = steps.submit(4, 5000, "b")
    assert steps.run() == {long: 256, second: 256}
    short = steps.submit(5, 30, "c")
    assert steps.run() == {short: 30, long: 64, second: 64}


def test_long_prompts_share_the_chunk_beside_a_short_one_alike() -> None:
    """Else the shorter of them would take it all, and the longest wait while others come."""
    steps = Steps(Limits(token_budget=512, prefill_chunk=128, max_sequences=9))
    longest, long = steps.submit(1, 5000, "a"), steps.submit(2, 2000, "b")
    short = steps.submit(3, 30, "c")
    assert steps.run() == {short: 30, long: 64, longest: 64}


def test_prompts_of_about_one_length_come_one_after_another() -> None:
    steps = Steps(Limits(token_budget=100, max_sequences=9))
    first, second = steps.submit(1, 300), steps.submit(2, 200)
    assert [steps.run() for _ in range(5)] == [
        {first: 100}, {first: 100}, {first: 100}, {second: 100}, {second: 100}
    ]  # fmt: skip


def test_a_clients_two_prompts_have_no_more_than_its_part() -> None:
    steps = Steps(Limits(token_budget=120, max_sequences=9))
    long, short, other = steps.submit(1, 900, "a"), steps.submit(2, 200, "a"), steps.submit(3, 900, "b")
    assert steps.run() == {short: 30, long: 30, other: 60}


def test_a_long_text_for_an_encoder_is_not_kept_waiting_by_short_ones_of_others() -> None:
    steps = Steps(Limits(token_budget=100, max_sequences=64, whole_prompts=True))
    steps.submit(1, 60, "a", Task.EMBED)
    long = steps.submit(2, 90, "b", Task.EMBED)
    ran = [steps.run()]
    for request in range(3, 8):
        steps.submit(request, 60, "a", Task.EMBED)
        ran.append(steps.run())
    assert any(long in each for each in ran[:2])
