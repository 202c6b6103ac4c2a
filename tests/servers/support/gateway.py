"""Two companies in the released test application, a user of each, and one of the staff."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlencode

from provisioned import Provisioned, quote
from web import Response

SITE = "https://staging.askpro.test"

ANNA, BERT, STAFF = "anna@salon.test", "bert@garage.test", "staff@askpro.test"
APPOINTMENTS = {ANNA: "Customer of the salon", BERT: "Customer of the garage"}
PASSWORD = "correct horse"

ROWS = """
insert into companies (id, name) values (1, 'Salon'), (2, 'Garage');
insert into users (company_id, email, password, api_token) values
    (1, '{anna}', '{hashed}', sha2('token of {anna}', 256)),
    (2, '{bert}', '{hashed}', sha2('token of {bert}', 256)),
    (null, '{staff}', '{hashed}', null);
insert into appointments (id, company_id, customer) values
    (1, 1, 'Customer of the salon'), (2, 2, 'Customer of the garage');
"""


class Gateway:
    """The application that is released to staging, once its migrations have run."""

    def __init__(self, host: Provisioned) -> None:
        self.host = host
        hashed = host.ssh(f"php -r 'echo password_hash({json.dumps(PASSWORD)}, PASSWORD_BCRYPT);'")
        rows = ROWS.format(anna=ANNA, bert=BERT, staff=STAFF, hashed=hashed)
        host.ssh(f"mariadb {quote(host.site().database.name)}", input=rows)
        self.session = cache(self._session)

    def get(self, path: str, user: str | None = None) -> Response:
        """A page as this user sees it, or a guest."""
        headers = self.session(user) if user else {}
        return self.host.web.get(SITE + path, login=self.host.qa, headers=headers)

    def api(self, path: str, user: str | None, body: Mapping[str, str] | None = None) -> Response:
        """With the user's token; a POST if there is a body."""
        headers = {"Content-Type": "application/json"}
        if user:
            headers["Authorization"] = f"Bearer token of {user}"
        return self.host.web.request(
            "POST" if body else "GET",
            f"{SITE}/api/v1{path}",
            headers=headers,
            body=json.dumps(body).encode() if body else None,
        )

    def _session(self, user: str) -> dict[str, str]:
        """The headers of somebody who has logged in."""
        form = self.get("/admin/login")
        token = re.search(r'name="_token" value="(\w+)"', form.text)
        assert token, form.text
        fields = {"_token": token[1], "email": user, "password": PASSWORD}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.host.web.request(
            "POST",
            f"{SITE}/admin/login",
            headers=cookie(form) | kind,
            login=self.host.qa,
            body=urlencode(fields).encode(),
        )
        assert answer.status == 302, answer.text
        return cookie(answer)


def cookie(response: Response) -> dict[str, str]:
    """The header that sends the session's cookie back."""
    cookies = response.headers.get_all("Set-Cookie") or []
    return {"Cookie": next(c.split(";")[0] for c in cookies if "session=" in c)}
