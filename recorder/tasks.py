"""Short messages to a recorder, on its own queue. Each may run twice or late; losing one costs a second."""

from celery import shared_task


@shared_task(name="recorder.reconcile", ignore_result=True, bind=True)
def reconcile(self) -> None:
    """Settings have changed: read them now instead of at the next round."""
    from recorder.worker.bootstep import poke_recorder

    poke_recorder()
