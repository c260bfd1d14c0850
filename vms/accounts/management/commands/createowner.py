"""Make the site's owner from the command line, where the set-up link isn't used."""

import getpass
import sys

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from vms.accounts.exceptions import SetupClosedError
from vms.accounts.services import create_owner_directly


class Command(BaseCommand):
    help = "Make the owner. The password is asked for, or read from standard input: never put it on the command line."

    def add_arguments(self, parser):
        parser.add_argument("username")
        parser.add_argument("--site-name", default="", help="What the site is called.")

    def handle(self, *, username, site_name, **options):
        if sys.stdin.isatty():
            password = getpass.getpass("Password: ")
            if getpass.getpass("Again: ") != password:
                raise CommandError("The passwords differ.")
        else:
            password = sys.stdin.readline().rstrip("\n")
        try:
            owner = create_owner_directly(username=username, password=password, site_name=site_name)
        except SetupClosedError as err:
            raise CommandError("There is an owner already.") from err
        except ValidationError as err:
            raise CommandError(" ".join(err.messages)) from err
        self.stdout.write(f"{owner.username} is the owner.")
