"""A real LDAP server with two people and two groups."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.processes import free_port
from support.waiting import wait_until_sync

SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=org"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""
PEOPLE = """\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: uid=ada,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: ada
cn: Ada
sn: Lovelace
userPassword: lovelace-1815

dn: uid=eve,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: eve
cn: Eve
sn: Viewer
userPassword: only-looks-on

dn: cn=operators,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: operators
member: uid=ada,ou=people,dc=example,dc=org

dn: cn=viewers,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: viewers
member: uid=eve,ou=people,dc=example,dc=org
"""


@contextmanager
def slapd(folder: Path) -> Iterator[str]:
    """Serve the directory on a free port until the context ends; yields its URL."""
    assert SLAPD is not None
    (folder / "data").mkdir(parents=True)
    configuration, people, port = folder / "slapd.conf", folder / "people.ldif", free_port()
    configuration.write_text(CONFIGURATION.format(folder=folder))
    people.write_text(PEOPLE)
    subprocess.run([SLAPD, "-T", "add", "-f", configuration, "-l", people], check=True, capture_output=True)
    url = f"ldap://127.0.0.1:{port}"
    with subprocess.Popen([SLAPD, "-d", "0", "-f", configuration, "-h", url], stderr=subprocess.DEVNULL) as server:
        try:
            wait_until_sync(lambda: _answers(port), 20, "slapd to listen")
            yield url
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
