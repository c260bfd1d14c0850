"""Making the local site."""

from django.db import transaction

from vms.sites.models import Site


@transaction.atomic
def ensure_local_site() -> Site:
    """The local site; made with a neutral name where there is none yet. Idempotent."""
    site, _ = Site.objects.get_or_create(is_local=True, defaults={"name": "My site"})
    return site
