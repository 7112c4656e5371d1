"""``airflow elasticjobs tier``: the agent's capacity as an Airflow pool."""

from __future__ import annotations

import sys
from argparse import Namespace

from airflow.api.client import get_current_api_client
from airflow.utils.cli import action_cli, suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_provider_elasticjobs.cli.definition import TIERS

__all__ = ["set_tier"]


@action_cli  # type: ignore[untyped-decorator]
@suppress_logs_and_warning
@providers_configuration_loaded
def set_tier(args: Namespace) -> None:
    """Create the tier's pool, or give the one that is there the tier's size; deferred tasks count.

    :param args: ``tier`` and ``slots`` of the command line.
    """
    slots = args.slots or TIERS[args.tier]
    get_current_api_client().create_pool(  # type: ignore[no-untyped-call]
        name=args.tier, slots=slots, description=f"Elastic jobs: {slots} targets at a time", include_deferred=True
    )
    sys.stdout.write(f"Pool {args.tier} has {slots} slots; deferred tasks are counted\n")
