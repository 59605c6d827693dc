"""The whole test of a third party's login: the checks are inherited. LDAP_URL names a server with ada and eve."""

import os

import plumber_auth_ldap
import pytest
from plumber_auth_ldap import Directory, LdapAuthenticator, LdapAuthoriser, Settings

from plumber_core import Password, Principal
from plumber_core.testing.conformance import AuthenticatorConformance, AuthoriserConformance, PluginConformance

SETTINGS = Settings(server=os.environ["LDAP_URL"], may={"operators": ["*"], "viewers": ["*:list"]})
ADA, EVE = (Principal(kind="user", id=f"ldap:{name}", name=name) for name in ("ada", "eve"))


class TestLogin(AuthenticatorConformance):
    @pytest.fixture
    def authenticator(self):
        return LdapAuthenticator(Directory(SETTINGS))

    @pytest.fixture
    def good_credential(self):
        return Password("ada", "lovelace-1815")

    @pytest.fixture(params=["wrong-password", ""])
    def bad_credential(self, request):
        return Password("ada", request.param)


class TestGroups(AuthoriserConformance):
    @pytest.fixture
    def authoriser(self):
        return LdapAuthoriser(Directory(SETTINGS))

    @pytest.fixture
    def allowed(self):
        return [(ADA, "task:run", None), (EVE, "task:list", None)]

    @pytest.fixture
    def refused(self):
        return [(EVE, "task:run", None), (Principal(kind="user", id="ldap:*", name="*"), "task:list", None)]


class TestPlugin(PluginConformance):
    @pytest.fixture
    def plugin(self):
        return plumber_auth_ldap

    @pytest.fixture
    def settings(self):
        return {"server": os.environ["LDAP_URL"]}
