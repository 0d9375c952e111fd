from tests.embedded.conftest import home, nothing_is_given, services

__all__ = ["home", "nothing_is_given", "services"]
