"""Why a person can't sign in or set up; the text is for that person."""


class AccountError(Exception):
    code = "account"


class WrongCredentialsError(AccountError):
    """Says neither which of the two was wrong nor whether the account exists."""

    code = "wrong_credentials"

    def __init__(self) -> None:
        super().__init__("User name or password is wrong.")


class LockedOutError(AccountError):
    code = "locked"

    def __init__(self, retry_after_s: int) -> None:
        minutes = -(-retry_after_s // 60)
        super().__init__(f"Too many wrong tries. Try again in {minutes} min.")
        self.retry_after_s = retry_after_s


class SetupClosedError(AccountError):
    """The set-up link is unknown, used, replaced by a newer one, or there is an owner already."""

    code = "setup_closed"

    def __init__(self) -> None:
        super().__init__("This set-up link is no longer valid.")
