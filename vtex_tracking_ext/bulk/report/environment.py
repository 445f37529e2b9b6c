"""The templates of pages that are self-contained: no request, and a policy that forbids it.

They extend ``base.html`` of the package, which the sandbox's page extends, too. Needs the extra ``cli``.
"""

from __future__ import annotations

import base64
import hashlib

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vtex_tracking_ext.text import visible


def template_environment(package: str) -> Environment:
    """Return an environment with the templates of a package, and those that all pages share."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("vtex_tracking_ext")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    environment.filters |= {"number": "{:,}".format, "visible": visible}
    return environment


def text_and_hash(environment: Environment, name: str) -> tuple[Markup, str]:
    """Return a style sheet or a script, and the hash with which a content security policy allows it."""
    text = environment.get_template(name).render()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return Markup(text), digest  # noqa: S704 - the package's own file
