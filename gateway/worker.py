"""The worker: runs jobs, watches the clock, seals the log, rescues what was dropped.

Jobs carry ids only and are safe to run twice. Five loops run beside the job
engine; each does one small thing over and over and survives the database going
away:

    timers   notes whose instant has come, deliveries that are due
    sealer   pending audit entries into the Merkle log
    rescuer  jobs of a worker that died, notes whose job was lost
    facts    the civil register's word on patients, before it is a day old
    rules    decisions made under other rules than today's
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import procrastinate
import structlog
from procrastinate.exceptions import ConnectorException

from gateway.clock import SystemClock
from gateway.errors import Unavailable
from gateway.metrics import AUDIT_PENDING, DELIVERY_STATES, LOOPS_FAILED
from gateway.service.process import DELIVER_TASK, TRY_AGAIN_AFTER, rules_stamp
from gateway.service.work import Workshop
from gateway.settings import Settings
from gateway.storage import audit_log, deliveries, notes
from gateway.storage.database import QUEUE, Database, Lane, defer_job, overdue_jobs
from gateway.storage.intake_new import PROCESS_TASK

log = structlog.get_logger()
RECEIVED: Final = "received"
BATCH_NOTES: Final = 100
LOST_AFTER: Final = timedelta(seconds=60)
PAUSE_AFTER_TROUBLE_SECONDS: Final = 1.0
RULES_SECONDS: Final = 600.0
HEARTBEAT_SECONDS: Final = 3.0


def job_app(workshop: Workshop) -> procrastinate.App:
    """The job engine with our tasks; it shares our connection pool."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())
    # A job that fails is put back, whatever the reason, and never given up; what it had
    # done is done. The engine logs each failure.
    retry = procrastinate.RetryStrategy(max_attempts=None, wait=2, linear_wait=2)

    @app.task(name=PROCESS_TASK, queue=QUEUE, retry=retry, pass_context=True)
    async def process(
        context: procrastinate.JobContext,
        note_ids: list[str],
        lane: int = int(Lane.LIVE),
        trigger: str = RECEIVED,
    ) -> None:
        # What has failed once runs alone, so that it takes no others with it.
        company = trigger == RECEIVED and context.job.attempts == 0
        ids = [UUID(each) for each in note_ids]
        await workshop.process(ids, Lane(lane), trigger, company=company)

    @app.task(name=DELIVER_TASK, queue=QUEUE, retry=retry)
    async def deliver(note_ids: list[str]) -> None:
        await workshop.deliver([UUID(each) for each in note_ids])

    return app


class Worker:
    """One worker process."""

    def __init__(self, settings: Settings, database: Database, workshop: Workshop) -> None:
        self._settings = settings
        self._database = database
        self._workshop = workshop
        self._app = job_app(workshop)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Finish what is in hand and end."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        settings = self._settings
        async with self._app.open_async(self._database.pool), asyncio.TaskGroup() as group:
            loops = [
                group.create_task(self._loop("timers", self.tick, settings.timer_interval_seconds)),
                group.create_task(self._loop("sealer", self.seal, settings.seal_interval_seconds)),
                group.create_task(self._loop("rescuer", self.rescue, 5.0)),
                group.create_task(self._loop("facts", self._workshop.refresh_facts, 2.0)),
                group.create_task(self._loop("rules", self.renew_decisions, RULES_SECONDS)),
                group.create_task(self._jobs()),
            ]
            await self._stopping.wait()
            for task in loops:
                task.cancel()

    async def _jobs(self) -> None:
        """The job engine; started again when the database has been away."""
        while not self._stopping.is_set():
            try:
                await self._database.wait_until_ready()
                await self._app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=self._settings.worker_concurrency,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=2.0,
                    shutdown_graceful_timeout=10.0,
                    delete_jobs="successful",
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=self._settings.stalled_after_seconds,
                )
            except (ConnectorException, Unavailable) as error:
                log.warning("worker.jobs_interrupted", error=type(error).__name__)
                await asyncio.sleep(PAUSE_AFTER_TROUBLE_SECONDS)

    async def _loop(
        self, name: str, step: Callable[[], Awaitable[object]], interval_seconds: float
    ) -> None:
        """Take one step after another; pause when a step says that nothing is left to do."""
        while not self._stopping.is_set():
            try:
                done = await step()
            except Unavailable as error:
                log.warning("worker.loop_waits", loop=name, error=str(error))
                done = 0
                await asyncio.sleep(PAUSE_AFTER_TROUBLE_SECONDS)
            except Exception:
                # One loop in trouble must not take the others with it.
                log.exception("worker.loop_failed", loop=name)
                LOOPS_FAILED.labels(name).inc()
                done = 0
                await asyncio.sleep(PAUSE_AFTER_TROUBLE_SECONDS)
            if not done:
                await asyncio.sleep(interval_seconds)

    async def tick(self) -> int:
        """Take notes and deliveries whose time has come; returns how many."""
        now = self._workshop.clock.now()
        async with self._database.transaction() as connection:
            due = await notes.claim_due(connection, now, BATCH_NOTES)
            if due:
                await self._workshop.processor.process(connection, due, Lane.FEED, "time")
        async with self._database.transaction() as connection:
            waiting = await deliveries.claim_due(connection, now, now + LOST_AFTER, BATCH_NOTES)
            for group in _groups(waiting, 20):
                await defer_job(
                    connection, DELIVER_TASK, {"note_ids": [str(id_) for id_ in group]}, Lane.LIVE
                )
        return len(due) + len(waiting)

    async def seal(self) -> bool:
        """Seal pending audit entries; returns whether more than a batch was waiting.

        Few large batches cost less than many small ones, so the rest of a burst waits
        for the next turn.

        Anchoring comes first: it refuses when the anchor knows a head that the database
        has lost, and nothing may be sealed on top of a log that went back in time.
        """
        async with self._database.transaction() as connection:
            await audit_log.anchor(connection, self._workshop.anchor)
        async with self._database.transaction() as connection:
            sealed = await audit_log.seal(
                connection, self._workshop.audit_signer, self._workshop.clock.now()
            )
        async with self._database.transaction() as connection:
            await audit_log.anchor(connection, self._workshop.anchor)
        return sealed == audit_log.BATCH_ENTRIES

    async def renew_decisions(self) -> int:
        """Decide anew what was decided under other rules; returns how many notes."""
        async with self._database.transaction() as connection:
            outdated = await notes.outdated(connection, rules_stamp(), BATCH_NOTES)
            if outdated:
                await self._workshop.processor.process(connection, outdated, Lane.FEED, "rules")
                await notes.stamp_rules(connection, outdated, rules_stamp())
        return len(outdated)

    async def rescue(self) -> int:
        """Put back the jobs of workers that died, and make up jobs that were lost."""
        rescued = await self._put_back_jobs()
        now = self._workshop.clock.now()
        async with self._database.transaction() as connection:
            lost = await notes.unprocessed(
                connection, now - LOST_AFTER, BATCH_NOTES, due_after=now + TRY_AGAIN_AFTER
            )
            if lost:
                await self._workshop.processor.process(connection, lost, Lane.LIVE, "rescue")
            purged = await self._workshop.processor.purge(connection, BATCH_NOTES)
            AUDIT_PENDING.set(await audit_log.count_pending(connection))
            for state, count in (await deliveries.count_by_state(connection)).items():
                DELIVERY_STATES.labels(state).set(count)
        if rescued or lost or purged:
            log.info("worker.rescued", jobs=rescued, notes=len(lost), purged=purged)
        return 0

    async def _put_back_jobs(self) -> int:
        """Jobs are safe to run twice, so whatever looks abandoned is run again."""
        settings = self._settings
        jobs = self._app.job_manager
        may_take = timedelta(
            seconds=settings.stalled_after_seconds + 1.25 * settings.send_timeout_seconds
        )
        async with self._database.transaction() as connection:
            overdue = await overdue_jobs(connection, may_take)
        try:
            stalled = await jobs.get_stalled_jobs(
                seconds_since_heartbeat=settings.stalled_after_seconds
            )
            abandoned = {*overdue, *(job.id for job in stalled if job.id is not None)}
            for job_id in abandoned:
                await jobs.retry_job_by_id_async(job_id, retry_at=SystemClock().now())
        except ConnectorException as error:
            raise Unavailable("job engine") from error
        return len(abandoned)


def _groups(ids: Sequence[UUID], size: int) -> list[Sequence[UUID]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
