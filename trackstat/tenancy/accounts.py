from allauth.account.adapter import DefaultAccountAdapter


class NoSelfSignUp(DefaultAccountAdapter):
    """People are invited by an Administrator; nobody makes an account by themselves."""

    def is_open_for_signup(self, request):
        return False
