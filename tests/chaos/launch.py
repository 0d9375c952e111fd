"""``python -m tests.chaos.launch MODULE ARGUMENT…``: a process of the product that can be struck (see `points`).

CHAOS_FOLDER names the folder of the run, CHAOS_PLANT a bug to plant (see `plants`). While the folder has a file
`thrice`, every task that this process publishes goes to the broker three times.
"""

import os
import runpy
import sys
from pathlib import Path

THRICE = "thrice"


def main() -> None:
    import django

    django.setup()
    # The one Celery app; importing it first lets `celery -A` find it ready.
    import trackstat.celery  # noqa: F401
    from tests.chaos import plants, points

    if plant := os.environ.get("CHAOS_PLANT"):
        points.load()
        plants.plant(plant)
    points.install()
    _publish_thrice(Path(os.environ[points.FOLDER]) / THRICE)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _publish_thrice(wanted: Path) -> None:
    from kombu import Producer

    publish = Producer.publish

    def thrice(self, body, routing_key=None, **named):
        # Tasks only: events and remote control have exchanges of their own.
        if routing_key == "celery" and wanted.exists():
            publish(self, body, routing_key=routing_key, **named)
            publish(self, body, routing_key=routing_key, **named)
        return publish(self, body, routing_key=routing_key, **named)

    Producer.publish = thrice


if __name__ == "__main__":
    main()
